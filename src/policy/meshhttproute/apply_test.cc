#include "policy/meshhttproute/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/meshtcproute/apply.h"
#include "policy/testing.h"

namespace kuma::policy::meshhttproute {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class MeshHttpRouteTest : public ::testing::Test {
 protected:
  MeshHttpRouteTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
             "{kuma.io/service: web}}]}}");
    mesh.put("{type: Dataplane, mesh: default, name: all-1, networking: {address: 10.0.0.2, inbound: [{port: 80, tags: "
             "{kuma.io/service: a, kuma.io/protocol: http}}, {port: 81, tags: {kuma.io/service: raw, kuma.io/protocol: tcp}}, "
             "{port: 82, tags: {kuma.io/service: rpc, kuma.io/protocol: grpc}}]}}");
    for (const char* service : {"a", "raw", "rpc"}) {
      resources.outbounds.push_back(
          {.address = service, .port = 1, .tags = {{std::string(mesh::kServiceTag), service}}, .from_vip = false});
    }
  }

  void route(const std::string& name, const std::string& to) {
    mesh.put("{type: MeshHTTPRoute, mesh: default, name: " + name + ", spec: {targetRef: {kind: Mesh}, to: [" + to + "]}}");
  }
  static std::string to_a(const std::string& rules) { return "{targetRef: {kind: MeshService, name: a}, rules: [" + rules + "]}"; }

  // The routes of an outbound, each as its path and the clusters it leads to.
  std::vector<std::pair<std::string, std::string>> routes(const std::string& service) {
    mesh.apply(apply, "web-1", resources);
    envoy::Hcm hcm;
    testing::made(resources.listeners.at("outbound:" + service + ":1")).filter_chains(0).filters(0).typed_config().UnpackTo(&hcm);
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& one : hcm.route_config().virtual_hosts(0).routes()) {
      std::string clusters = one.route().cluster();
      for (const auto& part : one.route().weighted_clusters().clusters()) {
        clusters += fmt::format("{}:{} ", part.name(), part.weight().value());
      }
      const auto& match = one.match();
      all.emplace_back(match.has_safe_regex() ? match.safe_regex().regex() : match.path() + match.prefix(), clusters);
    }
    return all;
  }

  testing::Mesh mesh;
  ProxyResources resources;
};

TEST_F(MeshHttpRouteTest, Without_a_route_for_the_proxy_nothing_is_made) {
  mesh.apply(apply, "web-1", resources);
  EXPECT_THAT(resources.listeners, IsEmpty());
}

TEST_F(MeshHttpRouteTest, Any_route_makes_the_outbounds_of_http_services_and_of_no_others) {
  route("r", "{targetRef: {kind: MeshService, name: other}}");
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/", "a")));
  EXPECT_THAT(resources.listeners, ElementsAre(Pair("outbound:a:1", ::testing::_)));
}

TEST_F(MeshHttpRouteTest, A_prefix_is_of_whole_segments_and_what_nothing_matches_goes_to_the_service) {
  route("r", to_a("{matches: [{path: {type: PathPrefix, value: /v1}}], default: {}}"));
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/v1", "a"), Pair("/v1/", "a"), Pair("/", "a")));
}

TEST_F(MeshHttpRouteTest, Rules_stay_in_their_order_and_one_for_everything_in_its_place) {
  route("r", to_a("{matches: [{path: {type: PathPrefix, value: /}}], default: {}}, {matches: [{path: {type: Exact, value: /x}}], "
                  "default: {}}"));
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/", "a"), Pair("/x", "a")));
}

TEST_F(MeshHttpRouteTest, Equal_matches_of_two_policies_are_one_rule_of_which_the_later_settings_count) {
  route("a", to_a("{matches: [{path: {type: Exact, value: /x}}], default: {backendRefs: [{kind: MeshServiceSubset, name: a, tags: "
                  "{v: '1'}}]}}"));
  route("b", to_a("{matches: [{path: {type: Exact, value: /y}}], default: {}}, {matches: [{path: {type: Exact, value: /x}}], default: "
                  "{backendRefs: [{kind: MeshService, name: a, weight: 7}]}}"));
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/x", "a"), Pair("/y", "a"), Pair("/", "a")));
  EXPECT_THAT(testing::shaped_by(resources.listeners.at("outbound:a:1")), ElementsAre("a", "b"));
}

TEST_F(MeshHttpRouteTest, A_rule_with_a_backend_that_speaks_no_http_is_left_out_as_a_whole) {
  route("r", to_a("{matches: [{path: {type: Exact, value: /x}}], default: {backendRefs: [{kind: MeshService, name: a}, {kind: "
                  "MeshService, name: raw}]}}, {matches: [{path: {type: Exact, value: /y}}], default: {backendRefs: []}}, {matches: "
                  "[{path: {type: Exact, value: /z}}], default: {backendRefs: [{kind: MeshService, name: raw, weight: 0}, {kind: "
                  "MeshService, name: a, weight: 3}]}}"));
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/z", "a"), Pair("/", "a")));
}

TEST_F(MeshHttpRouteTest, A_TCP_service_with_usable_backends_becomes_HTTP_without_a_way_to_itself) {
  route("r", "{targetRef: {kind: MeshService, name: raw}, rules: [{matches: [{path: {type: Exact, value: /x}}], default: {backendRefs: "
             "[{kind: MeshService, name: a}]}}]}");
  EXPECT_THAT(routes("raw"), ElementsAre(Pair("/x", "a")));
  EXPECT_EQ(resources.listeners.at("outbound:raw:1").subject->protocol, mesh::Protocol::Http);
}

TEST_F(MeshHttpRouteTest, A_mirror_that_speaks_no_http_is_left_out_and_named) {
  route("r", to_a("{matches: [{path: {type: Exact, value: /x}}], default: {filters: [{type: RequestMirror, requestMirror: {backendRef: "
                  "{kind: MeshService, name: raw}}}]}}"));
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/x", "a"), Pair("/", "a")));
  EXPECT_THAT(resources.problems,
              ElementsAre(Problem{{"MeshHTTPRoute", "r", "default"},
                                  "requests are not mirrored to the service \"raw\": it has no instances that speak http or http2"}));
}

TEST_F(MeshHttpRouteTest, A_stored_route_that_validation_would_refuse_is_left_out_alone) {
  route("good", to_a("{matches: [{path: {type: Exact, value: /x}}], default: {}}"));
  mesh.put_unchecked("MeshHTTPRoute", "bad",
                     "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: a}, rules: [{matches: [{path: {type: "
                     "RegularExpression, value: '['}}], default: {}}]}]}");
  EXPECT_THAT(routes("a"), ElementsAre(Pair("/x", "a"), Pair("/", "a")));
  EXPECT_THAT(mesh.apply(apply, "web-1", resources), ElementsAre(::testing::Field(&Problem::message, HasSubstr("regular expression"))));
}

TEST_F(MeshHttpRouteTest, A_TCP_route_gives_way_to_an_HTTP_route_of_the_service_but_not_to_one_of_another) {
  mesh.put("{type: MeshTCPRoute, mesh: default, name: t, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: "
           "a}, rules: [{default: {backendRefs: [{kind: MeshService, name: raw}]}}]}]}}");
  auto filter = [&](const std::string& route_to) {
    route("r", "{targetRef: {kind: MeshService, name: " + route_to + "}}");
    mesh.apply(apply, "web-1", resources);
    mesh.apply(meshtcproute::apply, "web-1", resources);
    return testing::made(resources.listeners.at("outbound:a:1")).filter_chains(0).filters(0).name();
  };
  EXPECT_EQ(filter("a"), envoy::kHttpConnectionManager);
  EXPECT_EQ(filter("raw"), envoy::kTcpProxy);
}

TEST_F(MeshHttpRouteTest, A_TCP_route_to_what_cannot_be_used_closes_connections) {
  mesh.put("{type: MeshTCPRoute, mesh: default, name: t, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: "
           "rpc}}]}}");
  mesh.apply(meshtcproute::apply, "web-1", resources);
  EXPECT_EQ(testing::made(resources.listeners.at("outbound:rpc:1")).filter_chains(0).filters_size(), 0);
}

}  // namespace
}  // namespace kuma::policy::meshhttproute
