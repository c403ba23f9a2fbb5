#!/bin/bash
# The recorded conformance cases against build/bin/kuma-cp; see conformance.py. Without arguments every case there is;
# `tests/conformance.sh policies/ rest/secrets` runs those whose name has one of these.
set -eu
cd "$(dirname "$0")/.."
exec python3 tests/conformance.py --cp build/bin/kuma-cp "$@"
