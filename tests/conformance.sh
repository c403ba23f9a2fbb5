#!/bin/bash
# The recorded conformance cases against build/bin/kuma-cp; see conformance.py. Without arguments the areas that are built;
# `tests/conformance.sh cases/` runs every case there is.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- basics/ xds/inbounds-outbounds/ xds/protocols/ xds/mtls/ xds/bootstrap/ xds/changes/
exec python3 tests/conformance.py --cp build/bin/kuma-cp "$@"
