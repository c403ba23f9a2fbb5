#!/bin/bash
# What needs real processes: kuma-dp with a real Envoy and a control plane that is played, then the demo's whole story.
set -eu
cd "$(dirname "$0")/../.."
python3 tests/e2e/dp_test.py
ONCE=1 demo/run.sh
