#include "kds/mapping.h"

#include "kds/testing.h"
#include "kds/wire.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "security/key.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::kds {
namespace {

using testing::global_rules;
using testing::make;
using testing::Peer;
using testing::zone_rules;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MappingTest : public ::testing::Test {
 protected:
  std::optional<Outgoing> outgoing(const SenderRules& rules, std::string_view yaml) {
    auto mapped = to_outgoing(rules, std::make_shared<model::Resource>(make(registry_, yaml)));
    EXPECT_TRUE(mapped.ok()) << mapped.status();
    return mapped.ok() ? *mapped : std::nullopt;
  }
  std::vector<std::string> names(const std::vector<const model::ResourceType*>& types) {
    std::vector<std::string> out;
    for (const auto* type : types) {
      out.emplace_back(type->name);
    }
    return out;
  }
  const model::Registry registry_ = manager::testing::all_types();
};

TEST_F(MappingTest, Zones_send_six_types_and_globals_thirty_four) {
  EXPECT_THAT(names(provided_types(registry_, Side::Zone)),
              ElementsAre("Dataplane", "DataplaneInsight", "ZoneEgress", "ZoneEgressInsight", "ZoneIngress", "ZoneIngressInsight"));
  EXPECT_EQ(provided_types(registry_, Side::Global).size(), 34);
  EXPECT_EQ(names(consumed_types(registry_, Side::Zone)), names(provided_types(registry_, Side::Global)));
}

TEST_F(MappingTest, A_hash_suffix_is_the_one_seen_on_the_wire) {
  EXPECT_EQ(with_hash_suffix("default", "allow-all-default"), "allow-all-default-4cddx424d4b7x82f");
  EXPECT_EQ(with_hash_suffix("default", std::string(300, 'a')).size(), 253);
  SenderRules rules = global_rules();
  rules.hash_suffix = true;
  const char* permission = "{type: TrafficPermission, mesh: default, name: allow-all-default, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*'}}]}";
  EXPECT_EQ(outgoing(rules, permission)->resource.meta.name, "allow-all-default-4cddx424d4b7x82f");
  EXPECT_EQ(outgoing(rules, "{type: Secret, mesh: default, name: s, data: aGVsbG8=}")->resource.meta.name, "s");
  EXPECT_EQ(outgoing(rules, "{type: Mesh, name: default}")->resource.meta.name, "default");
}

TEST_F(MappingTest, A_global_sends_no_config_but_the_cluster_id) {
  EXPECT_TRUE(outgoing(global_rules(), "{type: Config, name: kuma-cluster-id, config: x}"));
  EXPECT_FALSE(outgoing(global_rules(), "{type: Config, name: cp-catalog, config: x}"));
  EXPECT_FALSE(outgoing(global_rules(), "{type: Config, name: mesh-setup-default, config: x}"));
}

TEST_F(MappingTest, A_global_sends_of_its_secrets_only_the_keys_that_zones_verify_with) {
  EXPECT_FALSE(outgoing(global_rules(), "{type: GlobalSecret, name: user-token-signing-key-1, data: aGVsbG8=}"));
  EXPECT_FALSE(outgoing(global_rules(), "{type: GlobalSecret, name: inter-cp-ca, data: aGVsbG8=}"));
  EXPECT_FALSE(outgoing(global_rules(), "{type: GlobalSecret, name: zone-token-revocations, data: aGVsbG8=}"));
  EXPECT_TRUE(outgoing(global_rules(), "{type: GlobalSecret, name: zone-ingress-token-signing-key-1, data: aGVsbG8=}")->feature.empty());
  const auto key = security::PrivateKey::generate_rsa(1024);
  const auto sent = outgoing(global_rules(), fmt::format("{{type: GlobalSecret, name: zone-token-signing-key-7, data: {}}}", base64_encode(key->to_pem())));
  EXPECT_EQ(sent->resource.meta.name, "zone-token-signing-public-key-7");
  EXPECT_EQ(sent->resource.as<system::v1alpha1::Secret>().data().value(), key->public_pem());
  EXPECT_EQ(sent->feature, kFeatureZoneToken);
}

TEST_F(MappingTest, A_signing_key_that_is_no_key_is_an_error_that_names_it) {
  const auto mapped = to_outgoing(global_rules(), std::make_shared<model::Resource>(make(registry_, "{type: GlobalSecret, name: zone-token-signing-key-1, data: aGVsbG8=}")));
  EXPECT_THAT(std::string(message_of(mapped.status())), ::testing::StartsWith("GlobalSecret \"zone-token-signing-key-1\" has to be a private RSA key in PEM"));
}

TEST_F(MappingTest, A_zone_sends_dataplanes_that_carry_its_tag) {
  EXPECT_TRUE(outgoing(zone_rules(), "{type: Dataplane, mesh: default, name: a, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a, kuma.io/zone: east}}]}}"));
  EXPECT_FALSE(outgoing(zone_rules(), "{type: Dataplane, mesh: default, name: a, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}}]}}"));
  EXPECT_FALSE(outgoing(zone_rules(), "{type: Dataplane, mesh: default, name: a, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a, kuma.io/zone: west}}]}}"));
  EXPECT_TRUE(outgoing(zone_rules(), "{type: Dataplane, mesh: default, name: a, networking: {address: 10.0.0.1, gateway: {tags: {kuma.io/service: a, kuma.io/zone: east}}}}"));
}

TEST_F(MappingTest, A_zone_sends_its_own_ingresses_and_no_generations_of_insights) {
  EXPECT_TRUE(outgoing(zone_rules(), "{type: ZoneIngress, name: a, networking: {address: 10.0.0.1, port: 10001}}"));
  EXPECT_TRUE(outgoing(zone_rules(), "{type: ZoneIngress, name: a, zone: east, networking: {address: 10.0.0.1, port: 10001}}"));
  EXPECT_FALSE(outgoing(zone_rules(), "{type: ZoneIngress, name: west.a, zone: west, networking: {address: 10.0.0.1, port: 10001}}"));
  const auto insight = outgoing(zone_rules(), "{type: DataplaneInsight, mesh: default, name: a, subscriptions: [{id: x, generation: 7}]}");
  EXPECT_EQ(insight->resource.as<mesh::v1alpha1::DataplaneInsight>().subscriptions(0).generation(), 0);
  EXPECT_EQ(insight->resource.as<mesh::v1alpha1::DataplaneInsight>().subscriptions(0).id(), "x");
}

TEST_F(MappingTest, A_global_names_what_it_gets_after_the_connected_zone_and_takes_it_back_unchanged) {
  const ReceiverRules rules{.side = Side::Global, .zone = "east"};
  const model::Resource ingress = make(registry_, "{type: ZoneIngress, name: in, networking: {address: 10.0.0.1, port: 10001}}");
  const model::Resource stored = to_stored(rules, ingress);
  EXPECT_EQ(stored.meta.name, "east.in");
  EXPECT_EQ(stored.as<mesh::v1alpha1::ZoneIngress>().zone(), "east");
  EXPECT_EQ(stored.owner, (model::Owner{"Zone", {"", "east"}}));
  EXPECT_EQ(encode_resource(to_peer(rules, stored)), encode_resource(ingress));
}

TEST_F(MappingTest, What_a_zone_gets_keeps_its_name_and_has_no_owner) {
  const model::Resource mesh = make(registry_, "{type: Mesh, name: default}");
  EXPECT_EQ(to_stored({.side = Side::Zone, .zone = "east"}, mesh).meta.name, "default");
  EXPECT_EQ(to_stored({.side = Side::Zone, .zone = "east"}, mesh).owner, model::Owner{});
}

TEST_F(MappingTest, Scope_keeps_what_is_the_control_plane_s_own) {
  const auto in_zone = [this](std::string_view yaml) { return is_in_scope(Side::Zone, "east", make(registry_, yaml)); };
  EXPECT_TRUE(in_zone("{type: ZoneIngress, name: west.a, zone: west, networking: {address: 10.0.0.1, port: 1}}"));
  EXPECT_FALSE(in_zone("{type: ZoneIngress, name: a, networking: {address: 10.0.0.1, port: 1}}"));
  EXPECT_FALSE(in_zone("{type: ZoneIngress, name: a, zone: east, networking: {address: 10.0.0.1, port: 1}}"));
  EXPECT_TRUE(in_zone("{type: Config, name: kuma-cluster-id, config: x}"));
  EXPECT_FALSE(in_zone("{type: Config, name: kuma-default-dns-vips, config: x}"));
  EXPECT_FALSE(in_zone("{type: GlobalSecret, name: envoy-admin-ca, data: aGVsbG8=}"));
  EXPECT_TRUE(in_zone("{type: GlobalSecret, name: zone-token-signing-public-key-1, data: aGVsbG8=}"));
  EXPECT_TRUE(in_zone("{type: Secret, mesh: default, name: s, data: aGVsbG8=}"));
  const auto in_global = [this](std::string_view name) {
    return is_in_scope(Side::Global, "east", make(registry_, fmt::format("{{type: ZoneEgress, name: {}, networking: {{address: 10.0.0.1, port: 1}}}}", name)));
  };
  EXPECT_TRUE(in_global("east.a"));
  EXPECT_FALSE(in_global("eastern.a"));
  EXPECT_FALSE(in_global("east"));
}

TEST_F(MappingTest, Wire_keys_split_at_the_last_dot) {
  EXPECT_EQ(to_wire_key({"default", "a.b"}), "a.b.default");
  EXPECT_EQ(to_wire_key({"", "zone-1.zi1"}), "zone-1.zi1.");
  EXPECT_EQ(parse_wire_key("a.b.default"), (model::ResourceKey{"default", "a.b"}));
  EXPECT_EQ(parse_wire_key("zone-1.zi1."), (model::ResourceKey{"", "zone-1.zi1"}));
  EXPECT_EQ(parse_wire_key("alone"), (model::ResourceKey{"", "alone"}));
}

TEST_F(MappingTest, Refuses_a_resource_of_another_kind_and_says_which_it_is) {
  google::protobuf::Any any;
  any.set_type_url("type.googleapis.com/other");
  EXPECT_THAT(std::string(message_of(decode_resource(*registry_.find("Mesh"), any).status())), ::testing::HasSubstr("\"type.googleapis.com/other\""));
  any.set_type_url(std::string(kKumaResourceUrl));
  any.set_value(encode_resource(make(registry_, "{type: Secret, mesh: default, name: s, data: aGVsbG8=}")));
  EXPECT_THAT(std::string(message_of(decode_resource(*registry_.find("Timeout"), any).status())),
              ::testing::StartsWith("type=\"Timeout\" name=\"s\" mesh=\"default\": the spec is no type.googleapis.com/kuma.mesh.v1alpha1.Timeout but"));
  EXPECT_FALSE(decode_resource(*registry_.find("Mesh"), any).ok());
  EXPECT_FALSE(decode_resource(*registry_.find("MeshTimeout"), any).ok());
}

TEST_F(MappingTest, The_largest_resource_of_a_response_is_made_out_wherever_it_is_cut) {
  namespace discovery = ::envoy::service::discovery::v3;
  const auto add = [&](discovery::DeltaDiscoveryResponse& response, const std::string& document) {
    auto& resource = *response.add_resources();
    resource.set_version("v");
    resource.mutable_resource()->set_type_url(std::string(kKumaResourceUrl));
    resource.mutable_resource()->set_value(encode_resource(make(registry_, document)));
  };
  discovery::DeltaDiscoveryResponse response;
  add(response, "{type: Mesh, name: first}");
  add(response, "{type: Secret, mesh: default, name: large, data: " + base64_encode(std::string(3'000'000, 'x')) + "}");
  const std::string bytes = response.SerializeAsString();
  EXPECT_THAT(describe_largest(std::string_view(bytes).substr(0, 16'384)), ::testing::StartsWith("Secret \"large\" of mesh \"default\" of 3000"));
  EXPECT_EQ(describe_largest(""), "");
  EXPECT_EQ(describe_largest(std::string(10'000, '\xff')), "");
  EXPECT_EQ(describe_largest(std::string(kKumaResourceUrl) + "\x12\xff\xff\xff\xff\x0f\x0a\xff\xff\xff\xff\x0f"), "") << "lengths that lie";
  for (size_t cut = 0; cut < 400; ++cut) {
    (void)describe_largest(std::string_view(bytes).substr(0, cut));
  }
}

TEST_F(MappingTest, Every_recorded_resource_has_the_recorded_version_when_encoded_again) {
  size_t checked = 0;
  for (const char* name : {"v2-session", "v2-remote-ingress", "v2-nack-by-global", "v2-nack-by-zone"}) {
    for (const testing::Recorded& entry : testing::read_transcript(name)) {
      if (entry.message != "envoy.service.discovery.v3.DeltaDiscoveryResponse") {
        continue;
      }
      envoy::service::discovery::v3::DeltaDiscoveryResponse response;
      ASSERT_TRUE(response.ParseFromString(entry.raw));
      const model::ResourceType* type = registry_.find(response.type_url());
      ASSERT_NE(type, nullptr) << response.type_url();
      for (const auto& resource : response.resources()) {
        const auto decoded = decode_resource(*type, resource.resource());
        ASSERT_TRUE(decoded.ok()) << decoded.status();
        EXPECT_EQ(version_of(encode_resource(*decoded)), resource.version()) << model::describe(*type, decoded->meta.key());
        ++checked;
      }
    }
  }
  if (checked == 0) {
    GTEST_SKIP() << "no recordings beside the checkout";
  }
}

}  // namespace
}  // namespace kuma::kds
