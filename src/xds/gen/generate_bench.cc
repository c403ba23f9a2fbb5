// How long all proxies of a mesh take to be configured. Budgets: 500 proxies × 20 outbounds in 1–2 s of CPU for everything
// there is to do, 1,000 proxies × 200 services in 8 s; generation is a part of it.

#include "benchmark/benchmark.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

struct Fleet {
  testing::Rig rig;
  std::vector<ProxyInput> proxies;
};

std::string dataplane(int service, int instance, int services, int outbounds, int number) {
  std::string yaml = fmt::format(
      "{{type: Dataplane, mesh: default, name: dp-{0}-{1}, networking: {{address: 10.{2}.{3}.{4}, inbound: [{{port: 80, "
      "servicePort: 8080, tags: {{kuma.io/service: svc-{0}, kuma.io/protocol: http, version: v1}}}}], outbound: [",
      service, instance, number >> 16, number >> 8 & 255, number & 255);
  for (int i = 0; i < outbounds; ++i) {
    yaml += fmt::format("{{port: {}, tags: {{kuma.io/service: svc-{}}}}},", 10000 + i, (service + 1 + i) % services);
  }
  return yaml + "]}}";
}

std::unique_ptr<Fleet> make_fleet(int services, int instances, int outbounds) {
  auto fleet = std::make_unique<Fleet>();
  fleet->rig.put(
      "{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}\n---\n"
      "{type: MeshTrafficPermission, mesh: default, name: all, spec: {targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, "
      "default: {action: Allow}}]}}");
  for (int service = 0; service < services; ++service) {
    for (int instance = 0; instance < instances; ++instance) {
      fleet->rig.put(dataplane(service, instance, services, outbounds, service * instances + instance + 1));
      fleet->proxies.push_back(testing::Rig::input(fmt::format("dp-{}-{}", service, instance)));
    }
  }
  return fleet;
}

void Connect(benchmark::State& state) {
  int services = static_cast<int>(state.range(0)), instances = static_cast<int>(state.range(1));
  auto fleet = make_fleet(services, instances, static_cast<int>(state.range(2)));
  for (auto _ : state) {
    Interner interner;
    SharedPieces pieces;
    std::vector<Generation> generations;
    for (const ProxyInput& proxy : fleet->proxies) {
      generations.push_back(*generate(*fleet->rig.builder.find("default"), proxy, {.interner = interner, .pieces = &pieces}));
    }
    state.counters["resources"] = static_cast<double>(interner.size());
  }
}
BENCHMARK(Connect)->Args({250, 2, 20})->Args({200, 5, 200})->Unit(benchmark::kMillisecond);

// All proxies again after a change that concerns them but leaves their resources as they were.
void Again(benchmark::State& state) {
  int services = static_cast<int>(state.range(0)), instances = static_cast<int>(state.range(1));
  auto fleet = make_fleet(services, instances, static_cast<int>(state.range(2)));
  std::vector<Generation> held;
  for (const ProxyInput& proxy : fleet->proxies) {
    held.push_back(*fleet->rig.generate(proxy));
  }
  for (auto _ : state) {
    for (size_t i = 0; i < held.size(); ++i) {
      held[i] = *fleet->rig.generate(fleet->proxies[i]);
    }
  }
}
BENCHMARK(Again)->Args({250, 2, 20})->Args({200, 5, 200})->Unit(benchmark::kMillisecond);

// A policy for everybody changes: all clusters and listeners are other ones.
void Policy(benchmark::State& state) {
  int services = static_cast<int>(state.range(0)), instances = static_cast<int>(state.range(1));
  auto fleet = make_fleet(services, instances, static_cast<int>(state.range(2)));
  std::vector<Generation> held(fleet->proxies.size());
  int timeout = 1;
  for (auto _ : state) {
    fleet->rig.put(fmt::format("{{type: Timeout, mesh: default, name: all, sources: [{{match: {{kuma.io/service: '*'}}}}], "
                               "destinations: [{{match: {{kuma.io/service: '*'}}}}], conf: {{connectTimeout: {}s}}}}",
                               timeout++));
    for (size_t i = 0; i < held.size(); ++i) {
      held[i] = *fleet->rig.generate(fleet->proxies[i]);
    }
  }
}
BENCHMARK(Policy)->Args({250, 2, 20})->Unit(benchmark::kMillisecond);

// One dataplane comes and goes in a mesh of so many: the view that follows.
void View(benchmark::State& state) {
  auto fleet = make_fleet(static_cast<int>(state.range(0)), 5, 1);
  for (auto _ : state) {
    state.PauseTiming();
    auto come = fleet->rig.store.put(dataplane(3, 99, 10, 1, 9999));
    state.ResumeTiming();
    fleet->rig.builder.apply(come);
    state.PauseTiming();
    auto go = fleet->rig.store.remove("Dataplane", "default", "dp-3-99");
    state.ResumeTiming();
    fleet->rig.builder.apply(go);
  }
}
BENCHMARK(View)->Arg(200)->Arg(4000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kuma::xds
