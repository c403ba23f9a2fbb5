#!/bin/bash
# Builds Prometheus for the end-to-end tests, with no other discovery than the one this mesh serves (once, some minutes). It
# needs Go: Debian's package is built without `kuma_sd_configs`. Where it can't be had, says so and succeeds: the tests leave
# that part out and say it too.
set -eu
cd "$(dirname "$0")/.."
version=0.316.0  # the module's number of Prometheus 3.16.0
place=$PWD/build/prometheus
[ "$(cat "$place/version" 2>/dev/null)" != $version ] || exit 0
if ! command -v go >/dev/null; then
  echo "setup: no Go, so the real Prometheus is left out of the tests"
  exit 0
fi
mkdir -p "$place"
echo "setup: building Prometheus (module version $version; once, some minutes)"
if CGO_ENABLED=0 GOFLAGS=-modcacherw GOBIN=$place go install -tags remove_all_sd,enable_xds_sd \
  github.com/prometheus/prometheus/cmd/prometheus@v$version >"$place/log" 2>&1; then
  echo $version >"$place/version"
else
  printf 'setup: Prometheus could not be built (%s); the tests leave it out\n' "$(tail -1 "$place/log")"
fi
