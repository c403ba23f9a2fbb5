#!/bin/bash
# What needs real processes: kuma-dp with a real Envoy and a control plane that is played, policies seen in requests, names through
# DNS and two Envoys, the real Prometheus, zone proxies between network namespaces, several zones, the demo.
set -eu
cd "$(dirname "$0")/../.."
tools/prometheus.sh
python3 tests/e2e/dp_test.py
python3 tests/e2e/policies_test.py
python3 tests/e2e/names_test.py
python3 tests/e2e/gateway_test.py
python3 tests/e2e/observability_test.py
python3 tests/e2e/monitoring_test.py
python3 tests/e2e/zone_proxies_test.py
python3 tests/e2e/multizone_test.py
python3 tests/e2e/four_zones_test.py
ONCE=1 demo/run.sh
