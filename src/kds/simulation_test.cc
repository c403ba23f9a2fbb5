#include "kds/simulation.h"

#include <cstdlib>

#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "base/log.h"
#include "insight/status.h"
#include "system/v1alpha1/zone.pb.h"

namespace kuma::kds::simulation {

class Cluster::SimulatedConnection final : public Connection {
 public:
  SimulatedConnection(Cluster& cluster, ZoneProcess& zone) : cluster_(cluster), zone_(zone) {}
  ~SimulatedConnection() override {
    for (Stream* stream : mine_) {
      stream->cut = true;
      Stream::hang_up(stream->client, absl::CancelledError("closed"));
      cluster_.world.at(cluster_.world.between(0ms, 60ms), [stream] { Stream::hang_up(stream->server, absl::CancelledError("the client went away")); });
    }
  }
  void open(std::string rpc, Metadata metadata, SessionFactory make_session) override {
    zone_.streams.push_back(std::make_unique<Stream>(cluster_.world, cluster_.duplicates));
    Stream* stream = zone_.streams.back().get();
    mine_.push_back(stream);
    stream->client.session = make_session(stream->client);
    const auto delay = cluster_.world.between(1ms, 60ms);
    stream->server.arrives = cluster_.world.clock.monotonic_now() + delay;
    cluster_.world.at(delay, [this_cluster = &cluster_, stream, rpc = std::move(rpc), metadata = std::move(metadata)] {
      if (stream->cut) {
        return;
      }
      Global* global = this_cluster->global.global.get();
      auto session = global == nullptr ? absl::UnavailableError("connection refused") : global->open(rpc, metadata, stream->server);
      if (session.ok()) {
        stream->server.session = *std::move(session);
      } else {
        stream->close(session.status(), 0ms);
      }
    });
  }
  void call(std::string, Metadata metadata, std::string, std::function<void(const absl::Status&, std::string)> done) override {
    cluster_.world.at(50ms, [cluster = &cluster_, metadata = std::move(metadata), done = std::move(done), alive = std::weak_ptr(zone_.alive)] {
      if (alive.lock() == nullptr) {
        return;
      }
      const auto status = cluster->global.global == nullptr ? absl::UnavailableError("connection refused") : cluster->global.global->on_health_check(metadata).status();
      done(status, "");
    });
  }

 private:
  Cluster& cluster_;
  ZoneProcess& zone_;
  std::vector<Stream*> mine_;
};

Cluster::Cluster(uint64_t seed, const model::Registry& r, Protocol p, size_t count) : world(seed), registry(r), protocol(p), global(world, r, "global") {
  for (size_t i = 0; i < count; ++i) {
    zones.push_back(std::make_unique<ZoneProcess>(world, r, fmt::format("zone-{}", i)));
  }
  start_global();
  for (size_t i = 0; i < count; ++i) {
    start_zone(i);
  }
}

Cluster::~Cluster() {
  for (size_t i = 0; i < zones.size(); ++i) {
    kill_zone(i, Disk::Kept);
  }
  kill_global(Disk::Kept);
}

void Cluster::start_global() {
  if (global.global != nullptr) {
    return;
  }
  global.start_threads();
  ++global.starts;
  global.key_executor = std::make_unique<security::testing::ManualExecutor>();
  global.pending = std::make_unique<manager::PendingSecrets>();
  global.keys = std::make_unique<security::KeyPool>(*global.key_executor, security::KeyPoolLimits{.ready_count = 0},
                                                    []() -> absl::StatusOr<security::PrivateKey> { return security::testing::rsa_key(); });
  global.manager = std::make_unique<manager::ResourceManager>(
      manager::ResourceManager::Parts{registry, *global.flaky, *global.keys, *global.pending, global.clock}, manager::Options{.mode = manager::Mode::Global});
  global.global = std::make_unique<Global>(
      Global::Parts{.registry = registry, .store = *global.flaky, .manager = *global.manager, .clock = global.clock, .executor = *global.executor,
                    .workers = *global.workers, .metrics = nullptr, .make_id = [this] { return fmt::format("id-{}", ++last_id_); }, .authenticate = {}},
      Global::Options{.instance_id = fmt::format("global-{}", global.starts), .version = "1", .nack_backoff = 1s, .answer_timeout = 20s,
                      .insights = {.instance_id = fmt::format("global-{}", global.starts), .flush_interval = 2s, .version = "1"}});
  global.global->start();
}

void Cluster::kill_global(Disk how) {
  if (global.global == nullptr) {
    return;
  }
  global.alive.reset();
  for (const auto& zone : zones) {
    for (const auto& stream : zone->streams) {
      if (stream->server.session != nullptr) {
        stream->close(absl::UnavailableError("the global has died"), 0ms);
        Stream::hang_up(stream->server, absl::UnavailableError("the process has died"));
      }
    }
  }
  global.stop_threads();
  global.global.reset();
  global.executor.reset();
  global.workers.reset();
  global.treat(how);
}

void Cluster::start_zone(size_t index) {
  ZoneProcess& process = *zones[index];
  if (process.zone != nullptr) {
    return;
  }
  process.start_threads();
  ++process.starts;
  process.zone = std::make_unique<Zone>(
      Zone::Parts{.registry = registry, .store = *process.flaky, .clock = process.clock, .executor = *process.executor, .workers = *process.workers,
                  .connect = [this, &process] { return std::make_unique<SimulatedConnection>(*this, process); },
                  .fetch_page = [](const model::ResourcePtr&, const std::string&, const PageDone& done) { done(absl::UnavailableError("no Envoy here")); },
                  .random = [this] { return std::uniform_real_distribution<double>(0, 1)(world.random); }},
      Zone::Options{.name = process.name, .instance_id = fmt::format("{}-{}", process.name, process.starts), .node = {.version = "1", .config = "{}"},
                    .delta = protocol == Protocol::Delta, .nack_backoff = 1s, .answer_timeout = 20s});
  process.zone->start();
}

void Cluster::kill_zone(size_t index, Disk how) {
  ZoneProcess& process = *zones[index];
  if (process.zone == nullptr) {
    return;
  }
  process.alive.reset();
  process.stop_threads();
  process.zone.reset();
  process.executor.reset();
  process.workers.reset();
  process.treat(how);
}

void Cluster::cut(size_t index, bool half_open) {
  for (const auto& stream : zones[index]->streams) {
    if (!stream->cut) {
      stream->close(absl::UnavailableError("connection reset by peer"), half_open ? 30s : 0s);
    }
  }
}

model::Resource Cluster::make(const Process& process, std::string_view type_name, model::ResourceKey key) {
  const model::ResourceType& type = *registry.find(type_name);
  const std::string value = fmt::format("{}", world.pick(1000));
  if (type_name == "MeshTimeout") {
    model::Resource resource;
    resource.type = &type;
    resource.meta.mesh = key.mesh;
    resource.meta.name = key.name;
    resource.spec = json::object{{"targetRef", json::object{{"kind", "MeshService"}, {"name", value}}}};
    return resource;
  }
  std::unique_ptr<google::protobuf::Message> spec(type.prototype->New());
  if (auto* mesh = dynamic_cast<mesh::v1alpha1::Mesh*>(spec.get())) {
    mesh->mutable_mtls()->set_enabledbackend(value);
  } else if (auto* dataplane = dynamic_cast<mesh::v1alpha1::Dataplane*>(spec.get())) {
    dataplane->mutable_networking()->set_address("10.0.0." + value);
    (*dataplane->mutable_networking()->add_inbound()->mutable_tags())["kuma.io/zone"] = process.name;
  } else if (auto* insight = dynamic_cast<mesh::v1alpha1::DataplaneInsight*>(spec.get())) {
    insight->add_subscriptions()->set_id(value);
  } else if (auto* ingress = dynamic_cast<mesh::v1alpha1::ZoneIngress*>(spec.get())) {
    ingress->mutable_networking()->set_address("10.0.0." + value);
  }
  return model::make_resource(type, std::move(key), std::move(spec));
}

void Cluster::put(Process& process, std::string_view type, model::ResourceKey key) {
  model::Resource resource = make(process, type, key);
  if (const auto stored = process.disk->get(*resource.type, key); stored.ok()) {
    resource.meta.version = (*stored)->meta.version;
    (void)process.disk->update(std::move(resource));
  } else {
    (void)process.disk->create(std::move(resource));
  }
}

void Cluster::drop(Process& process, std::string_view type, model::ResourceKey key) { (void)process.disk->remove(*registry.find(type), key); }

void Cluster::write_something(Process& process, bool is_global) {
  const std::string name = fmt::format("r{}", world.pick(6));
  const bool remove = world.chance(0.3);
  const auto apply = [&](std::string_view type, const model::ResourceKey& key) { remove ? drop(process, type, key) : put(process, type, key); };
  switch (world.pick(3)) {
    case 0:
      return is_global ? apply("Mesh", {"", name}) : apply("ZoneIngress", {"", name});
    case 1:
      return is_global ? apply("MeshTimeout", {"default", name}) : apply("DataplaneInsight", {"default", name});
    default:
      return is_global ? apply("Secret", {"default", name}) : apply("Dataplane", {"default", name});
  }
}

void Cluster::act() {
  const size_t index = world.pick(zones.size());
  const uint64_t dice = world.pick(100);
  const auto any_disk = [this] { return world.chance(0.6) ? Disk::Kept : world.chance(0.5) ? Disk::Lost : Disk::Restored; };
  if (world.chance(0.1)) {
    (world.chance(0.5) ? static_cast<Process&>(global) : *zones[index]).back_up();
  }
  if (dice < 35) {
    write_something(global, true);
  } else if (dice < 70) {
    write_something(*zones[index], false);
  } else if (dice < 78) {
    cut(index, world.chance(0.3));
  } else if (dice < 84) {
    kill_zone(index, any_disk());
    world.at(world.between(0ms, 3000ms), [this, index] { start_zone(index); });
  } else if (dice < 86) {
    kill_global(any_disk());
    world.at(world.between(0ms, 3000ms), [this] { start_global(); });
  } else if (dice < 94) {
    Process& process = world.chance(0.3) ? static_cast<Process&>(global) : *zones[index];
    process.flaky->full = !process.flaky->full;
  } else {
    const auto zone = global.disk->get(*registry.find("Zone"), {"", zones[index]->name});
    if (zone.ok()) {
      model::Resource changed = **zone;
      auto spec = std::make_shared<system::v1alpha1::Zone>();
      spec->mutable_enabled()->set_value(world.chance(0.6));
      changed.message = spec;
      (void)global.disk->update(std::move(changed));
    }
  }
}

void Cluster::calm() {
  start_global();
  global.flaky->full = false;
  for (size_t i = 0; i < zones.size(); ++i) {
    start_zone(i);
    zones[i]->flaky->full = false;
  }
}

// What `consumer` must have of what `provider` offers, computed the slow and obvious way.
void Cluster::compare(const Process& provider, Side side, const std::string& zone, const Process& consumer, std::vector<std::string>& out) const {
  const Side other = side == Side::Global ? Side::Zone : Side::Global;
  const ReceiverRules receiver{.side = other, .zone = zone};
  for (const model::ResourceType* type : provided_types(registry, side)) {
    std::map<std::string, std::string> want, have;
    for (const auto& resource : provider.disk->list({.type = type}).items) {
      const auto outgoing = to_outgoing({.side = side, .zone = zone}, resource);
      if (!outgoing.ok() || !*outgoing) {
        continue;
      }
      if (const std::string& origin = (*outgoing)->origin_zone; !origin.empty()) {
        const auto origin_zone = provider.disk->get(*registry.find("Zone"), {"", origin});
        const bool disabled = origin_zone.ok() && (*origin_zone)->as<system::v1alpha1::Zone>().has_enabled() && !(*origin_zone)->as<system::v1alpha1::Zone>().enabled().value();
        if (origin == zone || disabled) {
          continue;
        }
      }
      want[to_wire_key((*outgoing)->resource.meta.key())] = encode_resource((*outgoing)->resource);
    }
    for (const auto& resource : consumer.disk->list({.type = type}).items) {
      if (is_in_scope(other, zone, *resource)) {
        const model::Resource sent = to_peer(receiver, *resource);
        have[to_wire_key(sent.meta.key())] = encode_resource(sent);
      }
    }
    if (want == have) {
      continue;
    }
    for (const auto& [key, bytes] : want) {
      if (!have.contains(key)) {
        out.push_back(fmt::format("{} misses {} {} of {}", consumer.name, type->name, key, provider.name));
      } else if (have[key] != bytes) {
        out.push_back(fmt::format("{} has an old {} {} of {}", consumer.name, type->name, key, provider.name));
      }
    }
    for (const auto& [key, bytes] : have) {
      if (!want.contains(key)) {
        out.push_back(fmt::format("{} keeps {} {}, which {} has no more", consumer.name, type->name, key, provider.name));
      }
    }
  }
}

std::vector<std::string> Cluster::differences() const {
  std::vector<std::string> out;
  for (const auto& zone : zones) {
    compare(global, Side::Global, zone->name, *zone, out);
    compare(*zone, Side::Zone, zone->name, global, out);
    const auto insight = global.disk->get(*registry.find("ZoneInsight"), {"", zone->name});
    if (!insight.ok() || !insight::is_online((*insight)->as<system::v1alpha1::ZoneInsight>().subscriptions())) {
      out.push_back(fmt::format("{} is not shown as online", zone->name));
    }
    if (!zone->zone->is_settled()) {
      out.push_back(fmt::format("{} is not settled", zone->name));
    }
  }
  if (!global.global->is_settled()) {
    out.push_back("the global is not settled");
  }
  return out;
}

namespace {

using ::testing::IsEmpty;

const model::Registry& registry() {
  static const model::Registry all = manager::testing::all_types();
  return all;
}

// A minute of trouble, then quiet: everyone has what he must have.
std::vector<std::string> run(uint64_t seed, Protocol protocol) {
  Cluster cluster(seed, registry(), protocol);
  cluster.duplicates = seed % 2 == 0;
  const uint64_t acts = 20 + cluster.world.pick(20);
  for (uint64_t i = 0; i < acts; ++i) {
    cluster.act();
    cluster.run_for(cluster.world.between(0ms, 1500ms));
  }
  cluster.run_for(3s);  // whoever was to start again has
  cluster.calm();
  std::vector<std::string> left;
  for (int bound = 0; bound < 12; ++bound) {
    cluster.run_for(10s);
    left = cluster.differences();
    if (left.empty()) {
      break;
    }
  }
  return left;
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// KUMA_SIM_SEED=<n> KUMA_SIM_COUNT=1 replays one; a failing one is printed.
class SimulationTest : public ::testing::TestWithParam<Protocol> {
 protected:
  static void SetUpTestSuite() { set_log_level("off"); }
  static void TearDownTestSuite() { set_log_level("info"); }
};

INSTANTIATE_TEST_SUITE_P(Protocols, SimulationTest, ::testing::Values(Protocol::Delta, Protocol::StateOfTheWorld),
                         [](const auto& param) { return param.param == Protocol::Delta ? "Delta" : "StateOfTheWorld"; });

TEST_P(SimulationTest, After_quiet_everyone_has_what_he_must_have) {
  const uint64_t first = from_environment("KUMA_SIM_SEED", 1);
  const uint64_t count = from_environment("KUMA_SIM_COUNT", GetParam() == Protocol::Delta ? 700 : 300);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::vector<std::string> left = run(seed, GetParam());
    ASSERT_THAT(left, IsEmpty()) << "replay with KUMA_SIM_SEED=" << seed << " KUMA_SIM_COUNT=1";
  }
}

TEST_P(SimulationTest, The_same_seed_gives_the_same_run) {
  const auto steps = [](uint64_t seed) {
    Cluster cluster(seed, registry(), GetParam());
    for (int i = 0; i < 10; ++i) {
      cluster.act();
      cluster.run_for(500ms);
    }
    return cluster.world.steps;
  };
  EXPECT_EQ(steps(7), steps(7));
}

TEST_P(SimulationTest, Thousands_of_policies_and_dataplanes_at_once_go_both_ways) {
  Cluster cluster(1, registry(), GetParam(), 1);
  cluster.run_for(5s);
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; ++i) {
    model::Resource policy;
    policy.type = registry().find("MeshTimeout");
    policy.meta.mesh = "default";
    policy.meta.name = fmt::format("p{}", i);
    policy.spec = json::object{{"targetRef", json::object{{"kind", "Mesh"}}}};
    ASSERT_TRUE(cluster.global.disk->create(policy).ok());
    auto spec = std::make_unique<mesh::v1alpha1::Dataplane>();
    spec->mutable_networking()->set_address("10.0.0.1");
    (*spec->mutable_networking()->add_inbound()->mutable_tags())["kuma.io/zone"] = "zone-0";
    ASSERT_TRUE(cluster.zones[0]->disk->create(model::make_resource(*registry().find("Dataplane"), {"default", fmt::format("d{}", i)}, std::move(spec))).ok());
    if (i % 1000 == 0) {
      cluster.run_for(1ms);
    }
  }
  cluster.run_for(10s);
  EXPECT_THAT(cluster.differences(), IsEmpty());
}

TEST_P(SimulationTest, A_second_control_plane_under_a_taken_name_is_refused_and_takes_over_when_the_first_has_gone) {
  Cluster cluster(3, registry(), GetParam(), 1);
  cluster.run_for(5s);
  ASSERT_THAT(cluster.differences(), IsEmpty());
  Stream second(cluster.world);
  const Metadata metadata = {{kClientId, "zone-0"}, {kKdsVersion, "v3"}, {kInstance, "somebody else"}};
  const std::string_view rpc = GetParam() == Protocol::Delta ? kGlobalToZoneSync : kStreamMessage;
  const auto refused = cluster.global.global->open(rpc, metadata, second.server);
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status()));
  EXPECT_THAT(std::string(message_of(refused.status())), ::testing::HasSubstr("zone \"zone-0\" is connected already, from the control plane zone-0-1"));
  cluster.kill_zone(0, Disk::Kept);
  cluster.run_for(1s);
  EXPECT_TRUE(cluster.global.global->open(rpc, metadata, second.server).ok());
}

}  // namespace
}  // namespace kuma::kds::simulation
