#include "model/resource_type.h"

#include <set>

#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "model/resource.h"

namespace kuma::model {
namespace {

const Registry& registry() {
  static const Registry kRegistry(core_types());
  return kRegistry;
}

TEST(Registry, Finds_types_by_name_path_and_kumactl_word) {
  const ResourceType* type = registry().find("HealthCheck");
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(registry().find_by_path("health-checks"), type);
  EXPECT_EQ(registry().find_by_kumactl("healthcheck"), type);
  EXPECT_EQ(registry().find_by_kumactl("healthchecks"), type);
}

TEST(Registry, Finds_nothing_for_unknown_and_empty_words) {
  EXPECT_EQ(registry().find("Nonsense"), nullptr);
  EXPECT_EQ(registry().find(""), nullptr);
  EXPECT_EQ(registry().find("dataplane"), nullptr);
  EXPECT_EQ(registry().find_by_path(""), nullptr);  // not Config, which has no path
  EXPECT_EQ(registry().find_by_path("Dataplane"), nullptr);
  EXPECT_EQ(registry().find_by_kumactl(""), nullptr);  // not the insights, which kumactl does not know
  EXPECT_EQ(registry().find_by_kumactl("dp"), nullptr);
}

TEST(Registry, Keeps_types_in_order_of_name) {
  std::string_view last;
  for (const ResourceType& type : registry().types()) {
    EXPECT_LT(last, type.name);
    last = type.name;
  }
  EXPECT_EQ(registry().types().size(), 29U);
}

TEST(Registry, Gives_no_name_path_or_word_to_two_types) {
  std::set<std::string_view> paths;
  std::set<std::string_view> words;
  for (const ResourceType& type : registry().types()) {
    EXPECT_TRUE(type.path.empty() || paths.insert(type.path).second) << type.path;
    EXPECT_TRUE(type.kumactl_singular.empty() || words.insert(type.kumactl_singular).second) << type.kumactl_singular;
    EXPECT_TRUE(type.kumactl_plural.empty() || words.insert(type.kumactl_plural).second) << type.kumactl_plural;
  }
}

// One row a type: scope (M, G), path, words of kumactl, flags (r read-only, a admin-only, p policy, i inspectable),
// direction of synchronisation.
std::string row(const ResourceType& type) {
  const char* kds = type.kds == KdsDirection::None           ? "-"
                    : type.kds == KdsDirection::GlobalToZone ? "down"
                    : type.kds == KdsDirection::ZoneToGlobal ? "up"
                                                             : "both";
  std::string flags;
  flags += type.read_only ? "r" : "";
  flags += type.admin_only ? "a" : "";
  flags += type.is_policy ? "p" : "";
  flags += type.inspectable ? "i" : "";
  return fmt::format("{} {} [{}] [{}/{}] {} {} [{}]", type.name, type.scope == Scope::Mesh ? "M" : "G", type.path, type.kumactl_singular,
                     type.kumactl_plural, flags.empty() ? "-" : flags, kds, type.insight_type);
}

TEST(Registry, Has_every_core_type_with_its_flags) {
  const std::vector<std::string> expected = {
      "CircuitBreaker M [circuit-breakers] [circuit-breaker/circuit-breakers] pi down []",
      "Config G [] [/] - down []",
      "Dataplane M [dataplanes] [dataplane/dataplanes] - up [DataplaneInsight]",
      "DataplaneInsight M [dataplane-insights] [/] r up []",
      "ExternalService M [external-services] [external-service/external-services] - down []",
      "FaultInjection M [fault-injections] [fault-injection/fault-injections] pi down []",
      "GlobalSecret G [global-secrets] [global-secret/global-secrets] a down []",
      "HealthCheck M [health-checks] [healthcheck/healthchecks] pi down []",
      "Mesh G [meshes] [mesh/meshes] - down []",
      "MeshGateway M [meshgateways] [meshgateway/meshgateways] p down []",
      "MeshGatewayRoute M [meshgatewayroutes] [meshgatewayroute/meshgatewayroutes] p down []",
      "MeshInsight G [mesh-insights] [/] r - []",
      "ProxyTemplate M [proxytemplates] [proxytemplate/proxytemplates] pi down []",
      "RateLimit M [rate-limits] [rate-limit/rate-limits] pi down []",
      "Retry M [retries] [retry/retries] pi down []",
      "Secret M [secrets] [secret/secrets] a down []",
      "ServiceInsight M [service-insights] [/] r down []",
      "Timeout M [timeouts] [timeout/timeouts] pi down []",
      "TrafficLog M [traffic-logs] [traffic-log/traffic-logs] pi down []",
      "TrafficPermission M [traffic-permissions] [traffic-permission/traffic-permissions] pi down []",
      "TrafficRoute M [traffic-routes] [traffic-route/traffic-routes] pi down []",
      "TrafficTrace M [traffic-traces] [traffic-trace/traffic-traces] pi down []",
      "VirtualOutbound M [virtual-outbounds] [virtual-outbound/virtual-outbounds] p down []",
      "Zone G [zones] [zone/zones] - - [ZoneInsight]",
      "ZoneEgress G [zoneegresses] [zoneegress/zoneegresses] - up [ZoneEgressInsight]",
      "ZoneEgressInsight G [zoneegressinsights] [/] r up []",
      "ZoneIngress G [zone-ingresses] [zone-ingress/zone-ingresses] - both [ZoneIngressInsight]",
      "ZoneIngressInsight G [zone-ingress-insights] [/] r up []",
      "ZoneInsight G [zone-insights] [/] r - []",
  };
  std::vector<std::string> rows;
  for (const ResourceType& type : registry().types()) {
    rows.push_back(row(type));
  }
  EXPECT_EQ(rows, expected);
}

TEST(Registry, Gives_every_core_type_a_message_and_names_existing_insights) {
  for (const ResourceType& type : registry().types()) {
    EXPECT_NE(type.prototype, nullptr) << type.name;
    EXPECT_FALSE(type.is_target_ref) << type.name;
    EXPECT_TRUE(type.insight_type.empty() || registry().find(type.insight_type) != nullptr) << type.name;
  }
}

TEST(Describe, Names_a_resource_as_messages_do) {
  EXPECT_EQ(describe(*registry().find("Dataplane"), {"default", "web-1"}), R"(type="Dataplane" name="web-1" mesh="default")");
  EXPECT_EQ(describe(*registry().find("Zone"), {"", "east"}), R"(type="Zone" name="east" mesh="")");
}

TEST(ResourceKey, Orders_by_mesh_then_name) {
  EXPECT_LT((ResourceKey{"a", "z"}), (ResourceKey{"b", "a"}));
  EXPECT_LT((ResourceKey{"a", "a"}), (ResourceKey{"a", "b"}));
}

}  // namespace
}  // namespace kuma::model
