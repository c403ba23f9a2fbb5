// How long all proxies of a mesh take to be configured. Budgets: 500 proxies × 20 outbounds in 1–2 s of CPU for everything
// there is to do, 1,000 proxies × 200 services in 8 s; generation is a part of it.

#include "benchmark/benchmark.h"
#include "xds/gen/refresh.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

struct Fleet {
  explicit Fleet(mesh::ViewOptions options = {}) : rig(std::move(options)) {}

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

// Services in a row; each is let into the next `reached` ones. Proxies find them by name.
std::unique_ptr<Fleet> make_transparent_fleet(int services, int instances, bool auto_reachable, int reached) {
  auto fleet = std::make_unique<Fleet>(mesh::ViewOptions{.zone = "", .read_file = nullptr, .auto_reachable = auto_reachable});
  fleet->rig.put("{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  std::vector<std::string> names;
  for (int service = 0; service < services; ++service) {
    names.push_back(fmt::format("svc-{}", service));
    std::string from;
    for (int i = 1; i <= reached; ++i) {
      from += fmt::format("{{targetRef: {{kind: MeshService, name: svc-{}}}, default: {{action: Allow}}}},", (service + i) % services);
    }
    fleet->rig.put(fmt::format("{{type: MeshTrafficPermission, mesh: default, name: p-{0}, spec: {{targetRef: {{kind: MeshService, name: svc-{0}}}, from: "
                               "[{1}]}}}}",
                               service, from));
    for (int instance = 0; instance < instances; ++instance) {
      const int number = service * instances + instance + 1;
      fleet->rig.put(fmt::format("{{type: Dataplane, mesh: default, name: dp-{0}-{1}, networking: {{address: 10.0.{2}.{3}, inbound: [{{port: 80, servicePort: "
                                 "8080, tags: {{kuma.io/service: svc-{0}, kuma.io/protocol: http}}}}], transparentProxying: {{redirectPortInbound: 15006, "
                                 "redirectPortOutbound: 15001}}}}}}",
                                 service, instance, number >> 8, number & 255));
      fleet->proxies.push_back(testing::Rig::input(fmt::format("dp-{}-{}", service, instance)));
      fleet->proxies.back().metadata.dns_port = 15053;
      fleet->proxies.back().metadata.dns_empty_port = 15055;
    }
  }
  fleet->rig.put_vips("default", names);
  return fleet;
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

// The same with a targetRef policy, whose rules are for everybody.
void TargetRefPolicy(benchmark::State& state) {
  int services = static_cast<int>(state.range(0)), instances = static_cast<int>(state.range(1));
  auto fleet = make_fleet(services, instances, static_cast<int>(state.range(2)));
  std::vector<Generation> held(fleet->proxies.size());
  int timeout = 1;
  for (auto _ : state) {
    fleet->rig.put(fmt::format("{{type: MeshTimeout, mesh: default, name: all, spec: {{targetRef: {{kind: Mesh}}, to: [{{targetRef: {{kind: Mesh}}, "
                               "default: {{connectionTimeout: {}s}}}}]}}}}",
                               timeout++));
    for (size_t i = 0; i < held.size(); ++i) {
      held[i] = *fleet->rig.generate(fleet->proxies[i]);
    }
  }
}
BENCHMARK(TargetRefPolicy)->Args({250, 2, 20})->Args({200, 5, 200})->Unit(benchmark::kMillisecond);

// What a proxy is sent in a mesh of 200 services with names for all, without and with automatic reachability (each service may
// call ten): clusters, listeners and bytes per proxy.
void Names(benchmark::State& state) {
  auto fleet = make_transparent_fleet(200, 5, state.range(0) != 0, 10);
  for (auto _ : state) {
    Interner interner;
    SharedPieces pieces;
    std::vector<Generation> generations;
    size_t bytes = 0, clusters = 0, listeners = 0;
    for (const ProxyInput& proxy : fleet->proxies) {
      generations.push_back(*generate(*fleet->rig.builder.find("default"), proxy, {.interner = interner, .pieces = &pieces}));
      clusters += generations.back().resources[static_cast<size_t>(XdsType::Cluster)].size();
      listeners += generations.back().resources[static_cast<size_t>(XdsType::Listener)].size();
      for (const auto& resources : generations.back().resources) {
        for (const GeneratedResource& resource : resources) {
          bytes += resource.wire->any->size();
        }
      }
    }
    const auto count = static_cast<double>(generations.size());
    state.counters["clusters/proxy"] = static_cast<double>(clusters) / count;
    state.counters["listeners/proxy"] = static_cast<double>(listeners) / count;
    state.counters["bytes/proxy"] = static_cast<double>(bytes) / count;
  }
}
BENCHMARK(Names)->ArgName("auto")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

// What follows a change at 1,000 proxies that have names of 200 services: the next view, who is concerned, and their
// configurations. Budget: 0.5 s of CPU.
struct Held {
  std::shared_ptr<const Generation> generation;
  std::vector<WireResourcePtr> endpoints;
  std::unique_ptr<EndpointRefresh> refresh;
};

Held hold(Fleet& fleet, const ProxyInput& proxy) {
  auto generation = std::make_shared<const Generation>(*fleet.rig.generate(proxy));
  Held held{generation, {}, std::make_unique<EndpointRefresh>(*fleet.rig.builder.find("default"), proxy, generation)};
  for (const GeneratedResource& resource : generation->resources[static_cast<size_t>(XdsType::Endpoint)]) {
    held.endpoints.push_back(resource.wire);
  }
  return held;
}

void follow(Fleet& fleet, const std::vector<mesh::MeshUpdate>& updates, std::vector<Held>& held) {
  for (size_t i = 0; i < held.size(); ++i) {
    for (const mesh::MeshUpdate& update : updates) {
      if (!concerns(update.change, *update.view, fleet.proxies[i].key, held[i].generation.get(), &fleet.rig.pieces)) {
        continue;
      }
      auto next = held[i].refresh->refresh(*update.view, held[i].endpoints, {.interner = fleet.rig.interner, .pieces = &fleet.rig.pieces});
      if (next) {
        held[i].endpoints = *std::move(next);
      } else {
        held[i] = hold(fleet, fleet.proxies[i]);
      }
    }
  }
}

void NamesChange(benchmark::State& state) {
  auto fleet = make_transparent_fleet(200, 5, state.range(0) != 0, 10);
  std::vector<Held> held;
  for (const ProxyInput& proxy : fleet->proxies) {
    held.push_back(hold(*fleet, proxy));
  }
  int port = 100;
  for (auto _ : state) {
    follow(*fleet,
           fleet->rig.put(fmt::format("{{type: Dataplane, mesh: default, name: dp-7-0, networking: {{address: 10.9.9.9, inbound: [{{port: {}, servicePort: 8080, "
                                      "tags: {{kuma.io/service: svc-7, kuma.io/protocol: http}}}}]}}}}",
                                      ++port)),
           held);
  }
}
BENCHMARK(NamesChange)->ArgName("auto")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

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
