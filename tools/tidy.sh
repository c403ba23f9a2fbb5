#!/bin/bash
# clang-tidy over our own sources, with the compile commands of the clang preset.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh clang-tidy-16
run-clang-tidy-16 -quiet -p build/clang -j "$(nproc)" "$PWD/(src|apps)/.*\.cc" 2>/dev/null | grep -E 'warning:|error:' | sort -u >build/tidy.txt || true
if [ -s build/tidy.txt ]; then
  cat build/tidy.txt
  exit 1
fi
echo "clang-tidy: nothing found"
