#include "policy/meshtrafficpermission/apply.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "mesh/view_testing.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/rbac.h"
#include "policy/envoy/tls.h"

namespace kuma::policy::meshtrafficpermission {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;

class MeshTrafficPermissionTest : public ::testing::Test {
 protected:
  MeshTrafficPermissionTest() : store(types()), builder(store.registry(), mesh::ViewOptions{}) {
    put("{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
    put("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
        "web}}]}}");
  }
  static std::vector<model::ResourceType> types() {
    auto all = model::core_types();
    for (auto& type : policy_types()) {
      all.push_back(std::move(type));
    }
    return all;
  }
  void put(const std::string& yaml) { builder.apply(store.put(yaml)); }
  void permission(std::string_view name, std::string_view target, std::string_view from) {
    put(fmt::format("{{type: MeshTrafficPermission, mesh: default, name: {}, spec: {{targetRef: {{{}}}, from: [{}]}}}}", name, target,
                    from));
  }

  // A listener with a plain chain and one with TLS and the filter of a TrafficPermission, after the policies.
  Listener apply_to(Origin origin = Origin::Inbound) {
    ProxyResources resources;
    ListenerDraft draft;
    draft.name = "inbound:10.0.0.1:80";
    draft.origin = origin;
    draft.subject = std::make_shared<Subject>(Subject{.service = "web", .tags = {}, .address = "10.0.0.1", .port = 80});
    ProxyResources::put(resources.listeners, draft);
    auto view = builder.find("default");
    ProxyPolicies policies(*view, *view->find_dataplane({"default", "web-1"}), nullptr);
    apply(policies, resources);

    const ListenerDraft& changed = resources.listeners.at(draft.name);
    shaped_by.clear();
    for (const model::Resource* policy : changed.shaped_by) {
      shaped_by.push_back(policy->meta.name);
    }
    Listener listener;
    envoy::add_filter(*listener.add_filter_chains(), envoy::kTcpProxy, listener);
    auto& secure = *listener.add_filter_chains();
    envoy::add_filter(secure, envoy::kNetworkRbac, envoy::deny_all("the legacy one"));
    envoy::add_filter(secure, envoy::kTcpProxy, listener);
    *secure.mutable_transport_socket() = envoy::mesh_server_tls("default");
    for (const auto& change : changed.changes) {
      EXPECT_TRUE(change.edit(listener).ok());
    }
    return listener;
  }

  // The filter on the TLS chain, as JSON.
  std::string rbac() {
    Listener listener = apply_to();
    envoy::Rbac filter;
    EXPECT_TRUE(listener.filter_chains(1).filters(0).typed_config().UnpackTo(&filter));
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(filter, &text).ok());
    return text;
  }

  mesh::testing::TestStore store;
  mesh::ViewBuilder builder;
  std::vector<std::string> shaped_by;
};

TEST_F(MeshTrafficPermissionTest, Replaces_the_filter_on_TLS_chains_only) {
  permission("p", "kind: Mesh", "{targetRef: {kind: Mesh}, default: {action: Allow}}");
  Listener listener = apply_to();
  EXPECT_EQ(listener.filter_chains(0).filters_size(), 1);
  ASSERT_EQ(listener.filter_chains(1).filters_size(), 2);
  EXPECT_EQ(listener.filter_chains(1).filters(0).name(), envoy::kNetworkRbac);
  EXPECT_EQ(listener.filter_chains(1).filters(1).name(), envoy::kTcpProxy);
  EXPECT_EQ(rbac(),
            R"({"rules":{"policies":{"MeshTrafficPermission":{"permissions":[{"any":true}],"principals":[{"any":true}]}}},)"
            R"("statPrefix":"inbound_10_0_0_1_80."})");
  EXPECT_THAT(shaped_by, ElementsAre("p"));
}

TEST_F(MeshTrafficPermissionTest, Only_denials_let_nobody_in) {
  permission("p", "kind: Mesh", "{targetRef: {kind: Mesh}, default: {action: Deny}}");
  EXPECT_EQ(rbac(), R"({"rules":{},"statPrefix":"inbound_10_0_0_1_80."})");
  EXPECT_THAT(shaped_by, ElementsAre("p"));
}

TEST_F(MeshTrafficPermissionTest, Shadow_denials_are_allowed_and_counted) {
  permission("p", "kind: Mesh",
             "{targetRef: {kind: MeshService, name: a}, default: {action: Allow}}, {targetRef: {kind: MeshServiceSubset, name: b, tags: "
             "{v: x}}, default: {action: AllowWithShadowDeny}}");
  EXPECT_EQ(rbac(),
            R"({"rules":{"policies":{"MeshTrafficPermission":{"permissions":[{"any":true}],"principals":[)"
            R"({"authenticated":{"principalName":{"exact":"spiffe://default/a"}}},)"
            R"({"andIds":{"ids":[{"authenticated":{"principalName":{"exact":"spiffe://default/b"}}},)"
            R"({"authenticated":{"principalName":{"exact":"kuma://v/x"}}}]}}]}}},)"
            R"("shadowRules":{"action":"DENY","policies":{"MeshTrafficPermission":)"
            R"({"permissions":[{"any":true}],"principals":[{"andIds":{"ids":[{"authenticated":{"principalName":)"
            R"({"exact":"spiffe://default/b"}}},{"authenticated":{"principalName":{"exact":"kuma://v/x"}}}]}}]}}},)"
            R"("statPrefix":"inbound_10_0_0_1_80."})");
}

TEST_F(MeshTrafficPermissionTest, What_a_narrower_denial_takes_out_is_a_negated_principal) {
  permission("p", "kind: Mesh",
             "{targetRef: {kind: Mesh}, default: {action: Allow}}, {targetRef: {kind: MeshService, name: a}, default: {action: Deny}}");
  EXPECT_THAT(rbac(), ::testing::HasSubstr(
                          R"("principals":[{"notId":{"authenticated":{"principalName":{"exact":"spiffe://default/a"}}}}])"));
}

TEST_F(MeshTrafficPermissionTest, Leaves_inbounds_that_are_not_selected_and_other_listeners_alone) {
  permission("p", "kind: MeshService, name: other", "{targetRef: {kind: Mesh}, default: {action: Allow}}");
  EXPECT_THAT(rbac(), ::testing::HasSubstr("the_legacy_one"));
  permission("p", "kind: Mesh", "{targetRef: {kind: Mesh}, default: {action: Allow}}");
  Listener listener = apply_to(Origin::Prometheus);
  EXPECT_TRUE(shaped_by.empty());
}

TEST_F(MeshTrafficPermissionTest, Without_mTLS_nobody_is_known_so_nothing_is_decided) {
  put("{type: Mesh, name: default}");
  permission("p", "kind: Mesh", "{targetRef: {kind: Mesh}, default: {action: Deny}}");
  EXPECT_THAT(rbac(), ::testing::HasSubstr("the_legacy_one"));
}

TEST_F(MeshTrafficPermissionTest, Settings_without_an_action_allow_nobody) {
  permission("p", "kind: Mesh", "{targetRef: {kind: Mesh}, default: {action: Allow}}");
  auto stored = std::make_shared<model::Resource>(*store.find("MeshTrafficPermission", "default", "p"));
  stored->spec = *parse_yaml("{targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}}]}");
  builder.apply(std::vector<model::Change>{{.before = nullptr, .after = stored}});
  EXPECT_EQ(rbac(), R"({"rules":{},"statPrefix":"inbound_10_0_0_1_80."})");
}

}  // namespace
}  // namespace kuma::policy::meshtrafficpermission
