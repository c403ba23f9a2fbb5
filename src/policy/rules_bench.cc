#include "policy/rules.h"

#include "benchmark/benchmark.h"

namespace kuma::policy {
namespace {

const model::ResourceType kType = [] {
  model::ResourceType type;
  type.name = "MeshTest";
  return type;
}();

// One policy whose `from` names so many services, after an item for everybody. Budget: 1,000 in 20 ms.
void From_items_on_one_key(benchmark::State& state) {
  auto policy = std::make_shared<model::Resource>();
  policy->type = &kType;
  std::vector<RuleItem> items = {{{}, {{"action", "Deny"}}, policy}};
  for (int64_t i = 0; i < state.range(0); ++i) {
    items.push_back({{TargetKind::MeshService, fmt::format("service-{}", i), {}}, {{"action", "Allow"}}, policy});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(build_rules(items));
  }
}
BENCHMARK(From_items_on_one_key)->Arg(10)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

// The same without the item for everybody: each service is a component of its own.
void From_items_on_one_key_apart(benchmark::State& state) {
  auto policy = std::make_shared<model::Resource>();
  policy->type = &kType;
  std::vector<RuleItem> items;
  for (int64_t i = 0; i < state.range(0); ++i) {
    items.push_back({{TargetKind::MeshService, fmt::format("service-{}", i), {}}, {{"action", "Allow"}}, policy});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(build_rules(items));
  }
}
BENCHMARK(From_items_on_one_key_apart)->Arg(1000)->Unit(benchmark::kMillisecond);

// So many policies on one proxy, each with an item for everybody and one for a service.
void Policies_on_one_proxy(benchmark::State& state) {
  std::vector<RuleItem> items;
  for (int64_t i = 0; i < state.range(0); ++i) {
    auto policy = std::make_shared<model::Resource>();
    policy->type = &kType;
    policy->meta.name = fmt::format("policy-{:05}", i);
    items.push_back({{}, {{"connectionTimeout", "1s"}, {"http", {{"requestTimeout", "2s"}}}}, policy});
    items.push_back({{TargetKind::MeshService, fmt::format("service-{}", i), {}}, {{"idleTimeout", "1s"}}, policy});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(build_rules(items));
  }
}
BENCHMARK(Policies_on_one_proxy)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

void From_items_with_ten_keys(benchmark::State& state) {
  auto policy = std::make_shared<model::Resource>();
  policy->type = &kType;
  std::vector<RuleItem> items;
  for (int i = 0; i < 10; ++i) {
    items.push_back({{TargetKind::MeshSubset, "", {{fmt::format("key-{}", i), "x"}}}, {{"action", "Allow"}}, policy});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(build_rules(items));
  }
}
BENCHMARK(From_items_with_ten_keys)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kuma::policy
