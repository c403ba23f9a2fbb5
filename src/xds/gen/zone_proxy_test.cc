#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Rig;

constexpr char kMeshes[] = R"(
type: Mesh
name: blue
routing: {zoneEgress: true}
mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}
---
type: Mesh
name: green
)";
constexpr char kIngress[] =
    "{type: ZoneIngress, name: in-1, networking: {address: 10.0.9.1, port: 10001, advertisedAddress: 192.0.2.1, advertisedPort: 1}}";
constexpr char kEgress[] = "{type: ZoneEgress, name: out-1, networking: {address: 10.0.9.2, port: 10002}}";

std::string dataplane(std::string_view mesh, std::string_view name, std::string_view service, std::string_view more = "") {
  return fmt::format(
      "{{type: Dataplane, mesh: {}, name: {}, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{kuma.io/service: {}{}}}}}]}}}}",
      mesh, name, service, more);
}

class ZoneProxyTest : public ::testing::Test {
 protected:
  ZoneProxyTest() : rig(mesh::ViewOptions{.zone = "north", .read_file = nullptr}) { rig.put(kMeshes); }

  Generation ingress() { return *rig.generate(Rig::zone_input(ProxyType::ZoneIngress, "in-1")); }
  Generation egress() { return *rig.generate(Rig::zone_input(ProxyType::ZoneEgress, "out-1")); }

  static std::vector<std::string> names(const Generation& generation, XdsType type) {
    std::vector<std::string> all;
    for (const GeneratedResource& resource : generation.resources[static_cast<size_t>(type)]) {
      all.push_back(resource.wire->name);
    }
    return all;
  }
  static std::vector<std::string> messages(const Generation& generation) {
    std::vector<std::string> all;
    for (const Problem& problem : generation.problems) {
      all.push_back(fmt::format("{} {}: {}", problem.policy.type, problem.policy.name, problem.message));
    }
    return all;
  }
  static std::string text(const Generation& generation) { return to_json(testing::to_json_object(generation)); }

  // Whether the updates concern the proxy; if they don't, its configuration must come out the same.
  bool concerned(ProxyType type, const std::vector<mesh::MeshUpdate>& updates, const Generation& last) {
    bool is = own_resource_concerns(rig.builder.zone_view(), type, last.zone_proxy->meta.name, &last);
    for (const mesh::MeshUpdate& update : updates) {
      is = is || concerns_zone_proxy(update.change, update.view != nullptr ? update.view->name : update.previous->name,
                                     update.view.get(), type, &last);
    }
    if (!is) {
      EXPECT_EQ(text(*rig.generate(Rig::zone_input(type, last.zone_proxy->meta.name))), text(last));
    }
    return is;
  }

  Rig rig;
};

TEST_F(ZoneProxyTest, Is_not_found_without_its_resource) {
  auto none = rig.generate(Rig::zone_input(ProxyType::ZoneIngress, "in-1"));
  EXPECT_TRUE(absl::IsNotFound(none.status()));
  EXPECT_EQ(message_of(none.status()), "there is no ZoneIngress \"in-1\"");
}

TEST_F(ZoneProxyTest, Says_that_an_address_to_listen_on_has_to_be_an_ip) {
  rig.put("{type: ZoneEgress, name: out-1, networking: {address: nowhere.example, port: 10002}}");
  auto none = rig.generate(Rig::zone_input(ProxyType::ZoneEgress, "out-1"));
  EXPECT_THAT(std::string(message_of(none.status())), HasSubstr("has to be an IP address to listen on, nowhere.example is none"));
}

TEST_F(ZoneProxyTest, An_ingress_without_a_public_address_serves_and_says_that_nobody_can_reach_it) {
  rig.put("{type: ZoneIngress, name: in-1, networking: {address: 10.0.9.1, port: 10001}}");
  rig.put(dataplane("green", "a-1", "a"));
  rig.offer_services("in-1");
  Generation generation = ingress();
  EXPECT_THAT(names(generation, XdsType::Listener), ElementsAre("inbound:10.0.9.1:10001", "kuma:envoy:admin"));
  EXPECT_THAT(messages(generation), ElementsAre("ZoneIngress in-1: other zones can't reach it: networking.advertisedAddress and "
                                                "networking.advertisedPort are not set"));
}

TEST_F(ZoneProxyTest, Without_services_there_is_no_listener) {
  rig.put(kIngress);
  rig.put(kEgress);
  EXPECT_THAT(names(ingress(), XdsType::Listener), ElementsAre("kuma:envoy:admin"));
  EXPECT_THAT(names(egress(), XdsType::Listener), ElementsAre("kuma:envoy:admin"));
}

TEST_F(ZoneProxyTest, Available_services_are_counted_by_mesh_and_tags) {
  rig.put(dataplane("green", "a-1", "a", ", v: x"));
  rig.put(dataplane("green", "a-2", "a", ", v: x"));
  rig.put(dataplane("blue", "b-1", "b"));
  rig.put("{type: ExternalService, mesh: blue, name: ours, tags: {kuma.io/service: e, kuma.io/zone: north}, networking: {address: 'e.example:80'}}");
  rig.put("{type: ExternalService, mesh: blue, name: theirs, tags: {kuma.io/service: f, kuma.io/zone: west}, networking: {address: 'f.example:80'}}");
  rig.put("{type: ExternalService, mesh: green, name: no-egress, tags: {kuma.io/service: g, kuma.io/zone: north}, networking: {address: 'g.example:80'}}");
  auto text_of = [](const AvailableServices::List& list) {
    std::vector<std::string> lines;
    for (const auto& one : list) {
      lines.push_back(fmt::format("{} {} {} {}", one.mesh(), one.tags().at("kuma.io/service"), one.instances(), one.externalservice()));
    }
    return lines;
  };
  EXPECT_THAT(text_of(rig.available_services.compute(rig.builder.zone_view())),
              ElementsAre("blue b 1 false", "green a 2 false", "blue e 1 true"));
  rig.remove("Dataplane", "green", "a-2");
  EXPECT_THAT(text_of(rig.available_services.compute(rig.builder.zone_view())),
              ElementsAre("blue b 1 false", "green a 1 false", "blue e 1 true"))
      << "counted anew where something changed";
}

TEST_F(ZoneProxyTest, Tag_filters_merge_what_they_leave_alike) {
  rig.put(dataplane("green", "a-1", "a", ", v: x"));
  rig.put(dataplane("green", "a-2", "a", ", v: y"));
  AvailableServices filtered({"kuma.io/"});
  auto list = filtered.compute(rig.builder.zone_view());
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].instances(), 2U);
  EXPECT_FALSE(list[0].tags().contains("v"));
}

TEST_F(ZoneProxyTest, An_ingress_is_concerned_by_the_instances_that_it_offers_and_by_no_others) {
  rig.put(kIngress);
  rig.put(dataplane("green", "a-1", "a"));
  rig.offer_services("in-1");
  Generation last = ingress();
  EXPECT_FALSE(concerned(ProxyType::ZoneIngress, rig.put(dataplane("blue", "b-1", "b")), last)) << "not offered yet";
  rig.offer_services("in-1");
  EXPECT_TRUE(own_resource_concerns(rig.builder.zone_view(), ProxyType::ZoneIngress, "in-1", &last));
  last = ingress();
  EXPECT_TRUE(concerned(ProxyType::ZoneIngress, rig.put(dataplane("blue", "b-2", "b")), last));
  EXPECT_TRUE(concerned(ProxyType::ZoneIngress,
                        rig.put("{type: TrafficRoute, mesh: green, name: r, sources: [{match: {kuma.io/service: '*'}}], destinations: "
                                "[{match: {kuma.io/service: a}}], conf: {destination: {kuma.io/service: a, v: x}}}"),
                        last));
  last = ingress();
  EXPECT_FALSE(concerned(ProxyType::ZoneIngress,
                         rig.put("{type: TrafficPermission, mesh: green, name: p, sources: [{match: {kuma.io/service: '*'}}], "
                                 "destinations: [{match: {kuma.io/service: a}}]}"),
                         last));
}

TEST_F(ZoneProxyTest, An_egress_is_concerned_by_other_zones_and_by_permissions_of_its_meshes) {
  rig.put(kEgress);
  rig.put("{type: ExternalService, mesh: blue, name: e, tags: {kuma.io/service: e}, networking: {address: 'e.example:80'}}");
  Generation last = egress();
  EXPECT_FALSE(concerned(ProxyType::ZoneEgress, rig.put(dataplane("green", "a-1", "a")), last));
  EXPECT_FALSE(concerned(ProxyType::ZoneEgress, rig.put(dataplane("blue", "b-1", "b")), last));
  EXPECT_TRUE(concerned(ProxyType::ZoneEgress,
                        rig.put("{type: TrafficPermission, mesh: blue, name: p, sources: [{match: {kuma.io/service: b}}], "
                                "destinations: [{match: {kuma.io/service: e}}]}"),
                        last));
  EXPECT_TRUE(concerned(ProxyType::ZoneEgress,
                        rig.put("{type: ZoneIngress, name: w, zone: west, networking: {address: 10.1.0.1, port: 1, advertisedAddress: "
                                "192.0.2.7, advertisedPort: 7}, availableServices: [{mesh: blue, instances: 1, tags: {kuma.io/service: r}}]}"),
                        last));
}

TEST_F(ZoneProxyTest, A_strategy_that_can_not_be_used_is_left_out_of_the_egress_once_and_says_why) {
  rig.put(kEgress);
  rig.put("{type: ZoneIngress, name: w, zone: west, networking: {address: 10.1.0.1, port: 1, advertisedAddress: 192.0.2.7, "
          "advertisedPort: 7}, availableServices: [{mesh: blue, instances: 1, tags: {kuma.io/service: r}}, {mesh: blue, instances: 1, "
          "tags: {kuma.io/service: s}}]}");
  rig.put("{type: MeshLoadBalancingStrategy, mesh: blue, name: good, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, "
          "default: {localityAwareness: {crossZone: {failover: [{to: {type: Any}}]}}}}]}}");
  Generation last = egress();
  EXPECT_THAT(text(last), HasSubstr("\"priority\":1"));
  auto updates = rig.builder.apply(rig.store.put_unchecked(
      "MeshLoadBalancingStrategy", {"blue", "worse"},
      "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {loadBalancer: {type: RingHash, ringHash: {hashPolicies: "
      "[{type: SourceIP}]}}, localityAwareness: {localZone: {}}}}]}"));
  EXPECT_TRUE(concerned(ProxyType::ZoneEgress, updates, last));
  EXPECT_EQ(text(egress()), text(last)) << "the other one goes on";
  EXPECT_THAT(messages(egress()), ElementsAre(HasSubstr("MeshLoadBalancingStrategy worse: left out: spec.to[0].default.loadBalancer")));
}

TEST_F(ZoneProxyTest, A_mesh_whose_authority_is_of_no_use_loses_its_external_services_and_the_others_go_on) {
  rig.put(kEgress);
  rig.put("{type: Mesh, name: red, routing: {zoneEgress: true}, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  for (const char* mesh : {"blue", "red"}) {
    rig.put(fmt::format("{{type: ExternalService, mesh: {}, name: e, tags: {{kuma.io/service: e}}, networking: {{address: 'e.example:80'}}}}", mesh));
  }
  EXPECT_THAT(names(egress(), XdsType::Cluster), ElementsAre("blue:e", "kuma:envoy:admin", "red:e"));
  ProxyInput input = Rig::zone_input(ProxyType::ZoneEgress, "out-1");
  input.unusable_trusts = {{"red", "the key is another's"}};
  Generation generation = *rig.generate(input);
  EXPECT_THAT(names(generation, XdsType::Cluster), ElementsAre("blue:e", "kuma:envoy:admin"));
  EXPECT_THAT(messages(generation), ElementsAre("Mesh red: external services of the mesh are left out: the key is another's"));
  ASSERT_EQ(generation.secrets.size(), 2U);
  EXPECT_EQ(generation.secrets[0].mesh, "blue");
}

TEST_F(ZoneProxyTest, A_missing_certificate_leaves_the_address_out_and_the_secret_brings_it_back) {
  rig.put(kEgress);
  rig.put("{type: ExternalService, mesh: blue, name: e, tags: {kuma.io/service: e}, networking: {address: 'e.example:443', tls: "
          "{enabled: true, caCert: {secret: roots}}}}");
  Generation last = egress();
  EXPECT_THAT(messages(last), ElementsAre("ExternalService e: e.example:443 is left out: networking.tls.caCert: the mesh blue has no "
                                          "secret \"roots\""));
  EXPECT_THAT(text(last), Not(HasSubstr("e.example")));
  auto updates = rig.put("{type: Secret, mesh: blue, name: roots, data: bm8gcGVt}");
  EXPECT_TRUE(concerned(ProxyType::ZoneEgress, updates, last));
  EXPECT_THAT(messages(egress()), ElementsAre(HasSubstr("the secret \"roots\" is no certificate in PEM")));
}

TEST_F(ZoneProxyTest, Dataplanes_too_are_told_of_certificates_that_are_missing) {
  rig.put("{type: ExternalService, mesh: green, name: e, tags: {kuma.io/service: e}, networking: {address: 'e.example:443', tls: "
          "{enabled: true, clientCert: {inlineString: x}}}}");
  rig.put("{type: Dataplane, mesh: green, name: a-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
          "a}}], outbound: [{port: 1, tags: {kuma.io/service: e}}]}}");
  Generation generation = *rig.generate("a-1", "green");
  EXPECT_THAT(messages(generation), ElementsAre("ExternalService e: e.example:443 is left out: networking.tls has a clientCert but no "
                                                "clientKey: both are needed"));
  EXPECT_THAT(names(generation, XdsType::Cluster), ElementsAre("e", "kuma:envoy:admin", "localhost:80"));
}

}  // namespace
}  // namespace kuma::xds
