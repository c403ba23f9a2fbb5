#include "xds/server/engine.h"

#include <thread>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "insight/testing.h"
#include "manager/testing.h"
#include "net/loop.h"
#include "net/worker_pool.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using security::testing::ManualExecutor;
using security::testing::rsa_key;

constexpr char kPermissiveMesh[] =
    "{type: Mesh, name: default, mtls: {enabledBackend: ca-1, backends: [{name: ca-1, type: builtin, mode: PERMISSIVE}]}}\n";

std::string base64(const std::string& text) { return absl::Base64Escape(text); }

// A stream that keeps what it is handed, and answers when the test says so.
class FakeStream final : public SnapshotSink {
 public:
  void deliver(SnapshotPtr snapshot, uint64_t sequence, std::vector<PropagationPtr> propagations) override {
    const std::lock_guard lock(mutex_);
    ++count_;
    snapshot_ = std::move(snapshot);
    sequence_ = sequence;
    propagations_ = std::move(propagations);
  }
  size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  SnapshotPtr snapshot() const { return snapshot_; }
  uint64_t sequence() const { return sequence_; }
  // All endpoints that it was sent, as text of the serialized resources.
  bool mentions(XdsType type, std::string_view text) const {
    return snapshot_ != nullptr && std::ranges::any_of(snapshot_->of(type).resources, [&](const WireResourcePtr& resource) {
             return resource->any->find(text) != std::string::npos;
           });
  }
  Engine::ConnectionId id = 0;

 private:
  mutable std::mutex mutex_;
  size_t count_ = 0;
  SnapshotPtr snapshot_;
  uint64_t sequence_ = 0;
  std::vector<PropagationPtr> propagations_;
};
using FakeStreamPtr = std::shared_ptr<FakeStream>;

// An engine on a memory store, without sockets; time and threads are the test's.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    store_ = store::make_memory_store(registry_, clock_);
    put("type: Mesh\nname: default\n");
    put(R"(type: TrafficRoute
mesh: default
name: route-all-default
sources: [{match: {kuma.io/service: '*'}}]
destinations: [{match: {kuma.io/service: '*'}}]
conf: {loadBalancer: {roundRobin: {}}, destination: {kuma.io/service: '*'}}
)");
  }
  ~EngineTest() override {
    if (engine_ != nullptr) {
      engine_->stop();
    }
  }

  Engine::Parts parts() {
    return {.registry = registry_,
            .store = *store_,
            .clock = clock_,
            .executor = executor_,
            .workers = executor_,
            .metrics = metrics_,
            .on_certificate = [this](const auto& key, const auto& certificate) { certificates_[key.name] = certificate; },
            .on_gone = [this](const auto& key) { gone_.push_back(key.name); },
            .resolve = [](const std::string&) { return std::string(); },
            .read_file = [](const std::string&) -> absl::StatusOr<std::string> { return absl::NotFoundError("no files"); },
            .issue_identity = [this](const auto& authority, const auto& mesh, const auto& tags, auto lifetime, auto now)
                -> absl::StatusOr<security::Identity> {
              ++issued_;
              if (const auto failing = tags.find("kuma.io/service"); failing != tags.end() && failing->second.contains(cannot_identify_)) {
                return absl::InternalError("no randomness");
              }
              return security::issue_identity(authority, mesh, tags, lifetime, now);
            }};
  }
  void start() { start(parts()); }
  void start(Engine::Parts parts) {
    engine_ = std::make_unique<Engine>(Engine::Options{}, std::move(parts));
    engine_->start();
    executor_.run();
  }

  void put(const std::string& yaml) {
    auto parsed = model::from_rest(registry_, *parse_yaml(yaml));
    ASSERT_TRUE(parsed.ok()) << parsed.status() << yaml;
    const auto stored = store_->get(*parsed->resource.type, parsed->resource.meta.key());
    if (!stored.ok()) {
      ASSERT_TRUE(store_->create(parsed->resource).ok());
      return;
    }
    parsed->resource.meta = (*stored)->meta;
    ASSERT_TRUE(store_->update(parsed->resource).ok());
  }
  void put_dataplane(const std::string& name, const std::string& service, const std::string& address, const std::string& outbound = "") {
    put(fmt::format("{{type: Dataplane, mesh: default, name: {}, networking: {{address: {}, inbound: [{{port: 80, tags: {{kuma.io/service: {}}}}}]{}}}}}",
                    name, address, service,
                    outbound.empty() ? "" : fmt::format(", outbound: [{{port: 1000, tags: {{kuma.io/service: {}}}}}]", outbound)));
  }
  // A mesh with mTLS has an authority.
  void put_authority() {
    const std::string pem = *security::build_mesh_ca("default", rsa_key(), security::kCaLifetime, clock_.wall_now());
    put(fmt::format("{{type: Secret, mesh: default, name: default.ca-builtin-cert-ca-1, data: {}}}", base64(pem)));
    put(fmt::format("{{type: Secret, mesh: default, name: default.ca-builtin-key-ca-1, data: {}}}", base64(rsa_key().to_pem())));
  }
  void put_insight(const std::string& name, const std::string& more) {
    put(fmt::format("{{type: DataplaneInsight, mesh: default, name: {}, {}}}", name, more));
  }
  // web-0 … web-<count - 1>; the first `clients` of them use the service backend.
  void put_webs(int count, int clients) {
    for (int i = 0; i < count; ++i) {
      put_dataplane(fmt::format("web-{}", i), fmt::format("web-{}", i), fmt::format("10.0.{}.{}", i / 250, i % 250 + 1), i < clients ? "backend" : "");
    }
  }

  FakeStreamPtr connect(const std::string& name, const ProxyMetadata& metadata = {}) {
    auto stream = std::make_shared<FakeStream>();
    stream->id = engine_->connect({"default", name}, metadata, stream);
    executor_.run();
    return stream;
  }
  void answer(const FakeStream& stream) {
    engine_->acknowledged(stream.id, stream.sequence());
    executor_.run();
  }
  std::vector<FakeStreamPtr> connect_webs(int count) {
    std::vector<FakeStreamPtr> streams;
    for (int i = 0; i < count; ++i) {
      streams.push_back(connect(fmt::format("web-{}", i)));
      answer(*streams.back());
    }
    return streams;
  }

  double counted(const std::string& name) { return metrics_.counter(name, "").value(); }
  double runs() { return counted("xds_generator_runs"); }

  ManualClock clock_;
  insight::testing::SimulatedExecutor executor_{clock_};
  const model::Registry registry_ = manager::testing::all_types();
  std::unique_ptr<store::Store> store_;
  observe::Metrics metrics_;
  int issued_ = 0;
  std::string cannot_identify_ = "nobody";
  std::map<std::string, std::optional<CertificateInfo>> certificates_;
  std::vector<std::string> gone_;
  std::unique_ptr<Engine> engine_;
};

// ---------------------------------------------------------------- who is concerned

TEST_F(EngineTest, A_write_that_concerns_2_of_200_proxies_regenerates_2) {
  put_webs(200, 2);
  start();
  const std::vector<FakeStreamPtr> streams = connect_webs(200);
  EXPECT_EQ(runs(), 200);
  EXPECT_EQ(counted("xds_pushes"), 200);
  put_dataplane("backend-1", "backend", "10.1.0.1");
  executor_.run();
  EXPECT_EQ(runs(), 202);
  EXPECT_EQ(counted("xds_pushes"), 202);
  EXPECT_EQ(streams[0]->count(), 2U);
  EXPECT_TRUE(streams[1]->mentions(XdsType::Endpoint, "10.1.0.1"));
  EXPECT_EQ(streams[2]->count(), 1U);
}

TEST_F(EngineTest, A_policy_for_one_service_of_250_regenerates_its_proxies_alone) {
  constexpr int kServices = 250;
  put_webs(kServices, kServices);
  put_dataplane("web-7-again", "web-7", "10.2.0.7", "backend");
  start();
  std::vector<FakeStreamPtr> streams = connect_webs(kServices);
  streams.push_back(connect("web-7-again"));
  answer(*streams.back());
  const double before = runs();
  for (const char* timeout : {"7s", "8s"}) {
    put(fmt::format("{{type: MeshTimeout, mesh: default, name: seven, spec: {{targetRef: {{kind: MeshService, name: web-7}}, to: [{{targetRef: {{kind: Mesh}}, "
                    "default: {{connectionTimeout: {}}}}}]}}}}",
                    timeout));
    executor_.run();
    answer(*streams[7]);
    answer(*streams.back());
  }
  EXPECT_EQ(runs() - before, 4) << "two proxies, twice";
  EXPECT_EQ(counted("xds_pushes") - before, 4);
  for (size_t i = 0; i < streams.size(); ++i) {
    EXPECT_EQ(streams[i]->count(), i == 7 || i == kServices ? 3U : 1U) << i;
  }
}

TEST_F(EngineTest, A_status_write_regenerates_none) {
  put_webs(3, 3);
  start();
  connect_webs(3);
  put_insight("web-0", "subscriptions: [{id: '1', controlPlaneInstanceId: cp}]");
  put_insight("web-0", "subscriptions: [{id: '1', controlPlaneInstanceId: cp, generation: 1}]");
  executor_.run();
  EXPECT_EQ(runs(), 3);
}

TEST_F(EngineTest, In_PERMISSIVE_meshes_the_clients_of_a_service_learn_when_all_of_it_has_certificates) {
  put_webs(3, 1);
  put_dataplane("backend-1", "backend", "10.1.0.1");
  put_dataplane("backend-2", "backend", "10.1.0.2");
  put_authority();
  put(kPermissiveMesh);
  start();
  const std::vector<FakeStreamPtr> streams = connect_webs(3);
  EXPECT_FALSE(streams[0]->mentions(XdsType::Cluster, "spiffe://default/backend"));
  const double before = runs();
  put_insight("backend-1", "mTLS: {issuedBackend: ca-1}");
  executor_.run();
  EXPECT_EQ(runs(), before);
  put_insight("backend-2", "mTLS: {issuedBackend: ca-1}");
  executor_.run();
  EXPECT_EQ(runs(), before + 1);
  EXPECT_TRUE(streams[0]->mentions(XdsType::Cluster, "spiffe://default/backend"));
  put_insight("backend-2", "mTLS: {issuedBackend: ca-1, certificateRegenerations: 2}");
  executor_.run();
  EXPECT_EQ(runs(), before + 1);
}

TEST_F(EngineTest, A_zones_proxy_is_concerned_by_what_it_offers_and_by_its_own_resource_alone) {
  const std::string ingress = "{{type: ZoneIngress, name: in-1, networking: {{address: 10.0.0.9, port: {}}}, availableServices: [{{mesh: "
                              "default, instances: 1, tags: {{kuma.io/service: backend}}}}]}}";
  put(fmt::format(fmt::runtime(ingress), 10001));
  put_webs(1, 0);
  start();
  ProxyMetadata metadata;
  metadata.proxy_type = ProxyType::ZoneIngress;
  auto stream = std::make_shared<FakeStream>();
  stream->id = engine_->connect({"", "in-1"}, metadata, stream);
  executor_.run();
  EXPECT_EQ(runs(), 1);
  answer(*stream);
  put_dataplane("redis-1", "redis", "10.1.0.2");
  put_insight("web-0", "subscriptions: [{id: '1', controlPlaneInstanceId: cp}]");
  executor_.run();
  EXPECT_EQ(runs(), 1);
  put_dataplane("backend-1", "backend", "10.1.0.1");
  executor_.run();
  EXPECT_EQ(runs(), 2);
  answer(*stream);
  put(fmt::format(fmt::runtime(ingress), 10002));
  executor_.run();
  EXPECT_EQ(runs(), 3);
  EXPECT_TRUE(stream->mentions(XdsType::Listener, "10002"));
}

// ---------------------------------------------------------------- bursts, pace

TEST_F(EngineTest, A_burst_of_1000_writes_costs_one_generation) {
  put_webs(3, 2);
  put_dataplane("backend-1", "backend", "10.1.0.1");
  start();
  const std::vector<FakeStreamPtr> streams = connect_webs(3);
  for (int i = 0; i < 1000; ++i) {
    put_dataplane("backend-1", "backend", fmt::format("10.2.{}.{}", i / 250, i % 250));
  }
  executor_.run();
  EXPECT_EQ(runs(), 3 + 2);
  EXPECT_TRUE(streams[0]->mentions(XdsType::Endpoint, "10.2.3.249"));
}

TEST_F(EngineTest, A_proxy_that_has_not_answered_is_generated_again_only_when_it_does) {
  put_webs(1, 1);
  start();
  const FakeStreamPtr stream = connect_webs(1)[0];
  for (int i = 0; i < 1000; ++i) {
    put_dataplane("backend-1", "backend", fmt::format("10.2.{}.{}", i / 250, i % 250));
    executor_.run();
  }
  EXPECT_EQ(runs(), 2);
  answer(*stream);
  EXPECT_EQ(runs(), 3);
  EXPECT_TRUE(stream->mentions(XdsType::Endpoint, "10.2.3.249"));
}

TEST_F(EngineTest, A_proxy_that_never_answers_is_generated_again_after_5_seconds) {
  put_webs(1, 1);
  start();
  connect_webs(1);
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  put_dataplane("backend-1", "backend", "10.2.0.2");
  executor_.advance(4900ms);
  EXPECT_EQ(runs(), 2);
  executor_.advance(100ms);
  EXPECT_EQ(runs(), 3);
}

TEST_F(EngineTest, An_answer_to_an_earlier_delivery_is_no_answer) {
  put_webs(1, 1);
  start();
  const FakeStreamPtr stream = connect_webs(1)[0];
  const uint64_t earlier = stream->sequence();
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  put_dataplane("backend-1", "backend", "10.2.0.2");
  engine_->acknowledged(stream->id, earlier);
  executor_.run();
  EXPECT_EQ(runs(), 2);
}

TEST_F(EngineTest, Both_streams_of_a_proxy_have_to_answer) {
  put_webs(1, 1);
  start();
  const FakeStreamPtr first = connect_webs(1)[0];
  const FakeStreamPtr second = connect("web-0");
  EXPECT_EQ(runs(), 1);  // it has what the first one has
  EXPECT_EQ(second->snapshot(), first->snapshot());
  answer(*second);
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  put_dataplane("backend-1", "backend", "10.2.0.2");
  answer(*first);
  EXPECT_EQ(runs(), 2);
  engine_->disconnect(second->id);
  executor_.run();
  EXPECT_EQ(runs(), 3);
  EXPECT_EQ(second->count(), 2U);
}

// ---------------------------------------------------------------- proxies come and go

TEST_F(EngineTest, A_proxy_may_come_before_its_dataplane) {
  start();
  const FakeStreamPtr stream = connect("web-0");
  EXPECT_EQ(stream->count(), 0U);
  EXPECT_NE(engine_->status({"default", "web-0"})->error, "");
  EXPECT_EQ(counted("xds_generation_errors"), 0);
  put_webs(1, 0);
  executor_.run();
  EXPECT_EQ(stream->count(), 1U);
  EXPECT_EQ(engine_->status({"default", "web-0"})->error, "");
}

TEST_F(EngineTest, A_proxy_may_come_before_its_mesh) {
  start();
  auto stream = std::make_shared<FakeStream>();
  engine_->connect({"other", "web-0"}, {}, stream);
  executor_.run();
  EXPECT_EQ(engine_->status({"other", "web-0"})->error, "mesh \"other\" is not there");
  put("type: Mesh\nname: other\n");
  put("{type: Dataplane, mesh: other, name: web-0, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}}");
  executor_.run();
  EXPECT_EQ(stream->count(), 1U);
}

TEST_F(EngineTest, A_proxy_whose_dataplane_was_deleted_keeps_what_it_has) {
  put_webs(1, 1);
  start();
  const FakeStreamPtr stream = connect_webs(1)[0];
  ASSERT_TRUE(store_->remove(*registry_.find("Dataplane"), {"default", "web-0"}).ok());
  executor_.run();
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  EXPECT_EQ(stream->count(), 1U);
}

TEST_F(EngineTest, Nothing_is_made_for_a_proxy_that_has_gone) {
  put_webs(1, 1);
  start();
  FakeStreamPtr stream = connect_webs(1)[0];
  engine_->disconnect(stream->id);
  engine_->disconnect(4711);
  engine_->acknowledged(stream->id, 1);
  executor_.run();
  EXPECT_EQ(gone_, std::vector<std::string>({"web-0"}));
  EXPECT_FALSE(engine_->status({"default", "web-0"}));
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  EXPECT_EQ(runs(), 1);
  EXPECT_EQ(stream.use_count(), 1);
}

TEST_F(EngineTest, A_stream_with_other_metadata_makes_a_new_configuration) {
  put_webs(1, 0);
  start();
  const FakeStreamPtr first = connect_webs(1)[0];
  ProxyMetadata metadata;
  metadata.readiness_port = 9902;
  const FakeStreamPtr second = connect("web-0", metadata);
  EXPECT_EQ(runs(), 2);
  EXPECT_EQ(second->count(), 1U);
}

TEST_F(EngineTest, Proxies_wait_quietly_for_the_authority_of_admin_listeners) {
  put_webs(2, 0);
  start();
  ProxyMetadata metadata;
  metadata.admin_port = 9901;
  metadata.admin_address = "127.0.0.1";
  const FakeStreamPtr stream = connect("web-0", metadata);
  connect("web-1", metadata);
  EXPECT_EQ(runs(), 0);
  EXPECT_EQ(counted("xds_generation_errors"), 0);
  EXPECT_EQ(engine_->status({"default", "web-0"})->error,
            "the GlobalSecret envoy-admin-ca is not there yet; it is made in the background at the first start");
  const std::string pem = *security::build_system_ca(security::kEnvoyAdminCaName, rsa_key(), clock_.wall_now()) + rsa_key().to_pem();
  put(fmt::format("{{type: GlobalSecret, name: envoy-admin-ca, data: {}}}", base64(pem)));
  executor_.run();
  EXPECT_EQ(runs(), 2);
  EXPECT_EQ(stream->count(), 1U);
}

// ---------------------------------------------------------------- failures, certificates

TEST_F(EngineTest, A_generation_that_fails_leaves_the_others_alone) {
  put_webs(3, 0);
  put_authority();
  put(kPermissiveMesh);
  cannot_identify_ = "web-1";
  start();
  const std::vector<FakeStreamPtr> streams = {connect("web-0"), connect("web-1"), connect("web-2")};
  EXPECT_EQ(streams[0]->count(), 1U);
  EXPECT_EQ(streams[1]->count(), 0U);
  EXPECT_EQ(streams[2]->count(), 1U);
  EXPECT_EQ(counted("xds_generation_errors"), 1);
  EXPECT_EQ(engine_->status({"default", "web-1"})->error,
            "failed to generate dataplane identity cert and CAs: could not generate certificates: no randomness");
}

TEST_F(EngineTest, What_failed_is_tried_again_each_time_later) {
  put_webs(1, 0);
  put_authority();
  put(kPermissiveMesh);
  cannot_identify_ = "web-0";
  start();
  const FakeStreamPtr stream = connect("web-0");
  EXPECT_EQ(issued_, 1);
  executor_.advance(1s);
  EXPECT_EQ(issued_, 2);
  executor_.advance(1s);
  EXPECT_EQ(issued_, 2);
  executor_.advance(1s);
  EXPECT_EQ(issued_, 3);
  executor_.advance(4s);
  EXPECT_EQ(issued_, 4);
  cannot_identify_ = "nobody";
  executor_.advance(8s);
  EXPECT_EQ(stream->count(), 1U);
  EXPECT_EQ(engine_->status({"default", "web-0"})->error, "");
}

TEST_F(EngineTest, A_certificate_is_renewed_after_four_fifths_of_its_life) {
  put_webs(1, 0);
  put_authority();
  put(kPermissiveMesh);
  start();
  const FakeStreamPtr stream = connect_webs(1)[0];
  const WallTime issued_at = clock_.wall_now();
  EXPECT_EQ(certificates_["web-0"]->expires_at, issued_at + 24h);
  executor_.advance(19h);
  EXPECT_EQ(issued_, 1);
  executor_.advance(13min);
  EXPECT_EQ(issued_, 2);
  EXPECT_EQ(stream->count(), 2U);
  EXPECT_GT(certificates_["web-0"]->issued_at, issued_at + 19h);
}

TEST_F(EngineTest, A_renewal_that_fails_is_tried_again_and_the_old_certificate_stays_meanwhile) {
  put_webs(1, 1);
  put_authority();
  put(kPermissiveMesh);
  start();
  const FakeStreamPtr stream = connect_webs(1)[0];
  cannot_identify_ = "web-0";
  executor_.advance(19h + 13min);
  EXPECT_GT(issued_, 5);
  EXPECT_EQ(stream->count(), 1U);
  EXPECT_NE(engine_->status({"default", "web-0"})->error.find("no randomness"), std::string::npos);
  put_dataplane("backend-1", "backend", "10.2.0.1");  // all else goes on
  executor_.run();
  EXPECT_EQ(stream->count(), 2U);
  answer(*stream);
  cannot_identify_ = "nobody";
  executor_.advance(5min);
  EXPECT_EQ(stream->count(), 3U);
  EXPECT_EQ(engine_->status({"default", "web-0"})->error, "");
}

TEST_F(EngineTest, A_resync_finds_nothing_to_do) {
  put_webs(3, 1);
  start();
  connect_webs(3);
  executor_.advance(40min);
  EXPECT_EQ(runs(), 6);
  EXPECT_EQ(counted("xds_pushes"), 3);
}

// ---------------------------------------------------------------- generators

class GeneratorsTest : public EngineTest {
 protected:
  void start_with_generators() {
    Engine::Parts with = parts();
    with.generators = &generators_;
    start(std::move(with));
  }
  void work() {
    for (int bound = 0; bound < 100 && generators_.run_one(); ++bound) {
      executor_.run();
    }
  }
  ManualExecutor generators_;
};

TEST_F(GeneratorsTest, So_many_generations_are_at_work_at_a_time) {
  put_webs(10, 0);
  start_with_generators();
  for (int i = 0; i < 10; ++i) {
    connect(fmt::format("web-{}", i));
  }
  EXPECT_EQ(generators_.size(), 4U);
  work();
  EXPECT_EQ(runs(), 10);
}

TEST_F(GeneratorsTest, A_change_during_a_generation_counts_by_what_the_new_configuration_looks_at) {
  put_webs(1, 0);
  start_with_generators();
  const FakeStreamPtr stream = connect("web-0");
  work();
  answer(*stream);
  put_webs(1, 1);  // it looks at backend from now on
  executor_.run();
  EXPECT_EQ(generators_.size(), 1U);
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  work();
  answer(*stream);
  work();
  EXPECT_TRUE(stream->mentions(XdsType::Endpoint, "10.2.0.1"));
  EXPECT_EQ(runs(), 3);
}

TEST_F(GeneratorsTest, A_change_that_does_not_concern_a_proxy_at_work_leads_to_nothing) {
  put_webs(1, 0);
  start_with_generators();
  const FakeStreamPtr stream = connect("web-0");
  put_dataplane("backend-1", "backend", "10.2.0.1");
  executor_.run();
  work();
  answer(*stream);
  work();
  EXPECT_EQ(runs(), 1);
}

TEST_F(GeneratorsTest, A_proxy_that_goes_and_comes_again_during_a_generation_gets_its_own) {
  put_webs(1, 0);
  start_with_generators();
  const FakeStreamPtr first = connect("web-0");
  engine_->disconnect(first->id);
  executor_.run();
  const FakeStreamPtr second = connect("web-0");
  work();
  EXPECT_EQ(first->count(), 0U);
  EXPECT_EQ(second->count(), 1U);
}

TEST_F(GeneratorsTest, Nothing_is_delivered_after_the_end) {
  put_webs(1, 0);
  start_with_generators();
  const FakeStreamPtr stream = connect("web-0");
  engine_->stop();
  work();
  executor_.run();
  EXPECT_EQ(stream->count(), 0U);
  engine_->connect({"default", "web-0"}, {}, stream);
  executor_.run();
  work();
  EXPECT_EQ(stream->count(), 0U);
}

// Real threads, for the sanitizers: writes, streams and the end at the same time.
TEST_F(EngineTest, Stops_in_the_middle_of_work) {
  put_webs(20, 10);
  net::Loops loops(1);
  net::WorkerPool generators(2);
  Engine::Parts threads{.registry = registry_,
                        .store = *store_,
                        .clock = system_clock(),
                        .executor = loops.at(0),
                        .generators = &generators,
                        .workers = generators,
                        .metrics = metrics_,
                        .on_certificate = nullptr,
                        .on_gone = nullptr,
                        .resolve = [](const std::string&) { return std::string(); },
                        .read_file = nullptr};
  Engine engine({}, std::move(threads));
  engine.start();
  std::vector<FakeStreamPtr> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(std::make_shared<FakeStream>());
    streams.back()->id = engine.connect({"default", fmt::format("web-{}", i)}, {}, streams.back());
  }
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      put_dataplane("backend-1", "backend", fmt::format("10.3.0.{}", i + 1));
      engine.acknowledged(streams[static_cast<size_t>(i % 20)]->id, static_cast<uint64_t>(i));
    }
  });
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (streams[19]->count() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  engine.stop();
  const size_t count = streams[19]->count();
  writer.join();
  EXPECT_GT(count, 0U);
  EXPECT_EQ(streams[19]->count(), count);
  generators.stop();
  loops.stop();
}

}  // namespace
}  // namespace kuma::xds
