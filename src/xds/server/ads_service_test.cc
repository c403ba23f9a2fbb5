// Streams over real sockets, with libgrpc++ as the proxy.

#include "xds/server/ads_service.h"
#include "xds/server/health_service.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "envoy/service/health/v3/hds.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/testing.h"
#include "manager/token_issuer.h"
#include "net/loop.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using manager::testing::ManagerHarness;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kSotw[] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
constexpr char kDelta[] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
constexpr char kHealth[] = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck";

// One call of libgrpc++'s generic stub, made synchronous. Each step takes at most 20 s.
class Call {
 public:
  Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& path, const std::vector<std::string>& tokens) : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() + 20s);
    for (const std::string& token : tokens) {
      context_.AddMetadata("authorization", token);
    }
    call_ = stub_.PrepareCall(&context_, path, &queue_);
    call_->StartCall(this);
    wait();
  }
  ~Call() {
    context_.TryCancel();
    if (!finished_) {
      finish();
    }
  }

  bool write_bytes(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    return wait();
  }
  template <typename Message>
  bool write(const Message& message) {
    return write_bytes(message.SerializeAsString());
  }
  template <typename Message>
  std::optional<Message> read() {
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, this);
    if (!wait()) {
      return std::nullopt;
    }
    grpc::Slice slice;
    EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
    Message message;
    EXPECT_TRUE(message.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
    return message;
  }
  // "<code> <message>"
  std::string finish() {
    grpc::Status status;
    finished_ = true;
    call_->Finish(&status, this);
    wait();
    return std::to_string(status.error_code()) + " " + status.error_message();
  }
  void cancel() { context_.TryCancel(); }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return ok;
  }

  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
};

// All parts between a store and proxies, on free ports and real threads.
class AdsServiceTest : public ::testing::Test {
 protected:
  AdsServiceTest() {
    EXPECT_TRUE(harness_.initial->ensure().ok());
    harness_.executor->run_all();
    put_dataplane("web-1", "web", "10.0.0.1", ", outbound: [{port: 1000, tags: {kuma.io/service: backend}}]");
    put_dataplane("backend-1", "backend", "10.0.1.1");
  }
  ~AdsServiceTest() override {
    registrar_.stop();
    if (server_ != nullptr) {
      server_->stop(0s);
      health_->stop();
    }
    engine_.stop();
    insights_.stop();
    generators_.stop();
    workers_.stop();
    engine_loops_.stop();
    loops_.stop();
  }

  void put_dataplane(const std::string& name, const std::string& service, const std::string& address, const std::string& more = "") {
    const absl::Status status = harness_.put(
        fmt::format("{{type: Dataplane, mesh: default, name: {}, networking: {{address: {}, inbound: [{{port: 80, tags: {{kuma.io/service: {}}}}}]{}}}}}",
                    name, address, service, more));
    EXPECT_TRUE(status.ok()) << status;
  }

  void start(bool with_tokens = true) {
    authenticator_ = std::make_unique<ProxyAuthenticator>(
        ProxyAuthenticator::Options{.dataplane_tokens = with_tokens, .zone_tokens = with_tokens}, harness_.registry, *harness_.memory, validator_);
    server_ = std::make_unique<net::Server>(loops_, net::ServerOptions{.name = "test", .address = "127.0.0.1"});
    serve_ads(*server_, {.control_plane_id = "cp-1"},
              {.registry = harness_.registry, .clock = system_clock(), .engine = engine_, .authenticator = *authenticator_,
               .registrar = registrar_, .insights = insights_, .workers = workers_, .metrics = metrics_});
    health_ = std::make_unique<HealthService>(
        HealthCheckSettings{}, HealthService::Parts{.registry = harness_.registry, .store = *harness_.memory, .manager = *harness_.manager,
                                                    .authenticator = *authenticator_, .workers = workers_, .metrics = metrics_});
    health_->serve(*server_);
    ASSERT_TRUE(server_->start().ok());
    engine_.start();
    channel_ = grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()), grpc::InsecureChannelCredentials());
  }

  std::string token(const std::string& name, const Clock* clock = nullptr) {
    const manager::TokenIssuer issuer(harness_.manager->secrets(), *harness_.pending, clock == nullptr ? harness_.clock : *clock);
    return *issuer.dataplane({.name = name, .mesh = "default"}, 1h);
  }
  std::unique_ptr<Call> open(const char* path, const std::vector<std::string>& tokens) { return std::make_unique<Call>(channel_, path, tokens); }
  std::unique_ptr<Call> open(const char* path) { return open(path, {token("web-1")}); }

  static DiscoveryRequest request(XdsType type, const std::string& node = "default.web-1", const std::vector<std::string>& names = {}) {
    DiscoveryRequest out;
    out.mutable_node()->set_id(node);
    out.set_type_url(std::string(type_url(type)));
    for (const std::string& name : names) {
      out.add_resource_names(name);
    }
    return out;
  }
  static DiscoveryRequest answer_to(const DiscoveryResponse& response, const std::vector<std::string>& names = {}) {
    DiscoveryRequest out;
    out.set_type_url(response.type_url());
    out.set_version_info(response.version_info());
    out.set_response_nonce(response.nonce());
    for (const std::string& name : names) {
      out.add_resource_names(name);
    }
    return out;
  }
  // What a stream that begins with this ends with.
  std::string end_of(const DiscoveryRequest& first, const std::vector<std::string>& tokens) {
    const auto call = open(kSotw, tokens);
    call->write(first);
    EXPECT_FALSE(call->read<DiscoveryResponse>());
    return call->finish();
  }
  std::string end_of(const DiscoveryRequest& first) { return end_of(first, {token("web-1")}); }

  // Waits, bounded, for what other threads are to bring about.
  template <typename Condition>
  static bool eventually(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }

  ManagerHarness harness_;
  observe::Metrics metrics_;
  net::Loops loops_{1}, engine_loops_{1};
  net::WorkerPool workers_{1}, generators_{1};
  manager::TokenValidator validator_{harness_.manager->secrets(), *harness_.memory, harness_.clock, {}};
  InsightWriter insights_{{.control_plane_id = "cp-1"}, harness_.registry, *harness_.manager, system_clock(), engine_loops_.at(0)};
  ProxyAuthenticator registration_authenticator_{{}, harness_.registry, *harness_.memory, validator_};
  ProxyRegistrar registrar_{{.deregistration_delay = 0s, .control_plane_id = "cp-1"}, harness_.registry, *harness_.memory, *harness_.manager, registration_authenticator_, engine_loops_.at(0)};
  Engine engine_{{},
                 {.registry = harness_.registry,
                  .store = *harness_.memory,
                  .clock = system_clock(),
                  .executor = engine_loops_.at(0),
                  .generators = &generators_,
                  .workers = workers_,
                  .metrics = metrics_,
                  .on_certificate = [this](const auto& key, const auto& certificate) { insights_.set_certificate(key, certificate); },
                  .on_gone = [this](const auto& key) { insights_.forget_certificate(key); },
                  .resolve = [](const std::string&) { return std::string(); },
                  .read_file = nullptr}};
  std::unique_ptr<ProxyAuthenticator> authenticator_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<HealthService> health_;
  std::shared_ptr<grpc::Channel> channel_;
};

// ---------------------------------------------------------------- refused

TEST_F(AdsServiceTest, Refuses_bytes_that_are_no_request) {
  start();
  for (const char* path : {kSotw, kDelta}) {
    const auto call = open(path);
    call->write_bytes("\xff\xff\xff\xff garbage");
    EXPECT_FALSE(call->read<DiscoveryResponse>());
    EXPECT_EQ(call->finish(), "2 the message is no discovery request");
  }
}

TEST_F(AdsServiceTest, Refuses_garbage_after_a_good_start_and_leaves_others_alone) {
  start();
  const auto good = open(kSotw);
  const auto bad = open(kSotw);
  for (const auto* call : {&good, &bad}) {
    (*call)->write(request(XdsType::Cluster));
    EXPECT_TRUE((*call)->read<DiscoveryResponse>());
  }
  bad->write_bytes(std::string(100'000, '\x0b'));
  EXPECT_FALSE(bad->read<DiscoveryResponse>());
  EXPECT_EQ(bad->finish(), "2 the message is no discovery request");
  good->write(request(XdsType::Endpoint, "default.web-1", {"backend"}));
  EXPECT_TRUE(good->read<DiscoveryResponse>());
}

TEST_F(AdsServiceTest, Refuses_a_proxy_that_does_not_say_who_it_is) {
  start();
  EXPECT_EQ(end_of(DiscoveryRequest()), "2 invalid node ID: Envoy ID must not be nil");
  EXPECT_EQ(end_of(request(XdsType::Cluster, "web-1")), "2 invalid node ID: the name should be provided after the dot");
  EXPECT_EQ(end_of(request(XdsType::Cluster, "default.")), "2 invalid node ID: name must not be empty");
}

TEST_F(AdsServiceTest, Refuses_to_let_a_proxy_become_another_one) {
  start();
  const auto call = open(kSotw);
  call->write(request(XdsType::Cluster));
  EXPECT_TRUE(call->read<DiscoveryResponse>());
  call->write(request(XdsType::Listener, "default.backend-1"));
  EXPECT_FALSE(call->read<DiscoveryResponse>());
  EXPECT_EQ(call->finish(),
            "2 stream was authenticated for ID default.web-1. Received request is for node with ID default.backend-1. Node ID cannot be "
            "changed after stream is initialized");
}

TEST_F(AdsServiceTest, Refuses_tokens_that_are_missing_forged_expired_or_of_somebody_else) {
  start();
  const DiscoveryRequest first = request(XdsType::Cluster);
  EXPECT_THAT(end_of(first, {}), StartsWith("2 authentication failed: "));
  EXPECT_THAT(end_of(first, {"not-a-token"}), StartsWith("2 authentication failed: could not parse token"));
  std::string forged = token("web-1");
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'a' ? 'b' : 'a';
  EXPECT_THAT(end_of(first, {forged}), StartsWith("2 authentication failed: could not parse token"));
  const ManualClock long_ago(harness_.clock.wall_now() - 48h);
  EXPECT_THAT(end_of(first, {token("web-1", &long_ago)}), HasSubstr("expired"));
  EXPECT_EQ(end_of(first, {token("backend-1")}),
            "2 authentication failed: proxy name from requestor: web-1 is different than in token: backend-1");
}

TEST_F(AdsServiceTest, Refuses_a_proxy_without_a_dataplane) {
  start();
  EXPECT_EQ(end_of(request(XdsType::Cluster, "default.nobody"), {token("nobody")}),
            "2 authentication failed: resource \"default.nobody\" not found; create a Dataplane in Kuma CP first or pass it as an argument to kuma-dp");
}

TEST_F(AdsServiceTest, Refuses_several_tokens) {
  start();
  EXPECT_EQ(end_of(request(XdsType::Cluster), {"a", "b"}),
            "2 could not extract credential from DiscoveryRequest: request must have exactly 1 \"authorization\" header, got 2");
}

TEST_F(AdsServiceTest, Does_not_look_at_tokens_when_none_is_needed) {
  start(false);
  const auto call = open(kSotw, {"a", "b"});
  call->write(request(XdsType::Cluster));
  EXPECT_TRUE(call->read<DiscoveryResponse>());
}

// ---------------------------------------------------------------- served

TEST_F(AdsServiceTest, Configures_a_proxy_and_tells_it_of_changes) {
  start();
  const auto call = open(kSotw);
  call->write(request(XdsType::Cluster));
  const auto clusters = call->read<DiscoveryResponse>();
  ASSERT_TRUE(clusters);
  EXPECT_EQ(clusters->control_plane().identifier(), "cp-1");
  EXPECT_EQ(clusters->nonce(), "1");
  call->write(answer_to(*clusters));
  call->write(request(XdsType::Endpoint, "", {"backend"}));
  const auto endpoints = call->read<DiscoveryResponse>();
  ASSERT_TRUE(endpoints);
  EXPECT_THAT(endpoints->SerializeAsString(), HasSubstr("10.0.1.1"));
  call->write(answer_to(*endpoints, {"backend"}));
  call->write(request(XdsType::Listener, ""));
  const auto listeners = call->read<DiscoveryResponse>();
  ASSERT_TRUE(listeners);
  EXPECT_EQ(listeners->type_url(), type_url(XdsType::Listener));
  call->write(answer_to(*listeners));
  put_dataplane("backend-2", "backend", "10.0.1.2");
  const auto more = call->read<DiscoveryResponse>();
  ASSERT_TRUE(more);
  EXPECT_EQ(more->type_url(), type_url(XdsType::Endpoint));
  EXPECT_THAT(more->SerializeAsString(), HasSubstr("10.0.1.2"));
  call->write(answer_to(*more, {"backend"}));
  EXPECT_TRUE(eventually([&] { return metrics_.to_text().find("xds_propagation_seconds_count 1") != std::string::npos; }));
  EXPECT_TRUE(eventually([&] { return harness_.find("DataplaneInsight", {"default", "web-1"}) != nullptr; }));
}

TEST_F(AdsServiceTest, Speaks_the_incremental_protocol) {
  start();
  const auto call = open(kDelta);
  DeltaDiscoveryRequest first;
  first.mutable_node()->set_id("default.web-1");
  first.set_type_url(std::string(type_url(XdsType::Cluster)));
  call->write(first);
  const auto clusters = call->read<DeltaDiscoveryResponse>();
  ASSERT_TRUE(clusters);
  EXPECT_GT(clusters->resources_size(), 1);
  DeltaDiscoveryRequest next;
  next.set_type_url(std::string(type_url(XdsType::Endpoint)));
  next.add_resource_names_subscribe("backend");
  call->write(next);
  const auto endpoints = call->read<DeltaDiscoveryResponse>();
  ASSERT_TRUE(endpoints);
  ASSERT_EQ(endpoints->resources_size(), 1);
  EXPECT_EQ(endpoints->resources(0).name(), "backend");
  EXPECT_NE(endpoints->resources(0).version(), "");
}

TEST_F(AdsServiceTest, Tells_who_may_what_health_to_check) {
  start();
  envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse first;
  first.mutable_health_check_request()->mutable_node()->set_id("default.web-1");
  const auto refused = open(kHealth, {"wrong"});
  refused->write(first);
  EXPECT_FALSE(refused->read<DiscoveryResponse>());
  EXPECT_THAT(refused->finish(), StartsWith("2 authentication failed: "));
  const auto held = open(kHealth);
  EXPECT_TRUE(held->write(first));
  EXPECT_TRUE(held->read<envoy::service::health::v3::HealthCheckSpecifier>());
}

TEST_F(AdsServiceTest, Counts_streams_until_they_end) {
  start();
  auto call = open(kSotw);
  call->write(request(XdsType::Cluster));
  EXPECT_TRUE(call->read<DiscoveryResponse>());
  const observe::Gauge streams = metrics_.gauge("xds_streams_active", "");
  EXPECT_EQ(streams.value(), 1);
  call->cancel();
  EXPECT_TRUE(eventually([&] { return streams.value() == 0; }));
  EXPECT_TRUE(eventually([&] { return !engine_.status({"default", "web-1"}); }));
}

// A proxy that subscribes and then reads nothing holds at most one response of each type, whatever happens meanwhile.
TEST_F(AdsServiceTest, Sends_little_to_a_client_that_never_answers) {
  start();
  const auto call = open(kSotw);
  call->write(request(XdsType::Cluster));
  call->write(request(XdsType::Endpoint, "", {"backend"}));
  ASSERT_TRUE(eventually([&] { return metrics_.counter("xds_pushes", "").value() >= 1; }));
  const double before = metrics_.counter("xds_generator_runs", "").value();
  for (int i = 0; i < 300; ++i) {
    put_dataplane("backend-1", "backend", fmt::format("10.9.{}.{}", i / 250, i % 250 + 1));
    call->write(request(XdsType::Endpoint, "", {"backend"}));
  }
  ASSERT_TRUE(eventually([&] { return engine_.view("default")->find_service("backend")->endpoints[0]->address == "10.9.1.50"; }));
  EXPECT_LE(metrics_.counter("xds_generator_runs", "").value() - before, 3);
  const std::string sent = std::string(type_url(XdsType::Endpoint));
  EXPECT_LE(metrics_.counter("xds_responses_sent", "", {{"type_url", sent}}).value(), 1);
}

// ---------------------------------------------------------------- registration

class RegistrationTest : public AdsServiceTest {
 protected:
  static DiscoveryRequest first_with_resource(const std::string& node, const std::string& yaml) {
    DiscoveryRequest first = request(XdsType::Cluster, node);
    (*first.mutable_node()->mutable_metadata()->mutable_fields())["dataplane.resource"].set_string_value(yaml);
    return first;
  }
  static std::string dataplane(const std::string& name, const std::string& address) {
    return fmt::format("{{type: Dataplane, mesh: default, name: {}, networking: {{address: {}, inbound: [{{port: 80, tags: {{kuma.io/service: new}}}}]}}}}",
                       name, address);
  }
};

TEST_F(RegistrationTest, A_proxy_brings_its_dataplane_and_takes_it_away) {
  start();
  const auto call = open(kSotw, {token("new-1")});
  call->write(first_with_resource("default.new-1", dataplane("new-1", "10.0.3.1")));
  EXPECT_TRUE(call->read<DiscoveryResponse>());
  EXPECT_NE(harness_.find("Dataplane", {"default", "new-1"}), nullptr);
  call->cancel();
  EXPECT_TRUE(eventually([&] { return harness_.find("Dataplane", {"default", "new-1"}) == nullptr; }));
}

TEST_F(RegistrationTest, Refuses_a_resource_of_another_name) {
  start();
  EXPECT_EQ(end_of(first_with_resource("default.new-1", dataplane("new-2", "10.0.3.1")), {token("new-2")}),
            "2 could not register proxy passed in kuma-dp run: proxyId default.new-1 does not match proxy resource default.new-2");
}

TEST_F(RegistrationTest, Says_what_is_wrong_with_a_resource) {
  start();
  EXPECT_THAT(end_of(first_with_resource("default.new-1", dataplane("new-1", "''")), {token("new-1")}),
              ::testing::AllOf(StartsWith("2 could not register proxy passed in kuma-dp run: "), HasSubstr("networking.address")));
}

TEST_F(RegistrationTest, A_refused_registration_removes_nothing) {
  start();
  EXPECT_THAT(end_of(first_with_resource("default.web-1", dataplane("web-1", "10.0.3.1")), {token("backend-1")}), StartsWith("2 authentication failed: "));
  EXPECT_THAT(end_of(first_with_resource("nowhere.web-1", "{type: Dataplane, mesh: nowhere, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}}]}}"), {"x"}),
              StartsWith("2 "));
  const auto call = open(kSotw);
  call->write(request(XdsType::Cluster));
  EXPECT_TRUE(call->read<DiscoveryResponse>());
  EXPECT_NE(harness_.find("Dataplane", {"default", "web-1"}), nullptr);
  EXPECT_THAT(harness_.get("Dataplane", {"default", "web-1"}), HasSubstr("10.0.0.1"));
}

}  // namespace
}  // namespace kuma::xds
