#include "policy/meshtimeout/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/route_name.h"
#include "policy/testing.h"

namespace kuma::policy::meshtimeout {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RouteConfiguration;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using mesh::Protocol;

Listener http_listener(const std::vector<std::string>& routes) {
  Listener listener;
  envoy::Hcm hcm;
  auto& host = *hcm.mutable_route_config()->add_virtual_hosts();
  for (const std::string& name : routes) {
    auto& route = *host.add_routes();
    route.set_name(name);
    route.mutable_route()->set_cluster("c");
  }
  host.add_routes()->mutable_redirect()->set_host_redirect("elsewhere");
  envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
  return listener;
}

class MeshTimeoutTest : public ::testing::Test {
 protected:
  MeshTimeoutTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put(
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, servicePort: 8080, tags: "
        "{kuma.io/service: web, kuma.io/protocol: http}}, {port: 81, tags: {kuma.io/service: raw}}]}}");
    ProxyResources::put(resources.listeners,
                        testing::draft_of("inbound:10.0.0.1:80", Origin::Inbound,
                                          testing::subject("web", Protocol::Http), http_listener({""})));
    Listener raw;
    envoy::add_filter(*raw.add_filter_chains(), envoy::kTcpProxy, envoy::TcpProxy());
    ProxyResources::put(resources.listeners,
                        testing::draft_of("inbound:10.0.0.1:81", Origin::Inbound, testing::subject("raw"), raw));
    add_cluster("localhost:8080", Origin::Inbound, "web", Protocol::Http);
    add_cluster("localhost:81", Origin::Inbound, "raw", Protocol::Unknown);
  }

  void add_cluster(const std::string& name, Origin origin, const std::string& service, Protocol protocol) {
    Cluster cluster;
    cluster.set_name(name);
    ProxyResources::put(resources.clusters,
                        testing::draft_of(name, origin, testing::subject(service, protocol), cluster));
  }
  void add_outbound(const std::string& service, Protocol protocol, Listener listener) {
    ProxyResources::put(resources.listeners, testing::draft_of("outbound:" + service, Origin::Outbound,
                                                               testing::subject(service, protocol), listener));
  }
  void timeout(const std::string& name, const std::string& spec) {
    mesh.put("{type: MeshTimeout, mesh: default, name: " + name + ", spec: {" + spec + "}}");
  }
  void apply_all() { mesh.apply(apply, "web-1", resources); }

  envoy::Hcm hcm(const std::string& listener) {
    envoy::Hcm unpacked;
    testing::made(resources.listeners.at(listener)).filter_chains(0).filters(0).typed_config().UnpackTo(&unpacked);
    return unpacked;
  }
  std::string route(const std::string& listener, int number = 0) {
    return testing::json_of(hcm(listener).route_config().virtual_hosts(0).routes(number).route());
  }
  std::string tcp(const std::string& listener) {
    envoy::TcpProxy unpacked;
    testing::made(resources.listeners.at(listener)).filter_chains(0).filters(0).typed_config().UnpackTo(&unpacked);
    return testing::json_of(unpacked);
  }
  std::string cluster(const std::string& name) { return testing::json_of(testing::made(resources.clusters.at(name))); }

  testing::Mesh mesh;
  ProxyResources resources;
};

TEST_F(MeshTimeoutTest, Does_nothing_to_a_proxy_that_no_policy_selects) {
  timeout("t", "targetRef: {kind: MeshService, name: other}, from: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1s}}]");
  apply_all();
  for (const auto& [name, listener] : resources.listeners) {
    EXPECT_THAT(listener.changes, IsEmpty());
  }
}

TEST_F(MeshTimeoutTest, What_a_policy_leaves_out_has_its_default) {
  timeout("t", "targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 3s}}]");
  apply_all();
  EXPECT_EQ(route("inbound:10.0.0.1:80"), R"({"cluster":"c","timeout":"15s","idleTimeout":"1800s"})");
  EXPECT_EQ(tcp("inbound:10.0.0.1:81"), R"({"idleTimeout":"3600s"})");
  EXPECT_EQ(hcm("inbound:10.0.0.1:80").common_http_protocol_options().idle_timeout().seconds(), 0);
  EXPECT_EQ(cluster("localhost:8080"),
            R"({"name":"localhost:8080","connectTimeout":"3s","typedExtensionProtocolOptions":{)"
            R"("envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{)"
            R"("@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",)"
            R"("commonHttpProtocolOptions":{"idleTimeout":"3600s","maxConnectionDuration":"0s","maxStreamDuration":"0s"}}}})");
  EXPECT_EQ(cluster("localhost:81"), R"({"name":"localhost:81","connectTimeout":"3s"})");
}

TEST_F(MeshTimeoutTest, An_inbound_that_is_not_selected_has_defaults_as_soon_as_another_one_is) {
  timeout("t", "targetRef: {kind: MeshService, name: raw}, from: [{targetRef: {kind: Mesh}, default: {idleTimeout: 9s}}]");
  apply_all();
  EXPECT_EQ(tcp("inbound:10.0.0.1:81"), R"({"idleTimeout":"9s"})");
  EXPECT_EQ(route("inbound:10.0.0.1:80"), R"({"cluster":"c","timeout":"15s","idleTimeout":"1800s"})");
}

TEST_F(MeshTimeoutTest, An_inbound_that_is_selected_without_a_rule_keeps_its_routes) {
  timeout("t", "targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 9s}}]");
  apply_all();
  EXPECT_EQ(route("inbound:10.0.0.1:80"), R"({"cluster":"c"})");
  EXPECT_TRUE(hcm("inbound:10.0.0.1:80").common_http_protocol_options().has_idle_timeout());
  EXPECT_EQ(tcp("inbound:10.0.0.1:81"), "{}");
  EXPECT_EQ(cluster("localhost:81"), R"({"name":"localhost:81"})");
}

TEST_F(MeshTimeoutTest, Changes_the_listener_and_all_clusters_of_a_destination) {
  timeout("t",
          "targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: a}, default: {idleTimeout: 7s, http: "
          "{requestTimeout: 0s, streamIdleTimeout: 2s, maxStreamDuration: 3s, maxConnectionDuration: 4s}}}]");
  add_outbound("a", Protocol::Http, http_listener({"x"}));
  add_outbound("b", Protocol::Http, http_listener({"x"}));
  add_cluster("a-0123456789abcdef", Origin::Outbound, "a", Protocol::Http2);
  add_cluster("a", Origin::Outbound, "a", Protocol::Grpc);
  add_cluster("b", Origin::Outbound, "b", Protocol::Http);
  apply_all();
  EXPECT_EQ(route("outbound:a"), R"({"cluster":"c","timeout":"0s","idleTimeout":"2s"})");
  EXPECT_THAT(cluster("a-0123456789abcdef"),
              HasSubstr(R"("commonHttpProtocolOptions":{"idleTimeout":"7s","maxConnectionDuration":"4s","maxStreamDuration":"3s"})"));
  EXPECT_EQ(cluster("a"), R"({"name":"a","connectTimeout":"5s"})") << "gRPC streams live as long as they like";
  EXPECT_EQ(route("outbound:b"), R"({"cluster":"c"})");
  EXPECT_EQ(cluster("b"), R"({"name":"b"})");
  EXPECT_THAT(testing::shaped_by(resources.clusters.at("a")), ElementsAre("t"));
}

TEST_F(MeshTimeoutTest, A_policy_for_a_route_changes_its_requests_and_no_others) {
  mesh.put(
      "{type: MeshHTTPRoute, mesh: default, name: r, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: "
      "a}, rules: [{matches: [{path: {type: Exact, value: /x}}], default: {}}]}]}}");
  timeout("all", "targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 1s}}}]");
  timeout("narrow",
          "targetRef: {kind: MeshHTTPRoute, name: r}, to: [{targetRef: {kind: Mesh}, default: {http: {streamIdleTimeout: 9s}}}]");
  const std::string name = route_name(*parse_yaml("[{path: {type: Exact, value: /x}}]"));
  add_outbound("a", Protocol::Http, http_listener({name, "other", ""}));
  add_outbound("b", Protocol::Http, http_listener({name}));
  apply_all();
  EXPECT_EQ(route("outbound:a", 0), R"({"cluster":"c","timeout":"1s","idleTimeout":"9s"})");
  EXPECT_EQ(route("outbound:a", 1), R"({"cluster":"c","timeout":"1s","idleTimeout":"1800s"})");
  // Who has no name can't be told from the requests of the route, so no rule is for it: the reference's lookup.
  EXPECT_EQ(route("outbound:a", 2), R"({"cluster":"c"})");
  EXPECT_EQ(route("outbound:b", 0), R"({"cluster":"c","timeout":"1s","idleTimeout":"1800s"})");
}

TEST_F(MeshTimeoutTest, A_policy_for_a_route_that_is_not_there_does_nothing_and_says_so) {
  timeout("t", "targetRef: {kind: MeshHTTPRoute, name: gone}, to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 1s}}}]");
  EXPECT_THAT(mesh.apply(apply, "web-1", resources),
              ElementsAre(Problem{{"MeshTimeout", "t", "default"},
                                  "unable to resolve TargetRef on policy: mesh:'default' name:'t' error:'couldn't resolve "
                                  "MeshHTTPRoute targetRef with name 'gone''"}));
  EXPECT_THAT(resources.listeners.at("inbound:10.0.0.1:80").changes, IsEmpty());
}

TEST_F(MeshTimeoutTest, On_gateways_only_items_for_everything_reach_routes_and_streams_keep_their_idle_timeout) {
  RouteConfiguration config;
  auto& action = *config.add_virtual_hosts()->add_routes()->mutable_route();
  action.set_cluster("c");
  action.mutable_idle_timeout()->set_seconds(5);
  ProxyResources::put(resources.routes, testing::draft_of("gw", Origin::Gateway, {}, config));
  add_cluster("a-0123456789abcdef", Origin::Gateway, "a", Protocol::Http);
  timeout("t", "targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 2s}}}]");
  apply_all();
  EXPECT_EQ(testing::json_of(testing::made(resources.routes.at("gw")).virtual_hosts(0).routes(0).route()),
            R"({"cluster":"c","timeout":"2s","idleTimeout":"5s"})");
  EXPECT_THAT(cluster("a-0123456789abcdef"), HasSubstr(R"("idleTimeout":"3600s")"));
}

// Two proxies whose settings are equal share one resource, whatever policies they come from.
TEST_F(MeshTimeoutTest, The_same_settings_of_another_policy_give_the_same_key) {
  add_cluster("a", Origin::Outbound, "a", Protocol::Http);
  ProxyResources second = resources;
  timeout("t", "targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 7s}}]");
  apply_all();
  mesh.remove("MeshTimeout", "t");
  timeout("u", "targetRef: {kind: MeshService, name: web}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 7s}}]");
  mesh.apply(apply, "web-1", second);
  EXPECT_EQ(resources.clusters.at("a").key.text(), second.clusters.at("a").key.text());
  ProxyResources third = second;
  mesh.apply(apply, "web-1", third);
  EXPECT_NE(third.clusters.at("a").key.text(), second.clusters.at("a").key.text());
}

}  // namespace
}  // namespace kuma::policy::meshtimeout
