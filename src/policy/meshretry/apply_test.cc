#include "policy/meshretry/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/testing.h"

namespace kuma::policy::meshretry {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using mesh::Protocol;

class MeshRetryTest : public ::testing::Test {
 protected:
  MeshRetryTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put(
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
        "web}}]}}");
    mesh.put(
        "{type: Dataplane, mesh: default, name: all-1, networking: {address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: "
        "http, kuma.io/protocol: http}}, {port: 81, tags: {kuma.io/service: tcp, kuma.io/protocol: tcp}}, {port: 82, tags: "
        "{kuma.io/service: http2, kuma.io/protocol: http2}}, {port: 83, tags: {kuma.io/service: grpc, kuma.io/protocol: grpc}}]}}");
    add("http", http_listener());
    add("http2", http_listener());
    add("grpc", http_listener());
    Listener tcp;
    envoy::add_filter(*tcp.add_filter_chains(), envoy::kTcpProxy, envoy::TcpProxy());
    add("tcp", tcp);
  }

  static Listener http_listener() {
    Listener listener;
    envoy::Hcm hcm;
    auto& host = *hcm.mutable_route_config()->add_virtual_hosts();
    host.add_routes()->mutable_route()->mutable_retry_policy()->set_retry_on("before");
    host.add_routes()->mutable_redirect()->set_host_redirect("elsewhere");
    envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
    return listener;
  }
  void add(const std::string& service, const Listener& listener) {
    resources.outbounds.push_back({.address = "127.0.0.1", .port = 1, .tags = {{"kuma.io/service", service}}});
    ProxyResources::put(resources.listeners,
                        testing::draft_of(service, Origin::Outbound, testing::subject(service), listener));
  }
  void apply_conf(const std::string& conf) {
    mesh.put_unchecked("MeshRetry", "r", "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]}");
    mesh.apply(apply, "web-1", resources);
  }
  std::string route(const std::string& service, int number = 0) {
    envoy::Hcm hcm;
    testing::made(resources.listeners.at(service)).filter_chains(0).filters(0).typed_config().UnpackTo(&hcm);
    return testing::json_of(hcm.route_config().virtual_hosts(0).routes(number));
  }

  testing::Mesh mesh;
  ProxyResources resources;
};

TEST_F(MeshRetryTest, Puts_the_policy_on_routes_and_leaves_redirects_alone) {
  apply_conf("http: {numRetries: 3}, tcp: {maxConnectAttempt: 7}");
  EXPECT_EQ(route("http"),
            R"({"route":{"retryPolicy":{"retryOn":"gateway-error,connect-failure,refused-stream","numRetries":3}}})");
  EXPECT_EQ(route("http", 1), R"({"redirect":{"hostRedirect":"elsewhere"}})");
  EXPECT_THAT(testing::shaped_by(resources.listeners.at("http")), ElementsAre("r"));
  envoy::TcpProxy proxy;
  testing::made(resources.listeners.at("tcp")).filter_chains(0).filters(0).typed_config().UnpackTo(&proxy);
  EXPECT_EQ(testing::json_of(proxy), R"({"maxConnectAttempts":7})");
}

TEST_F(MeshRetryTest, Settings_without_a_part_for_the_protocol_take_the_route_s_policy_away) {
  apply_conf("http: {numRetries: 3}");
  EXPECT_EQ(route("grpc"), R"({"route":{}})");
}

TEST_F(MeshRetryTest, Services_of_HTTP2_have_no_retries) {
  apply_conf("http: {numRetries: 3}");
  EXPECT_THAT(resources.listeners.at("http2").changes, IsEmpty());
  EXPECT_THAT(testing::shaped_by(resources.listeners.at("http2")), IsEmpty());
}

TEST_F(MeshRetryTest, A_longest_interval_alone_gets_the_base_that_Envoy_asks_for) {
  apply_conf("http: {backOff: {maxInterval: 1s}}");
  EXPECT_THAT(route("http"), HasSubstr(R"("retryBackOff":{"baseInterval":"0.025s","maxInterval":"1s"})"));
}

TEST_F(MeshRetryTest, A_longest_interval_below_the_usual_base_is_the_base_too) {
  apply_conf("http: {backOff: {maxInterval: 5ms}}");
  EXPECT_THAT(route("http"), HasSubstr(R"("retryBackOff":{"baseInterval":"0.005s","maxInterval":"0.005s"})"));
}

TEST_F(MeshRetryTest, Settings_that_can_not_be_used_are_an_error_that_names_the_field) {
  apply_conf("http: {retryOn: [5xx, FromTheFuture]}");
  Listener listener = http_listener();
  const auto status = resources.listeners.at("http").changes.front().edit(listener);
  EXPECT_EQ(message_of(status), "default.conf.http.retryOn[1]: unknown item 'FromTheFuture'");
  EXPECT_EQ(resources.listeners.at("http").changes.front().blame->meta.name, "r");
}

TEST_F(MeshRetryTest, Listeners_of_services_that_speak_differently_are_not_shared) {
  apply_conf("http: {numRetries: 3}");
  EXPECT_NE(resources.listeners.at("http").key.text(), resources.listeners.at("grpc").key.text());
}

}  // namespace
}  // namespace kuma::policy::meshretry
