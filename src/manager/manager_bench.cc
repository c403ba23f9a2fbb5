#include <benchmark/benchmark.h>

#include <filesystem>

#include "manager/initial_resources.h"
#include "manager/testing.h"
#include "manager/token_issuer.h"
#include "manager/token_validator.h"
#include "store/sqlite_store.h"

namespace kuma::manager {
namespace {

// Until the control plane can say that it is ready: the mesh `default` and its policies on disk, keys not yet.
void First_start_on_sqlite(benchmark::State& state) {
  const model::Registry registry = testing::all_types();
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "kuma_manager_bench";
  for (auto _ : state) {
    state.PauseTiming();
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    ManualClock clock;
    security::testing::ManualExecutor executor;
    state.ResumeTiming();
    auto store = store::open_sqlite_store(registry, clock, folder / "kuma.db");
    security::KeyPool keys(executor);
    PendingSecrets pending;
    ResourceManager manager({registry, **store, keys, pending, clock}, {});
    InitialResources initial({registry, **store, manager, keys, pending, clock}, {});
    benchmark::DoNotOptimize(initial.ensure());
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(First_start_on_sqlite)->Unit(benchmark::kMillisecond)->Iterations(10);

// What each DiscoveryRequest of a proxy costs before anything else.
void Check_dataplane_token(benchmark::State& state) {
  testing::ManagerHarness harness;
  benchmark::DoNotOptimize(harness.initial->ensure());
  harness.executor->run_all();
  benchmark::DoNotOptimize(harness.put(
      "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
      "{kuma.io/service: web}}]}}"));
  const TokenIssuer issuer(harness.manager->secrets(), *harness.pending, harness.clock);
  TokenValidator validator(harness.manager->secrets(), *harness.memory, harness.clock, {});
  const std::string token =
      *issuer.dataplane({.mesh = "default", .tags = {{"kuma.io/service", {"web"}}}}, std::chrono::hours(1));
  const model::ResourcePtr dataplane = harness.find("Dataplane", {"default", "web-1"});
  for (auto _ : state) {
    benchmark::DoNotOptimize(validator.check_dataplane(token, *dataplane));
  }
}
BENCHMARK(Check_dataplane_token)->Unit(benchmark::kMicrosecond);

void Write_dataplane(benchmark::State& state) {
  testing::ManagerHarness harness;
  benchmark::DoNotOptimize(harness.initial->ensure());
  const auto document = model::from_rest(
      harness.registry, *parse_yaml("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: "
                                    "[{port: 80, tags: {kuma.io/service: web}}]}}"));
  benchmark::DoNotOptimize(harness.manager->create(document->resource));
  model::Resource resource = document->resource;
  for (auto _ : state) {
    ++resource.meta.version;
    benchmark::DoNotOptimize(harness.manager->update(resource));
  }
}
BENCHMARK(Write_dataplane)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kuma::manager
