#include <benchmark/benchmark.h>

#include "insight/mesh_counts.h"
#include "model/rest.h"

// Keeping a mesh of 20,000 dataplanes counted: one more status of a proxy, and making the two insights anew.
namespace kuma::insight {
namespace {

struct Mesh {
  Mesh() {
    for (int i = 0; i < 20'000; ++i) {
      apply(
          nullptr,
          fmt::format(R"({{"type": "Dataplane", "mesh": "m", "name": "web-{:05}", "networking": {{"address": "10.0.0.1",
        "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "web-{}"}}}}]}}}})",
                      i, i % 250));
      insights.push_back(apply(nullptr, insight(i)));
    }
  }
  static std::string insight(int i) {
    return fmt::format(R"({{"type": "DataplaneInsight", "mesh": "m", "name": "web-{:05}", "subscriptions": [{{"id": "1",
      "connectTime": "2023-01-01T00:00:00Z", "version": {{"kumaDp": {{"version": "2.5.11"}}, "envoy": {{"version": "1.28.7"}}}}}}],
      "mTLS": {{"issuedBackend": "ca-1", "supportedBackends": ["ca-1"]}}}})",
                       i);
  }
  model::ResourcePtr apply(model::ResourcePtr before, const std::string& document) {
    auto after =
        std::make_shared<model::Resource>(model::from_rest(registry, parse_json(document).value()).value().resource);
    counts.apply({.before = std::move(before), .after = after});
    return after;
  }
  model::Registry registry{model::core_types()};
  MeshCounts counts;
  std::vector<model::ResourcePtr> insights;
};

Mesh& mesh() {
  static Mesh one;
  return one;
}

void Count_one_status(benchmark::State& state) {
  size_t i = 0;
  for (auto _ : state) {
    const model::ResourcePtr& insight = mesh().insights[i++ % mesh().insights.size()];
    mesh().counts.apply({.before = insight, .after = insight});
  }
}

void Make_both_insights(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(mesh().counts.mesh_insight());
    benchmark::DoNotOptimize(mesh().counts.service_insight());
  }
}

BENCHMARK(Count_one_status);
BENCHMARK(Make_both_insights);

}  // namespace
}  // namespace kuma::insight
