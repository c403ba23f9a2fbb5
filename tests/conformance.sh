#!/bin/bash
# The recorded conformance cases against build/bin/kuma-cp; see conformance.py.
set -eu
cd "$(dirname "$0")/.."
exec python3 tests/conformance.py --cp build/bin/kuma-cp "$@"
