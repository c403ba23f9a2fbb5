#include <benchmark/benchmark.h>

#include "api/testing.h"

// What a request costs from the parsed head to the finished answer, without sockets, in a mesh of 20,000 dataplanes.
namespace kuma::api {
namespace {

struct Mesh : testing::ApiHarness {
  Mesh() {
    deps_hook = [this](ApiDeps& deps) { deps.metrics = &metrics; };
    stored(R"({"type": "Mesh", "name": "default"})");
    for (int i = 0; i < 20'000; ++i) {
      stored(fmt::format(
          R"({{"type": "Dataplane", "mesh": "default", "name": "web-{:05}", "networking": {{"address": "10.0.0.1",
        "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "web-{}", "kuma.io/protocol": "http", "version": "v1"}}}}],
        "outbound": [{{"port": 5000, "tags": {{"kuma.io/service": "backend"}}}}]}}}})",
          i, i % 100));
    }
  }
  observe::Metrics metrics;
};

Mesh& mesh() {
  static Mesh one;
  return one;
}

void run(benchmark::State& state, const char* target) {
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = mesh().get(target).body.size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

void Get_one_dataplane(benchmark::State& state) { run(state, "/meshes/default/dataplanes/web-00777"); }
void Get_one_overview(benchmark::State& state) { run(state, "/meshes/default/dataplanes/web-00777/_overview"); }
void Get_an_absent_one(benchmark::State& state) { run(state, "/meshes/default/dataplanes/none"); }
void List_a_page_of_100(benchmark::State& state) { run(state, "/meshes/default/dataplanes?offset=10000"); }
void List_by_tag(benchmark::State& state) {
  run(state, "/meshes/default/dataplanes?tag=kuma.io/service:web-42&size=10");
}
void Unknown_path(benchmark::State& state) { run(state, "/nothing/here"); }

BENCHMARK(Get_one_dataplane);
BENCHMARK(Get_one_overview);
BENCHMARK(Get_an_absent_one);
BENCHMARK(List_a_page_of_100);
BENCHMARK(List_by_tag);
BENCHMARK(Unknown_path);

}  // namespace
}  // namespace kuma::api
