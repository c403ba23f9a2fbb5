#!/bin/bash
# The recorded conformance cases against build/bin/kuma-cp; see conformance.py. Without arguments all areas but multizone, which
# is not finished; `tests/conformance.sh policies/ rest/secrets` runs the cases whose name has one of these.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- basics/ rest/ xds/ policies/
exec python3 tests/conformance.py --cp build/bin/kuma-cp "$@"
