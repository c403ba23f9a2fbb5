#!/bin/bash
# Runs each fuzz target for SECONDS_EACH (default 60) from its corpus in tests/fuzz.
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++-16 -DKUMA_FUZZ=ON \
  -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1 -fsanitize=fuzzer-no-link,address,undefined" >build/cmake-fuzz.log 2>&1 || { cat build/cmake-fuzz.log; exit 1; }
targets=$(cd tests/fuzz && ls *_fuzz.cc | sed 's/\.cc$//')
cmake --build build/fuzz --target $targets
for target in $targets; do
  echo "fuzzing $target for $seconds s"
  mkdir -p build/fuzz/corpus/$target tests/fuzz/corpus/$target
  build/fuzz/$target -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 \
    build/fuzz/corpus/$target tests/fuzz/corpus/$target 2>&1 | tail -3
done
