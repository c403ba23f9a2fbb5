// Which transparent proxies a change concerns: of VIPs, of permissions with automatic reachability, of single instances.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/gen/outbounds.h"
#include "xds/gen/refresh.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class VipsConcernTest : public ::testing::TestWithParam<bool> {
 protected:
  VipsConcernTest() : rig(mesh::ViewOptions{.zone = "", .read_file = nullptr, .auto_reachable = GetParam()}) {
    rig.put("{type: Mesh, name: default}");
    for (const char* service : {"a", "b", "c"}) {
      rig.put(fmt::format("{{type: Dataplane, mesh: default, name: {0}-1, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: "
                          "{{kuma.io/service: {0}, kuma.io/protocol: http}}}}]}}}}",
                          service));
    }
    add("all", "");
    add("team", "", "team: x");
    add("lists", ", reachableServices: [b]");
    add("direct", ", reachableServices: [none], directAccessServices: [c]");
    proxies.push_back(testing::Rig::input("a-1"));
    rig.put_vips("default", {"a", "b"});
    for (ProxyInput& proxy : proxies) {
      proxy.metadata.dns_port = 15053;
      proxy.metadata.dns_empty_port = 15055;
      renew(proxy, generations.emplace(proxy.key, *rig.generate(proxy)).first->second);
    }
  }

  void add(const std::string& name, const std::string& redirection, const std::string& tag = "team: y") {
    rig.put(fmt::format("{{type: Dataplane, mesh: default, name: {0}, networking: {{address: 10.0.0.2, inbound: [{{port: 80, tags: {{kuma.io/service: "
                        "{0}, {2}}}}}], transparentProxying: {{redirectPortInbound: 15006, redirectPortOutbound: 15001{1}}}}}}}",
                        name, redirection, tag));
    proxies.push_back(testing::Rig::input(name));
  }

  static std::string text_of(const Generation& generation) {
    std::string text;
    for (const auto& resources : generation.resources) {
      for (const GeneratedResource& resource : resources) {
        text += resource.wire->name + resource.wire->version;
      }
    }
    return text;
  }

  // Who is concerned; whoever is not has to come out the same. With and without what is shared, the answer is one.
  std::vector<std::string> concerned(const std::vector<mesh::MeshUpdate>& updates) {
    std::vector<std::string> names;
    for (const ProxyInput& proxy : proxies) {
      Generation& last = generations.at(proxy.key);
      bool is_concerned = false;
      for (const mesh::MeshUpdate& update : updates) {
        bool by_this = concerns(update.change, *update.view, proxy.key, &last, &rig.pieces);
        EXPECT_EQ(by_this, concerns(update.change, *update.view, proxy.key, &last));
        is_concerned = is_concerned || by_this;
      }
      auto next = rig.generate(proxy);
      EXPECT_TRUE(next.ok());
      expect_refreshed(proxy, last, *next);
      if (is_concerned) {
        names.push_back(proxy.key.name);
      } else {
        EXPECT_EQ(text_of(*next), text_of(last)) << proxy.key.name;
      }
      last = *std::move(next);
    }
    return names;
  }
  // The quick way, where it can be gone, gives the same.
  void expect_refreshed(const ProxyInput& proxy, const Generation& last, const Generation& next) {
    const auto view = rig.builder.find("default");
    std::vector<WireResourcePtr> endpoints, expected;
    for (const GeneratedResource& resource : last.resources[static_cast<size_t>(XdsType::Endpoint)]) {
      endpoints.push_back(resource.wire);
    }
    for (const GeneratedResource& resource : next.resources[static_cast<size_t>(XdsType::Endpoint)]) {
      expected.push_back(resource.wire);
    }
    auto refreshed = refreshers.at(proxy.key)->refresh(*view, endpoints, {.interner = rig.interner, .pieces = &rig.pieces});
    if (refreshed) {
      ++quick;
      EXPECT_EQ(*refreshed, expected) << proxy.key.name;
      for (XdsType type : {XdsType::Cluster, XdsType::Listener, XdsType::Route}) {
        EXPECT_TRUE(std::ranges::equal(last.resources[static_cast<size_t>(type)], next.resources[static_cast<size_t>(type)], {},
                                       [](const auto& one) { return one.wire; }, [](const auto& one) { return one.wire; }))
            << proxy.key.name;
      }
    }
    renew(proxy, next);
  }
  void renew(const ProxyInput& proxy, const Generation& generation) {
    refreshers.insert_or_assign(proxy.key, std::make_unique<EndpointRefresh>(*rig.builder.find("default"), proxy,
                                                                             std::make_shared<const Generation>(generation)));
  }
  std::vector<std::string> put(const std::string& yaml) { return concerned(rig.put(yaml)); }
  std::vector<std::string> put_vips(const std::vector<std::string>& services) { return concerned(rig.put_vips("default", services)); }

  testing::Rig rig;
  std::vector<ProxyInput> proxies;
  std::map<model::ResourceKey, Generation> generations;
  std::map<model::ResourceKey, std::unique_ptr<EndpointRefresh>> refreshers;
  int quick = 0;  // configurations that were refreshed
};

INSTANTIATE_TEST_SUITE_P(Off, VipsConcernTest, ::testing::Values(false));
class AutoReachableConcernTest : public VipsConcernTest {};
INSTANTIATE_TEST_SUITE_P(On, AutoReachableConcernTest, ::testing::Values(true));

TEST_P(VipsConcernTest, A_new_name_concerns_those_that_want_it) {
  EXPECT_THAT(put_vips({"a", "b", "c"}), ElementsAre("all", "team"));
  EXPECT_THAT(put_vips({"a", "c"}), ElementsAre("all", "team", "lists"));
  EXPECT_THAT(put_vips({"a", "c"}), IsEmpty());
}

TEST_P(VipsConcernTest, An_endpoint_concerns_those_that_have_a_name_for_its_service) {
  put_vips({"a", "b", "c"});
  EXPECT_THAT(put("{type: Dataplane, mesh: default, name: b-1, networking: {address: 10.0.0.1, inbound: [{port: 81, tags: {kuma.io/service: b, "
                  "kuma.io/protocol: http}}]}}"),
              ElementsAre("all", "team", "lists", "direct")) << "who reaches single instances looks at all of them";
  EXPECT_EQ(quick, 4) << "all but the one with direct access";
}

TEST_P(VipsConcernTest, Endpoints_that_policies_order_are_refreshed_too) {
  put("{type: MeshLoadBalancingStrategy, mesh: default, name: l, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {localityAwareness: "
      "{localZone: {affinityTags: [{key: rack}]}}}}]}}");
  for (const char* rack : {"r1", "r2"}) {
    quick = 0;
    EXPECT_THAT(put(fmt::format("{{type: Dataplane, mesh: default, name: b-1, networking: {{address: 10.0.0.1, inbound: [{{port: 81, tags: {{kuma.io/service: b, "
                                "kuma.io/protocol: http, rack: {}}}}}]}}}}",
                                rack)),
                ElementsAre("all", "team", "lists", "direct"));
    EXPECT_EQ(quick, 4);
  }
}

TEST_P(VipsConcernTest, What_is_more_than_endpoints_is_generated) {
  put("{type: Dataplane, mesh: default, name: b-1, networking: {address: 10.0.0.1, inbound: [{port: 81, tags: {kuma.io/service: b, kuma.io/protocol: tcp}}]}}");
  EXPECT_EQ(quick, 1) << "a-1 alone has nothing of it";
  quick = 0;
  put_vips({"a", "b", "c"});
  put("{type: Mesh, name: default, routing: {localityAwareLoadBalancing: true}}");
  EXPECT_EQ(quick, 0);
  concerned(rig.remove("Dataplane", "default", "b-1"));
  EXPECT_EQ(quick, 1) << "a service that nobody has";
}

TEST_P(VipsConcernTest, An_explicit_outbound_at_the_address_of_a_new_name_is_hidden_and_comes_back) {
  put("{type: Dataplane, mesh: default, name: lists, networking: {address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: lists}}], "
      "outbound: [{port: 9, address: 240.0.0.2, tags: {kuma.io/service: a}}], transparentProxying: {redirectPortInbound: 15006, "
      "redirectPortOutbound: 15001, reachableServices: [b]}}}");
  EXPECT_THAT(put_vips({"a", "b", "c"}), ElementsAre("all", "team", "lists"));
  EXPECT_THAT(put_vips({"a", "b"}), ElementsAre("all", "team", "lists"));
}

TEST_P(VipsConcernTest, A_permission_concerns_its_servers_only) {
  EXPECT_THAT(put("{type: MeshTrafficPermission, mesh: default, name: p, spec: {targetRef: {kind: MeshService, name: b}, from: [{targetRef: {kind: Mesh}, "
                  "default: {action: Allow}}]}}"),
              IsEmpty());
}

TEST_P(VipsConcernTest, A_virtual_outbound_concerns_nobody_before_it_has_an_address) {
  EXPECT_THAT(put("{type: VirtualOutbound, mesh: default, name: v, selectors: [{match: {kuma.io/service: '*'}}], conf: {host: '{{.s}}.test', port: '80', "
                  "parameters: [{name: s, tagKey: kuma.io/service}]}}"),
              IsEmpty());
}

TEST_P(AutoReachableConcernTest, A_permission_concerns_the_clients_that_it_lets_in_or_shuts_out) {
  auto permit = [&](std::string_view service, std::string_view from, std::string_view action) {
    return put(fmt::format("{{type: MeshTrafficPermission, mesh: default, name: p-{0}, spec: {{targetRef: {{kind: MeshService, name: {0}}}, from: [{{targetRef: "
                           "{{{1}}}, default: {{action: {2}}}}}]}}}}",
                           service, from, action));
  };
  EXPECT_THAT(permit("a", "'kind': Mesh", "Allow"), ElementsAre("all", "team", "a-1")) << "and the server's own proxy";
  EXPECT_THAT(permit("b", "kind: MeshSubset, tags: {team: x}", "Allow"), ElementsAre("team"));
  EXPECT_THAT(permit("b", "kind: MeshSubset, tags: {team: x}", "AllowWithShadowDeny"), IsEmpty());
  EXPECT_THAT(permit("c", "'kind': Mesh", "Allow"), IsEmpty()) << "it has no name";
  EXPECT_THAT(put_vips({"a", "b", "c"}), ElementsAre("all", "team"));
  EXPECT_THAT(permit("b", "kind: MeshSubset, tags: {team: x}", "Deny"), ElementsAre("team"));
  EXPECT_THAT(concerned(rig.remove("MeshTrafficPermission", "default", "p-c")), ElementsAre("all", "team"));
}

TEST_P(AutoReachableConcernTest, A_name_that_may_not_be_called_concerns_nobody) {
  EXPECT_THAT(put_vips({"a", "b", "c"}), IsEmpty());
  EXPECT_THAT(put_vips({"a"}), ElementsAre("lists")) << "its list is not pruned";
}

TEST_P(AutoReachableConcernTest, Tags_of_Kubernetes_on_a_first_instance_concern_the_clients_of_its_service) {
  put("{type: MeshTrafficPermission, mesh: default, name: p, spec: {targetRef: {kind: MeshSubset, tags: {k8s.kuma.io/namespace: open}}, from: "
      "[{targetRef: {kind: Mesh}, default: {action: Allow}}]}}");
  EXPECT_THAT(put("{type: Dataplane, mesh: default, name: a-0, networking: {address: 10.0.0.1, inbound: [{port: 81, state: NotReady, tags: {kuma.io/service: a, "
                  "k8s.kuma.io/namespace: open}}]}}"),
              ElementsAre("all", "team", "direct"));
}

}  // namespace
}  // namespace kuma::xds
