#!/bin/bash
# The benchmarks, with the release build. `bench/run.sh FOLDER...` runs those of some folders only (xds_gen, net, …);
# BENCH_TIME is how long each of them is measured (0.2s). What crosses processes (simulated proxies, zones) runs when the
# load programs are beside the checkout, with the reference's figures for the same load, which bench/README.md has.
set -eu
cd "$(dirname "$0")/.."
all=$(find src -name '*_bench.cc' -printf '%h\n' | sed 's#^src/##; s#/#_#g' | sort -u)
folders=${*:-$all}
targets=()
for folder in $folders; do
  targets+=("${folder}_bench")
done
cmake --build build/release --target "${targets[@]}" >/dev/null
for target in "${targets[@]}"; do
  echo "== $target"
  build/release/"$target" --benchmark_min_time="${BENCH_TIME:-0.2}" 2>/dev/null
done
[ $# -eq 0 ] || exit 0

echo "== a global and twenty zones with a thousand dataplanes each"
python3 bench/zones.py "$PWD/build/bin/kuma-cp" build/release/kds_bench
echo "== 10,000 idle proxies"
cmake --build build/release --target xds_idle >/dev/null
build/release/xds_idle build/bin/kuma-cp

perf=../shared/perf
if [ ! -d $perf ]; then
  echo "== load: left out, $perf is not beside the checkout"
  exit 0
fi
if command -v go >/dev/null; then
  echo "== 500 proxies, 250 services, 20 outbounds each, mTLS"
  (cd $perf/xdsload && go build -o "$OLDPWD/build/xdsload" .)
  build/xdsload -cp "$PWD/build/bin/kuma-cp" -services 250 -instances 2 -outbounds 20
  echo "== 1,000 proxies, 200 services, each reaches all of them, mTLS"
  build/xdsload -cp "$PWD/build/bin/kuma-cp" -services 200 -instances 5 -outbounds -1
else
  echo "== load of proxies: left out, its program needs go"
fi
echo "== a global and a zone"
python3 $perf/kdsload.py --cp "$PWD/build/bin/kuma-cp"
