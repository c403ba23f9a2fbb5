#include "mads/service.h"

#include <future>

#include "dp/fake_executor.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "net/client.h"
#include "observability/v1/mads.pb.h"
#include "store/memory_store.h"

namespace kuma::mads {
namespace {

using namespace std::chrono_literals;
using ::envoy::service::discovery::v3::DiscoveryResponse;

constexpr char kMesh[] = R"({"type": "Mesh", "name": "default", "metrics": {"enabledBackend": "p", "backends": [{"name": "p", "type": "prometheus"}]}})";
constexpr char kPath[] = "/v3/discovery:monitoringassignments";

class MadsTest : public ::testing::Test {
 protected:
  MadsTest() : store(store::make_memory_store(registry, executor.clock())) {}

  void put(std::string_view document) {
    auto read = model::from_rest(registry, parse_json(document).value());
    ASSERT_TRUE(read.ok()) << read.status();
    model::Resource resource = std::move(read->resource);
    if (const auto stored = store->get(*resource.type, {resource.meta.mesh, resource.meta.name}); stored.ok()) {
      resource.meta.version = (*stored)->meta.version;
      ASSERT_TRUE(store->update(std::move(resource)).ok());
    } else {
      ASSERT_TRUE(store->create(std::move(resource)).ok());
    }
  }
  void dataplane(std::string_view name, std::string_view of = "web", std::string_view more = "") {
    put(fmt::format(R"({{"type": "Dataplane", "mesh": "default", "name": "{}", "networking": {{"address": "10.0.0.1",
        "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "{}", "version": "v1"}}}}]}}{}}})", name, of, more));
  }

  struct Catch : net::HttpResponder::Impl {
    explicit Catch(std::shared_ptr<std::optional<net::HttpResponse>> to) : answer(std::move(to)) {}
    void send(net::HttpResponse response) override { *answer = std::move(response); }
    std::shared_ptr<std::optional<net::HttpResponse>> answer;
  };
  using Pending = std::shared_ptr<std::optional<net::HttpResponse>>;
  // Asks; nothing is run yet but what is due now.
  Pending ask(std::string body = "{}", std::string query = "", std::string method = "POST") {
    if (service == nullptr) {
      service = std::make_unique<Service>(Service::Options{.waiting_max = waiting_max}, registry, *store, executor);
    }
    auto answer = std::make_shared<std::optional<net::HttpResponse>>();
    net::HttpRequest request{.method = std::move(method), .target = kPath + query, .body = std::move(body)};
    service->http_handler()(std::move(request), net::HttpResponder(std::make_unique<Catch>(answer)));
    executor.advance(0s);
    return answer;
  }
  static std::string version_of(const Pending& answer) {
    return std::string(find(parse_json((*answer)->body).value(), "version_info")->get_string());
  }
  Pending wait_for_news(const Pending& after, const std::string& query = "") {
    return ask(fmt::format(R"({{"version_info": "{}"}})", version_of(after)), query);
  }

  model::Registry registry{model::core_types()};
  dp::FakeExecutor executor;
  std::unique_ptr<store::Store> store;
  size_t waiting_max = 100;
  std::unique_ptr<Service> service;
};

TEST_F(MadsTest, Refuses_what_is_no_request) {
  EXPECT_EQ((*ask("[1"))->status, 400);
  EXPECT_NE((*ask("[1"))->body.find(R"({"type":"","status":0,"title":"Could not parse request body")"), std::string::npos);
  EXPECT_EQ((*ask("1"))->status, 400);
  EXPECT_EQ((*ask("{}", "?fetch-timeout=zz"))->body,
            R"({"type":"","status":0,"title":"Could not parse fetch-timeout","detail":"time: invalid duration \"zz\"",)"
            R"("details":"time: invalid duration \"zz\""})");
  EXPECT_EQ((*ask("{}", "", "GET"))->status, 405);
  EXPECT_EQ((*ask("{}", "/x"))->status, 404);
}

TEST_F(MadsTest, Without_Prometheus_in_the_mesh_there_is_nobody_to_scrape) {
  put(R"({"type": "Mesh", "name": "default"})");
  dataplane("web-1");
  const json::value body = parse_json((*ask())->body).value();
  EXPECT_EQ(to_json(*find(body, "resources")), "[]");
}

TEST_F(MadsTest, Tells_target_and_labels_of_a_dataplane) {
  put(kMesh);
  dataplane("web-1");
  const json::value body = parse_json((*ask())->body).value();
  EXPECT_EQ(to_json(*find(body, "resources")),
            R"([{"@type":"type.googleapis.com/kuma.observability.v1.MonitoringAssignment","mesh":"default","service":"web","targets":)"
            R"([{"name":"web-1","scheme":"http","address":"10.0.0.1:5670","metrics_path":"/metrics","labels":{"kuma_io_service":"web",)"
            R"("kuma_io_services":",web,","version":"v1","versions":",v1,"}}]}])");
}

TEST_F(MadsTest, A_dataplanes_own_settings_go_before_the_meshs) {
  put(kMesh);
  dataplane("web-1", "web", R"(, "metrics": {"type": "prometheus", "conf": {"port": 1234, "path": "/m", "tls": {"mode": "providedTLS"}}})");
  const std::string body = (*ask())->body;
  EXPECT_NE(body.find(R"("scheme":"https","address":"10.0.0.1:1234","metrics_path":"/m")"), std::string::npos) << body;
}

TEST_F(MadsTest, Of_several_backends_the_enabled_one_counts_and_of_none_nobody_is_scraped) {
  const auto mesh = [](std::string_view enabled) {
    return fmt::format(R"({{"type": "Mesh", "name": "default", "metrics": {{"enabledBackend": "{}", "backends": [
        {{"name": "a", "type": "prometheus", "conf": {{"port": 1111, "path": "/a"}}}},
        {{"name": "b", "type": "prometheus", "conf": {{"port": 2222, "path": "/b"}}}}]}}}})", enabled);
  };
  put(mesh("b"));
  dataplane("web-1");
  const Pending first = ask();
  EXPECT_NE((*first)->body.find(R"("address":"10.0.0.1:2222","metrics_path":"/b")"), std::string::npos) << (*first)->body;
  const Pending waiting = wait_for_news(first);
  put(mesh(""));
  executor.advance(1s);
  ASSERT_TRUE(waiting->has_value());
  EXPECT_NE((*waiting)->body.find(R"("resources":[])"), std::string::npos) << (*waiting)->body;
}

TEST_F(MadsTest, A_dataplane_is_scraped_where_others_reach_it) {
  put(kMesh);
  put(R"({"type": "Dataplane", "mesh": "default", "name": "behind", "networking": {"address": "10.0.0.1", "advertisedAddress": "fd00::1",
      "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})");
  EXPECT_NE((*ask())->body.find(R"("address":"[fd00::1]:5670")"), std::string::npos);
}

TEST_F(MadsTest, A_timeout_that_says_nothing_is_none) {
  put(kMesh);
  const Pending waiting = wait_for_news(ask(), "?fetch-timeout=");
  executor.advance(29s);
  EXPECT_FALSE(waiting->has_value());
  executor.advance(1s);
  EXPECT_EQ((*waiting)->status, 304);
}

TEST_F(MadsTest, A_known_version_waits_for_the_next_and_then_304) {
  put(kMesh);
  dataplane("web-1");
  const Pending first = ask();
  const Pending waiting = wait_for_news(first, "?fetch-timeout=2s");
  executor.advance(1999ms);
  EXPECT_FALSE(waiting->has_value());
  executor.advance(1ms);
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->status, 304);
  EXPECT_EQ((*waiting)->body, "");
  EXPECT_EQ((*wait_for_news(first, "?fetch-timeout=0s"))->status, 304);
}

TEST_F(MadsTest, A_new_dataplane_is_told_to_who_waits_within_the_refresh_interval) {
  put(kMesh);
  dataplane("web-1");
  const Pending waiting = wait_for_news(ask());
  dataplane("web-2");
  executor.advance(1s);
  ASSERT_TRUE(waiting->has_value());
  EXPECT_NE((*waiting)->body.find("web-2"), std::string::npos);
}

TEST_F(MadsTest, What_changes_nothing_for_Prometheus_wakes_nobody) {
  put(kMesh);
  dataplane("web-1");
  const Pending waiting = wait_for_news(ask());
  dataplane("web-1", "web", R"(, "probes": {"port": 9000})");
  executor.advance(5s);
  EXPECT_FALSE(waiting->has_value());
}

TEST_F(MadsTest, The_default_wait_is_30_seconds) {
  put(kMesh);
  const Pending waiting = wait_for_news(ask());
  executor.advance(29s);
  EXPECT_FALSE(waiting->has_value());
  executor.advance(1s);
  EXPECT_EQ((*waiting)->status, 304);
}

TEST_F(MadsTest, More_clients_than_may_wait_are_answered_at_once) {
  waiting_max = 1;
  put(kMesh);
  const Pending first = ask();
  const Pending waits = wait_for_news(first);
  EXPECT_FALSE(waits->has_value());
  EXPECT_EQ((*wait_for_news(first))->status, 304);
}

// ---- gRPC, over a real connection

// Hands each response on, and acknowledges it.
class Client final : public net::GrpcStreamHandler {
 public:
  Client(net::GrpcStream& stream, std::vector<std::promise<DiscoveryResponse>>& responses) : stream_(stream), responses_(responses) {
    stream_.send({.head = ::envoy::service::discovery::v3::DiscoveryRequest().SerializeAsString(), .pieces = {}});
  }
  void on_message(std::string_view bytes) override {
    DiscoveryResponse response;
    ASSERT_TRUE(response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    ::envoy::service::discovery::v3::DiscoveryRequest acknowledgement;
    acknowledgement.set_version_info(response.version_info());
    acknowledgement.set_response_nonce(response.nonce());
    stream_.send({.head = acknowledgement.SerializeAsString(), .pieces = {}});
    ASSERT_LT(count_, responses_.size());
    responses_[count_++].set_value(std::move(response));
  }
  void on_closed(net::GrpcStatus) override {}

 private:
  net::GrpcStream& stream_;
  std::vector<std::promise<DiscoveryResponse>>& responses_;
  size_t count_ = 0;
};

TEST_F(MadsTest, A_gRPC_stream_is_told_of_each_change_once) {
  put(kMesh);
  dataplane("web-1");
  std::vector<std::promise<DiscoveryResponse>> responses(2);
  net::Loops loops(2);
  Service over_grpc({.refresh_interval = 1ms}, registry, *store, loops.at(0));
  net::Server server(loops, {.name = "mads", .address = "127.0.0.1"});
  server.handle_http(over_grpc.http_handler());
  over_grpc.serve_grpc(server);
  ASSERT_TRUE(server.start().ok());
  {
    net::GrpcChannel channel(loops.at(1), {.host = "127.0.0.1", .port = server.port()});
    channel.open_stream("/kuma.observability.v1.MonitoringAssignmentDiscoveryService/StreamMonitoringAssignments", {},
                        [&](net::GrpcStream& stream) { return std::make_unique<Client>(stream, responses); });
    auto next = [&](size_t i) {
      auto future = responses[i].get_future();
      EXPECT_EQ(future.wait_for(20s), std::future_status::ready) << i;
      return future.wait_for(0s) == std::future_status::ready ? future.get() : DiscoveryResponse();
    };
    const DiscoveryResponse first = next(0);
    EXPECT_EQ(first.type_url(), kTypeUrl);
    EXPECT_EQ(first.nonce(), "1");
    ASSERT_EQ(first.resources_size(), 1);
    ::kuma::observability::v1::MonitoringAssignment assignment;
    ASSERT_TRUE(first.resources(0).UnpackTo(&assignment));
    EXPECT_EQ(assignment.service(), "web");
    EXPECT_EQ(assignment.targets(0).labels().at("kuma_io_services"), ",web,");
    dataplane("web-2");
    const DiscoveryResponse second = next(1);
    EXPECT_EQ(second.resources_size(), 2);
    EXPECT_NE(second.version_info(), first.version_info());
  }
  server.stop(0s);
  over_grpc.stop();
  loops.stop();
}

}  // namespace
}  // namespace kuma::mads
