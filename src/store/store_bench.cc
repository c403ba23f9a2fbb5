// How fast stores are: `store_bench` prints writes per second, the cost of reads, and the memory of a resource.
#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "benchmark/benchmark.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"
#include "store/testing.h"

namespace kuma::store {
namespace {

constexpr int64_t kMany = 10'000;
const std::string kSpec(400, 's');  // about what a dataplane's spec takes

enum Kind : int64_t { kMemory, kSqlite };

// A store in a folder of its own, with the types that it is made of.
struct Subject {
  explicit Subject(int64_t kind) {
    if (kind == kMemory) {
      store = make_memory_store(types.registry(), system_clock());
    } else {
      store = *open_sqlite_store(types.registry(), system_clock(), folder.path() / "kuma.db");
    }
  }
  void fill(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      (void)store->create(types.dataplane("default", "dataplane-" + std::to_string(i), kSpec));
    }
  }
  TestTypes types;
  TestFolder folder;
  std::unique_ptr<Store> store;
};

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// First, while the heap has no holes: what one more resource of 400 bytes costs in resident memory, its own spec
// included.
void BM_MemoryPerResource(benchmark::State& state) {
  for (auto _ : state) {
    Subject subject(state.range(0));
    ::malloc_trim(0);
    const double before = resident_bytes();
    subject.fill(kMany * 5);
    state.counters["bytes"] = (resident_bytes() - before) / static_cast<double>(kMany * 5);
  }
}
BENCHMARK(BM_MemoryPerResource)
    ->ArgName("sqlite")
    ->Arg(kMemory)
    ->Arg(kSqlite)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// Threads share a store, as requests do.
std::unique_ptr<Subject> shared_subject;

void set_up(const benchmark::State& state) { shared_subject = std::make_unique<Subject>(state.range(0)); }
void tear_down(const benchmark::State&) { shared_subject.reset(); }

void BM_Create(benchmark::State& state) {
  int64_t i = 0;
  for (auto _ : state) {
    const std::string name = "dataplane-" + std::to_string(state.thread_index()) + "-" + std::to_string(i++);
    benchmark::DoNotOptimize(shared_subject->store->create(shared_subject->types.dataplane("default", name, kSpec)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Create)
    ->Setup(set_up)
    ->Teardown(tear_down)
    ->ArgName("sqlite")
    ->Arg(kMemory)
    ->Arg(kSqlite)
    ->Iterations(5'000)
    ->Threads(1)
    ->Threads(8)
    ->UseRealTime();

// Insights are what control planes write most: not synced to the disk one by one.
void BM_UpdateInsight(benchmark::State& state) {
  Subject& subject = *shared_subject;
  const std::string name = "web-" + std::to_string(state.thread_index());
  (void)subject.store->create(subject.types.dataplane("default", name));
  (void)subject.store->create(subject.types.insight("default", name, kSpec));
  model::Resource insight = subject.types.insight("default", name, kSpec);
  for (auto _ : state) {
    ++insight.meta.version;
    benchmark::DoNotOptimize(subject.store->update(insight));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_UpdateInsight)
    ->Setup(set_up)
    ->Teardown(tear_down)
    ->ArgName("sqlite")
    ->Arg(kMemory)
    ->Arg(kSqlite)
    ->Iterations(5'000)
    ->Threads(1)
    ->Threads(8)
    ->UseRealTime();

void BM_Get(benchmark::State& state) {
  Subject subject(kMemory);
  subject.fill(kMany);
  const model::ResourceType& type = subject.types.type("Dataplane");
  int64_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(subject.store->get(type, {"default", "dataplane-" + std::to_string(i++ % kMany)}));
  }
}
BENCHMARK(BM_Get);

void BM_List10000(benchmark::State& state) {
  Subject subject(kMemory);
  subject.fill(kMany);
  for (auto _ : state) {
    benchmark::DoNotOptimize(subject.store->list({.type = &subject.types.type("Dataplane"), .mesh = "default"}));
  }
}
BENCHMARK(BM_List10000)->Unit(benchmark::kMicrosecond);

void BM_PageOf100In10000(benchmark::State& state) {
  Subject subject(kMemory);
  subject.fill(kMany);
  for (auto _ : state) {
    benchmark::DoNotOptimize(subject.store->list(
        {.type = &subject.types.type("Dataplane"), .mesh = "default", .offset = 5'000, .size = 100}));
  }
}
BENCHMARK(BM_PageOf100In10000)->Unit(benchmark::kMicrosecond);

void BM_Open10000(benchmark::State& state) {
  Subject subject(kSqlite);
  subject.fill(kMany);
  for (auto _ : state) {
    subject.store.reset();
    subject.store = *open_sqlite_store(subject.types.registry(), system_clock(), subject.folder.path() / "kuma.db");
  }
}
BENCHMARK(BM_Open10000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kuma::store
