#include <cstdlib>
#include <future>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "benchmark/benchmark.h"
#include "base/json.h"
#include "kds/grpc_link.h"
#include "kds/zone.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "model/rest.h"
#include "net/worker_pool.h"
#include "policy/policy.h"
#include "store/memory_store.h"

// Twenty zones with a thousand dataplanes each, played on our client side against the global at KUMA_BENCH_KDS_PORT of this host;
// bench/zones.py starts one and says what it needed. Reports seconds until everything is acknowledged on both sides, and
// milliseconds from a write in one zone until all others have it.
namespace kuma::kds {
namespace {

using namespace std::chrono_literals;

constexpr size_t kZones = 20;
constexpr size_t kDataplanes = 1000;
constexpr int kChanges = 20;
constexpr auto kPatience = 120s;

double seconds_since(MonotonicTime start) { return std::chrono::duration<double>(system_clock().monotonic_now() - start).count(); }

// False after kPatience.
bool wait_for(const std::function<bool()>& condition) {
  const MonotonicTime start = system_clock().monotonic_now();
  while (!condition()) {
    if (system_clock().monotonic_now() - start > kPatience) {
      return false;
    }
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

model::Registry all_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

model::Resource make(const model::Registry& registry, std::string_view yaml) { return model::from_rest(registry, *parse_yaml(yaml))->resource; }

struct PlayedZone {
  PlayedZone(const model::Registry& registry, net::Loop& loop, net::WorkerPool& workers, const net::ChannelOptions& channel, size_t number)
      : name(fmt::format("zone-{}", number)), store(store::make_memory_store(registry, system_clock())), executor(loop) {
    for (size_t i = 0; i < kDataplanes; ++i) {
      (void)store->create(make(registry, fmt::format(
          "{{type: Dataplane, mesh: default, name: dp-{}, networking: {{address: 10.{}.{}.{}, inbound: [{{port: 80, tags: {{kuma.io/service: svc-{}, "
          "kuma.io/protocol: http, kuma.io/zone: {}}}}}]}}}}", i, number, i / 256, i % 256, i % 50, name)));
    }
    ingress = make(registry, "{type: ZoneIngress, name: in, networking: {address: 10.0.0.1, port: 1, advertisedAddress: 10.0.0.1, advertisedPort: 1}}");
    ingress = **store->create(ingress);
    zone = std::make_unique<Zone>(
        Zone::Parts{.registry = registry, .store = *store, .clock = system_clock(), .executor = loop, .workers = workers, .connect = make_connect(loop, channel),
                    .fetch_page = [](const model::ResourcePtr&, const std::string&, const PageDone& done) { done(""); }, .random = [] { return 0.5; }},
        Zone::Options{.name = name, .instance_id = name, .node = {.version = "2.5.11", .config = "{}"}});
  }
  // On the loop's thread: a zone's state belongs to it.
  bool is_settled() const {
    std::promise<bool> settled;
    executor.post([&] { settled.set_value(zone->is_settled()); });
    return settled.get_future().get();
  }
  bool has_ingress_of(const model::Registry& registry, const std::string& other, uint32_t port) const {
    const auto stored = store->get(*registry.find("ZoneIngress"), {"", other + ".in"});
    return stored.ok() && (*stored)->as<mesh::v1alpha1::ZoneIngress>().networking().port() == port;
  }
  void move_ingress(uint32_t port) {
    auto spec = std::make_shared<mesh::v1alpha1::ZoneIngress>(ingress.as<mesh::v1alpha1::ZoneIngress>());
    spec->mutable_networking()->set_port(port);
    ingress.message = spec;
    ingress = **store->update(ingress);
  }

  const std::string name;
  std::unique_ptr<store::Store> store;
  net::Loop& executor;
  model::Resource ingress;
  std::unique_ptr<Zone> zone;
};

void BM_TwentyZonesOfAThousandDataplanes(benchmark::State& state) {
  const char* port = std::getenv("KUMA_BENCH_KDS_PORT");
  if (port == nullptr) {
    state.SkipWithError("left out: KUMA_BENCH_KDS_PORT is not set; see bench/zones.py");
    return;
  }
  set_log_level("off");
  const model::Registry registry = all_types();
  net::ChannelOptions channel{.host = "127.0.0.1", .port = static_cast<uint16_t>(std::atoi(port)), .tls = *net::make_tls_client({.verify = false})};
  for (auto unused : state) {
    net::Loops loops(1);
    net::WorkerPool workers(1);
    std::vector<std::unique_ptr<PlayedZone>> zones;
    for (size_t i = 0; i < kZones; ++i) {
      zones.push_back(std::make_unique<PlayedZone>(registry, loops.at(0), workers, channel, i));
    }
    const MonotonicTime start = system_clock().monotonic_now();
    for (const auto& zone : zones) {
      zone->zone->start();
    }
    const auto has_all = [&](const auto& zone) {
      return zone->is_settled() && zone->store->list({.type = registry.find("ZoneIngress")}).items.size() == kZones;
    };
    bool ok = wait_for([&] { return std::all_of(zones.begin(), zones.end(), has_all); });
    state.counters["sync_s"] = seconds_since(start);
    std::vector<double> took;
    for (uint32_t change = 0; change < kChanges && ok; ++change) {
      const PlayedZone& from = *zones[change % kZones];
      const MonotonicTime written = system_clock().monotonic_now();
      zones[change % kZones]->move_ingress(100 + change);
      ok = wait_for([&] {
        return std::all_of(zones.begin(), zones.end(), [&](const auto& zone) { return zone.get() == &from || zone->has_ingress_of(registry, from.name, 100 + change); });
      });
      took.push_back(1000 * seconds_since(written));
    }
    if (!ok) {
      state.SkipWithError("not everything arrived within two minutes");
    } else {
      std::sort(took.begin(), took.end());
      state.counters["change_ms_median"] = took[took.size() / 2];
      state.counters["change_ms_worst"] = took.back();
    }
    workers.stop();
    std::promise<void> stopped;
    loops.at(0).post([&] {
      for (const auto& zone : zones) {
        zone->zone->stop();
      }
      stopped.set_value();
    });
    stopped.get_future().get();
    loops.stop();
  }
}
BENCHMARK(BM_TwentyZonesOfAThousandDataplanes)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace kuma::kds
