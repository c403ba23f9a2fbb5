#include "policy/meshproxypatch/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/testing.h"

namespace kuma::policy::meshproxypatch {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A proxy with a cluster inbound and one outbound, a listener with HTTP and one with TCP.
class MeshProxyPatchTest : public ::testing::Test {
 protected:
  MeshProxyPatchTest() {
    mesh_.put("{type: Mesh, name: default}");
    mesh_.put("{type: Dataplane, mesh: default, name: web, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
              "{kuma.io/service: web, colour: red}}]}}");
    Cluster cluster;
    cluster.set_name("backend");
    cluster.mutable_connect_timeout()->set_seconds(5);
    cluster.mutable_connect_timeout()->set_nanos(1);
    ProxyResources::put(resources_.clusters, testing::draft_of("backend", Origin::Outbound, testing::subject("backend"), cluster));
    cluster.set_name("localhost:80");
    ProxyResources::put(resources_.clusters, testing::draft_of("localhost:80", Origin::Inbound, testing::subject("web"), cluster));
    ProxyResources::put(resources_.listeners, testing::draft_of("http", Origin::Inbound, testing::subject("web"), http_listener()));
    ProxyResources::put(resources_.listeners, testing::draft_of("tcp", Origin::Outbound, testing::subject("db"), tcp_listener()));
  }

  static Listener http_listener() {
    Listener listener;
    envoy::Hcm hcm;
    hcm.mutable_route_config()->set_name("inbound:web");
    auto& host = *hcm.mutable_route_config()->add_virtual_hosts();
    host.set_name("web");
    host.add_domains("*");
    envoy::add_grpc_stats(hcm);
    envoy::add_router(hcm);
    envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
    envoy::set_tags_metadata(listener, {{"kuma.io/service", "web"}});
    return listener;
  }
  static Listener tcp_listener() {
    Listener listener;
    TcpProxy proxy;
    proxy.set_stat_prefix("db");
    proxy.mutable_idle_timeout()->set_seconds(60);
    envoy::add_filter(*listener.add_filter_chains(), envoy::kTcpProxy, proxy);
    envoy::set_tags_metadata(listener, {{"kuma.io/service", "db"}});
    return listener;
  }

  void patch(const std::string& name, const std::string& modifications, const std::string& target = "kind: Mesh") {
    mesh_.put("{type: MeshProxyPatch, mesh: default, name: " + name + ", spec: {targetRef: {" + target +
              "}, default: {appendModifications: [" + modifications + "]}}}");
  }
  void apply_one(const std::string& modification) {
    patch("p", modification);
    EXPECT_THAT(mesh_.apply(apply, "web", resources_), IsEmpty());
  }
  Cluster cluster(const std::string& name) { return testing::made(resources_.clusters.at(name)); }
  // The names of a listener's network filters, and of its HTTP filters in brackets.
  std::string filters(const std::string& name) {
    std::string line;
    const Listener listener = testing::made(resources_.listeners.at(name));
    for (const auto& chain : listener.filter_chains()) {
      for (const auto& filter : chain.filters()) {
        line += filter.name().substr(filter.name().rfind('.') + 1) + " ";
        envoy::Hcm hcm;
        if (filter.typed_config().UnpackTo(&hcm)) {
          for (const auto& one : hcm.http_filters()) {
            line += "[" + one.name().substr(one.name().rfind('.') + 1) + "] ";
          }
        }
      }
    }
    return line;
  }
  envoy::Hcm hcm() {
    envoy::Hcm hcm;
    EXPECT_TRUE(testing::made(resources_.listeners.at("http")).filter_chains(0).filters(0).typed_config().UnpackTo(&hcm));
    return hcm;
  }
  TcpProxy tcp_proxy() {
    TcpProxy proxy;
    EXPECT_TRUE(testing::made(resources_.listeners.at("tcp")).filter_chains(0).filters(0).typed_config().UnpackTo(&proxy));
    return proxy;
  }
  // What goes wrong on a resource.
  template <typename Message>
  static std::vector<std::string> errors_of(const Draft<Message>& draft) {
    std::vector<std::string> errors;
    Message message;
    draft.make(message);
    for (const auto& change : draft.changes) {
      if (absl::Status status = change.edit(message); !status.ok()) {
        errors.push_back(std::string(message_of(status)));
      }
    }
    return errors;
  }

  testing::Mesh mesh_;
  ProxyResources resources_;
};

TEST_F(MeshProxyPatchTest, Adds_a_cluster_which_later_modifications_see) {
  patch("p", "{cluster: {operation: Add, value: '{name: c1, connectTimeout: 5s, type: STATIC}'}}, {cluster: {operation: Patch, match: "
             "{name: c1}, value: '{connectTimeout: 7s, altStatName: zz}'}}, {cluster: {operation: Patch, match: {origin: "
             "mesh-proxy-patch}, jsonPatches: [{op: replace, path: /connectTimeout, value: 9s}, {op: remove, path: /nope}, {op: add, "
             "path: /bogusField, value: 1}, {op: add, path: /circuitBreakers/thresholds/-, value: {maxConnections: 3}}]}}");
  patch("a", "{cluster: {operation: Patch, match: {name: c1}, value: 'altStatName: fromservice'}}", "kind: MeshService, name: web");
  mesh_.apply(apply, "web", resources_);
  EXPECT_EQ(testing::json_of(cluster("c1")),
            R"({"name":"c1","type":"STATIC","connectTimeout":"9s","circuitBreakers":{"thresholds":[{"maxConnections":3}]},)"
            R"("altStatName":"fromservice"})");
}

TEST_F(MeshProxyPatchTest, Durations_are_replaced_and_lists_are_appended) {
  apply_one("{cluster: {operation: Patch, match: {name: backend}, value: 'connectTimeout: 2s'}}");
  EXPECT_EQ(testing::json_of(cluster("backend")), R"({"name":"backend","connectTimeout":"2s"})");
  EXPECT_EQ(cluster("localhost:80").connect_timeout().seconds(), 5);
  apply_one("{virtualHost: {operation: Patch, match: {name: web}, value: 'domains: [x.y]'}}");
  EXPECT_THAT(hcm().route_config().virtual_hosts(0).domains(), ElementsAre("*", "x.y"));
}

TEST_F(MeshProxyPatchTest, Removes_what_matches_by_origin_name_and_tags) {
  apply_one("{cluster: {operation: Remove, match: {origin: inbound, name: backend}}}");
  EXPECT_EQ(resources_.clusters.size(), 2U);
  apply_one("{cluster: {operation: Remove, match: {origin: inbound}}}");
  EXPECT_EQ(resources_.clusters.size(), 1U);
  apply_one("{listener: {operation: Remove, match: {tags: {kuma.io/service: nobody}}}}");
  EXPECT_EQ(resources_.listeners.size(), 2U);
  apply_one("{listener: {operation: Remove, match: {tags: {kuma.io/service: '*'}}}}");
  EXPECT_EQ(resources_.listeners.size(), 0U);
}

TEST_F(MeshProxyPatchTest, HTTP_filters_are_placed_first_last_before_and_after) {
  auto add = [](const char* operation, const char* name, const char* match) {
    return fmt::format("{{httpFilter: {{operation: {}, match: {{{}}}, value: 'name: {}'}}}}", operation, match, name);
  };
  apply_one(add("AddFirst", "first", "origin: inbound") + "," + add("AddLast", "last", "") + "," +
            add("AddBefore", "before", "name: envoy.filters.http.router") + "," + add("AddAfter", "after", "name: first") + "," +
            add("AddAfter", "nowhere", "name: missing") + ", {httpFilter: {operation: Remove, match: {name: last}}}");
  EXPECT_EQ(filters("http"), "http_connection_manager [first] [after] [grpc_stats] [before] [router] ");
  EXPECT_EQ(filters("tcp"), "tcp_proxy ");
}

TEST_F(MeshProxyPatchTest, Network_filters_are_placed_in_listeners_by_tags_and_name) {
  apply_one("{networkFilter: {operation: AddFirst, match: {listenerTags: {kuma.io/service: db}}, value: 'name: one'}}, {networkFilter: "
            "{operation: AddLast, match: {listenerName: http}, value: 'name: two'}}");
  EXPECT_EQ(filters("tcp"), "one tcp_proxy ");
  EXPECT_EQ(filters("http"), "http_connection_manager [grpc_stats] [router] two ");
}

TEST_F(MeshProxyPatchTest, A_filter_is_patched_in_what_configures_it) {
  apply_one("{networkFilter: {operation: Patch, match: {name: envoy.filters.network.tcp_proxy}, value: '{name: ignored, typedConfig: "
            "{\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, idleTimeout: 7s, cluster: c}}'}}, "
            "{networkFilter: {operation: Patch, match: {name: envoy.filters.network.tcp_proxy}, jsonPatches: [{op: replace, path: "
            "/statPrefix, value: renamed}]}}");
  EXPECT_EQ(testing::json_of(tcp_proxy()), R"({"statPrefix":"renamed","cluster":"c","idleTimeout":"7s"})");
  EXPECT_EQ(filters("tcp"), "tcp_proxy ");
}

TEST_F(MeshProxyPatchTest, A_wrapped_zero_does_not_overwrite_but_a_JSON_patch_does) {
  apply_one("{virtualHost: {operation: Patch, match: {}, value: 'retryPolicy: {numRetries: 5}'}}, {virtualHost: {operation: Patch, "
            "match: {}, value: 'retryPolicy: {numRetries: 0}'}}");
  EXPECT_EQ(hcm().route_config().virtual_hosts(0).retry_policy().num_retries().value(), 5U);
  apply_one("{virtualHost: {operation: Patch, match: {}, jsonPatches: [{op: replace, path: /retryPolicy/numRetries, value: 0}]}}");
  EXPECT_EQ(hcm().route_config().virtual_hosts(0).retry_policy().num_retries().value(), 0U);
}

TEST_F(MeshProxyPatchTest, Virtual_hosts_are_added_to_route_configurations_by_name) {
  apply_one("{virtualHost: {operation: Add, match: {routeConfigurationName: other}, value: '{name: x, domains: [x]}'}}, {virtualHost: "
            "{operation: Add, match: {routeConfigurationName: 'inbound:web'}, value: '{name: y, domains: [y]}'}}");
  ASSERT_EQ(hcm().route_config().virtual_hosts_size(), 2);
  EXPECT_EQ(hcm().route_config().virtual_hosts(1).name(), "y");
}

TEST_F(MeshProxyPatchTest, What_can_not_be_done_is_left_out_and_named) {
  apply_one("{networkFilter: {operation: Patch, match: {name: envoy.filters.network.tcp_proxy}, value: 'typedConfig: {\"@type\": "
            "type.googleapis.com/envoy.config.cluster.v3.Cluster}'}}, {networkFilter: {operation: Patch, match: {name: "
            "envoy.filters.network.tcp_proxy}, jsonPatches: [{op: replace, path: /missing, value: 1}]}}");
  EXPECT_THAT(errors_of(resources_.listeners.at("tcp")),
              ElementsAre(HasSubstr("could not apply 0 modification: type URL of dst \""),
                          "could not apply 1 modification: replace: there is no \"/missing\""));
}

TEST_F(MeshProxyPatchTest, A_stored_value_that_is_no_resource_is_a_problem_of_its_policy) {
  mesh_.put_unchecked("MeshProxyPatch", "old",
                      "{targetRef: {kind: Mesh}, default: {appendModifications: [{cluster: {operation: Add, value: 'a: ['}}]}}");
  mesh_.apply(apply, "web", resources_);
  ASSERT_EQ(resources_.problems.size(), 1U);
  EXPECT_EQ(resources_.problems[0].policy.name, "old");
  EXPECT_THAT(resources_.problems[0].message, HasSubstr("could not apply 0 modification: "));
}

// Random texts made of pieces that mean something: nothing crashes, and each is the same twice.
TEST_F(MeshProxyPatchTest, Any_value_is_taken_or_refused) {
  static constexpr const char* kPieces[] = {"name", ": ",  "connectTimeout", "5s",  "{",     "}",      "[",       "]",
                                            ", ",   "-1",  "1e400",          "\"",  "\n  ",  "- ",     "@type",   "~1",
                                            "null", "type.googleapis.com/envoy.config.cluster.v3.Cluster", "loadAssignment", "&a ", "*a", "\\u0000"};
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    std::string value;
    for (size_t i = random() % 14; i > 0; --i) {
      value += kPieces[random() % std::size(kPieces)];
    }
    json::object modification{{"operation", round % 2 == 0 ? "Patch" : "Add"}, {"value", value}};
    json::array patches;
    for (size_t i = random() % 4; i > 0; --i) {
      static constexpr const char* kOps[] = {"add", "remove", "replace", "move", "copy"};
      static constexpr const char* kPaths[] = {"", "/", "/name", "/-1", "/loadAssignment/endpoints/-", "/a/9999999999999", "/a/b/c/0"};
      patches.push_back(json::object{{"op", kOps[random() % 5]},
                                     {"path", kPaths[random() % std::size(kPaths)]},
                                     {"from", kPaths[random() % std::size(kPaths)]},
                                     {"value", value}});
    }
    if (round % 3 == 0) {
      modification["jsonPatches"] = std::move(patches);
    }
    const json::value spec = json::object{
        {"targetRef", json::object{{"kind", "Mesh"}}},
        {"default", json::object{{"appendModifications", json::array{json::object{{"cluster", std::move(modification)}}}}}}};
    mesh_.put_unchecked("MeshProxyPatch", "random", to_json(spec));
    ProxyResources once = resources_, again = resources_;
    mesh_.apply(apply, "web", once);
    mesh_.apply(apply, "web", again);
    EXPECT_EQ(errors_of(once.clusters.at("backend")), errors_of(again.clusters.at("backend"))) << to_json(spec);
    EXPECT_EQ(once.problems.size(), again.problems.size());
  }
}

}  // namespace
}  // namespace kuma::policy::meshproxypatch
