# make          builds build/bin/{kuma-cp,kuma-dp,kumactl}
# make demo     builds and runs the demo (ONCE=1: goes through its story and ends)
# make test     builds and passes every test, the unit tests under the address sanitizer too
# make check    before a release: test, thread sanitizer, clang, clang-tidy, long fuzzing
# make bench    the benchmarks, with a release build

# Objects are found again by a clone in another folder.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros

.PHONY: all setup demo test unit asan e2e conformance check tsan clang tidy bench fuzz clean
all: release

setup:
	@tools/setup.sh

define build
	@cmake --preset $(1) >build/cmake-$(1).log 2>&1 || { cat build/cmake-$(1).log; exit 1; }
	@cmake --build build/$(1) $(2)
endef

release: setup
	$(call build,release)

demo: release
	@demo/run.sh

test: release unit asan e2e conformance
	@echo "make test: everything passed"

unit: release
	@ctest --test-dir build/release --output-on-failure -j 2 --timeout 300 --repeat until-pass:2

asan: setup
	$(call build,asan)
	@KUMA_SIM_COUNT=100 ctest --test-dir build/asan --output-on-failure -j 2 --timeout 600 --repeat until-pass:2

e2e: release
	@tests/e2e/run.sh

conformance: release
	@tests/conformance.sh

check: test tsan clang tidy fuzz

tsan: setup
	$(call build,tsan)
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp halt_on_error=1" ctest --test-dir build/tsan --output-on-failure -j 2

clang:
	@tools/setup.sh clang-16 libclang-rt-16-dev
	$(call build,clang)
	@ctest --test-dir build/clang --output-on-failure -j 2

tidy: clang
	@tools/tidy.sh

fuzz:
	@tools/setup.sh clang-16 libclang-rt-16-dev
	@tools/fuzz.sh

bench: release
	@bench/run.sh

clean:
	rm -rf build/dev build/release build/asan build/tsan build/clang build/fuzz build/bin
