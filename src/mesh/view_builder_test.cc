#include "mesh/view_builder.h"

#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/trust.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/view_testing.h"

namespace kuma::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string dataplane(std::string_view name, std::string_view address, std::string_view tags, std::string_view more = "") {
  return fmt::format(
      "{{type: Dataplane, mesh: default, name: {0}, networking: {{address: {1}, inbound: [{{port: 80, tags: {{{2}}}{3}}}]}}}}\n---\n",
      name, address, tags, more);
}

constexpr char kMesh[] = "{type: Mesh, name: default}\n---\n";
constexpr char kMtlsMesh[] =
    "{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}\n---\n";
constexpr char kPermissiveMesh[] =
    "{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin, mode: PERMISSIVE}]}}\n---\n";

class ViewBuilderTest : public ::testing::Test {
 protected:
  std::vector<MeshUpdate> put(const std::string& yaml) { return builder.apply(store.put(yaml)); }
  std::vector<MeshUpdate> remove(std::string_view type, const std::string& mesh, const std::string& name) {
    return builder.apply(store.remove(type, mesh, name));
  }
  // The one update there has to be.
  MeshUpdate only(std::vector<MeshUpdate> updates) {
    EXPECT_EQ(updates.size(), 1U);
    return updates.empty() ? MeshUpdate{} : std::move(updates.front());
  }
  MeshViewPtr view() { return builder.find("default"); }

  // `10.0.0.1:80 w1`, with the zone and whether it goes through an egress.
  std::vector<std::string> endpoints(std::string_view service) {
    std::vector<std::string> texts;
    const Service* found = view()->find_service(service);
    for (const auto& endpoint : found == nullptr ? std::vector<EndpointPtr>() : found->endpoints) {
      texts.push_back(fmt::format("{}:{} w{}{}{}{}", endpoint->address, endpoint->port, endpoint->weight,
                                  endpoint->zone ? " in " + *endpoint->zone : "", endpoint->through_egress ? " by egress" : "",
                                  endpoint->external ? " external" : ""));
    }
    return texts;
  }

  void put_secret(std::string_view name, std::string_view data) {
    put(fmt::format("{{type: Secret, mesh: default, name: {}, data: {}}}", name, base64_encode(data)));
  }

  testing::TestStore store{model::core_types()};
  ViewBuilder builder{store.registry(), ViewOptions{}};
};

TEST_F(ViewBuilderTest, A_mesh_appears_with_all_that_came_in_one_batch) {
  auto update = only(put(kMesh + dataplane("b-1", "10.0.0.1", "kuma.io/service: b, kuma.io/protocol: http")));
  EXPECT_EQ(update.previous, nullptr);
  ASSERT_NE(update.view, nullptr);
  EXPECT_EQ(update.view, view());
  EXPECT_TRUE(update.change.mesh);
  EXPECT_THAT(update.change.services, ElementsAre("b"));
  EXPECT_THAT(update.change.dataplanes, ElementsAre(model::ResourceKey{"default", "b-1"}));
  EXPECT_EQ(update.view->sequence, 2U);
  EXPECT_EQ(view()->find_service("b")->protocol, Protocol::Http);
  EXPECT_THAT(endpoints("b"), ElementsAre("10.0.0.1:80 w1"));
  EXPECT_EQ(view()->trust, nullptr);
}

TEST_F(ViewBuilderTest, A_dataplane_before_its_mesh_waits_for_it) {
  EXPECT_THAT(put(dataplane("b-1", "10.0.0.1", "kuma.io/service: b")), IsEmpty());
  EXPECT_EQ(view(), nullptr);
  auto update = only(put(kMesh));
  EXPECT_THAT(update.change.services, ElementsAre("b"));
  EXPECT_NE(update.view->find_dataplane({"default", "b-1"}), nullptr);
}

TEST_F(ViewBuilderTest, One_more_instance_touches_its_service_and_shares_everything_else) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a") + dataplane("b-1", "10.0.0.2", "kuma.io/service: b"));
  auto before = view();
  auto update = only(put(dataplane("b-2", "10.0.0.3", "kuma.io/service: b")));
  EXPECT_THAT(update.change.services, ElementsAre("b"));
  EXPECT_THAT(update.change.dataplanes, ElementsAre(model::ResourceKey{"default", "b-2"}));
  EXPECT_FALSE(update.change.mesh);
  EXPECT_EQ(before->find_service("a"), view()->find_service("a"));
  EXPECT_NE(before->find_service("b"), view()->find_service("b"));
  EXPECT_EQ(before->find_service("b")->endpoints.size(), 1U) << "the older view is as it was";
  EXPECT_EQ(before->find_dataplane({"default", "b-1"}), view()->find_dataplane({"default", "b-1"}));
}

TEST_F(ViewBuilderTest, A_write_that_changes_nothing_makes_no_view) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  auto before = view();
  EXPECT_THAT(put(dataplane("a-1", "10.0.0.1", "kuma.io/service: a")), IsEmpty());
  EXPECT_THAT(put(kMesh), IsEmpty());
  EXPECT_EQ(view(), before);
}

TEST_F(ViewBuilderTest, Outbounds_of_a_dataplane_are_nobody_elses_business) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  auto update = only(put(
      "{type: Dataplane, mesh: default, name: a-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
      "{kuma.io/service: a}}], outbound: [{port: 1000, tags: {kuma.io/service: b}}]}}"));
  EXPECT_THAT(update.change.dataplanes, ElementsAre(model::ResourceKey{"default", "a-1"}));
  EXPECT_THAT(update.change.services, IsEmpty());
}

TEST_F(ViewBuilderTest, A_service_goes_with_its_last_dataplane) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  auto update = only(remove("Dataplane", "default", "a-1"));
  EXPECT_THAT(update.change.services, ElementsAre("a"));
  EXPECT_EQ(view()->find_service("a"), nullptr);
  EXPECT_EQ(view()->find_dataplane({"default", "a-1"}), nullptr);
}

TEST_F(ViewBuilderTest, Only_ready_inbounds_are_endpoints_but_all_make_a_service) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a", ", health: {ready: true}") +
      dataplane("a-2", "10.0.0.2", "kuma.io/service: a", ", health: {ready: false}") +
      dataplane("a-3", "10.0.0.3", "kuma.io/service: a", ", state: NotReady") +
      dataplane("a-4", "10.0.0.4", "kuma.io/service: a", ", state: Ignored") +
      dataplane("c-1", "10.0.0.5", "kuma.io/service: c", ", state: NotReady") +
      dataplane("d-1", "10.0.0.6", "kuma.io/service: d", ", state: Ignored"));
  EXPECT_THAT(endpoints("a"), ElementsAre("10.0.0.1:80 w1"));
  ASSERT_NE(view()->find_service("c"), nullptr);
  EXPECT_THAT(endpoints("c"), IsEmpty());
  EXPECT_EQ(view()->find_service("d"), nullptr) << "an ignored inbound is no service";
  EXPECT_THAT(view()->find_dataplane({"default", "d-1"})->tag_sets, IsEmpty());
}

TEST_F(ViewBuilderTest, An_advertised_address_is_what_others_use) {
  put(kMesh + std::string("{type: Dataplane, mesh: default, name: a-1, networking: {address: 10.0.0.1, advertisedAddress: "
                          "192.0.2.1, inbound: [{port: 80, address: 10.9.9.9, tags: {kuma.io/service: a}}]}}\n---\n"
                          "{type: Dataplane, mesh: default, name: a-2, networking: {address: 10.0.0.2, inbound: [{port: 81, "
                          "address: 10.9.9.8, tags: {kuma.io/service: a}}]}}"));
  EXPECT_THAT(endpoints("a"), ElementsAre("192.0.2.1:80 w1", "10.9.9.8:81 w1"));
  EXPECT_EQ(view()->find_dataplane({"default", "a-1"})->address, "10.0.0.1");
}

TEST_F(ViewBuilderTest, A_host_name_keeps_its_dataplane_out_until_it_resolves) {
  put(kMesh + dataplane("a-1", "a.example", "kuma.io/service: a"));
  EXPECT_EQ(view()->find_dataplane({"default", "a-1"}), nullptr);
  EXPECT_THAT(endpoints("a"), IsEmpty());
  EXPECT_THAT(builder.hosts(), ElementsAre("a.example"));

  auto update = only(builder.set_resolved("a.example", "10.1.1.1"));
  EXPECT_THAT(update.change.dataplanes, ElementsAre(model::ResourceKey{"default", "a-1"}));
  EXPECT_THAT(update.change.services, ElementsAre("a"));
  EXPECT_THAT(endpoints("a"), ElementsAre("10.1.1.1:80 w1"));
  const auto& spec = view()->find_dataplane({"default", "a-1"})->resource->as<v1alpha1::Dataplane>();
  EXPECT_EQ(spec.networking().address(), "10.1.1.1");

  EXPECT_THAT(builder.set_resolved("a.example", "10.1.1.1"), IsEmpty());
  EXPECT_THAT(builder.set_resolved("unused.example", "10.1.1.1"), IsEmpty());
  only(builder.set_resolved("a.example", "10.1.1.2"));
  EXPECT_THAT(endpoints("a"), ElementsAre("10.1.1.2:80 w1"));
  only(builder.set_resolved("a.example", ""));
  EXPECT_EQ(view()->find_dataplane({"default", "a-1"}), nullptr);
}

TEST_F(ViewBuilderTest, Policies_are_kept_by_type_and_name_and_told_before_and_after) {
  static constexpr char kTimeout[] =
      "{{type: Timeout, mesh: default, name: {}, sources: [{{match: {{kuma.io/service: '*'}}}}], destinations: [{{match: "
      "{{kuma.io/service: '*'}}}}], conf: {{connectTimeout: {}s}}}}\n---\n";
  put(kMesh + fmt::format(kTimeout, "z", 1) + fmt::format(kTimeout, "a", 1));
  ASSERT_EQ(view()->policies_of("Timeout").size(), 2U);
  EXPECT_EQ(view()->policies_of("Timeout")[0]->meta.name, "a");
  EXPECT_THAT(view()->policies_of("Retry"), IsEmpty());

  auto before = view();
  auto update = only(put(fmt::format(kTimeout, "z", 2)));
  ASSERT_EQ(update.change.policies.size(), 1U);
  EXPECT_EQ(update.change.policies[0].first, before->policies_of("Timeout")[1]);
  EXPECT_EQ(update.change.policies[0].second, view()->policies_of("Timeout")[1]);
  EXPECT_THAT(update.change.services, IsEmpty());

  update = only(remove("Timeout", "default", "z"));
  EXPECT_EQ(update.change.policies[0].second, nullptr);
  EXPECT_EQ(view()->policies_of("Timeout").size(), 1U);
  EXPECT_THAT(put(fmt::format(kTimeout, "a", 1)), IsEmpty());
}

TEST_F(ViewBuilderTest, The_builtin_authority_comes_from_its_two_secrets) {
  put(kMtlsMesh);
  ASSERT_TRUE(view()->mtls_enabled());
  EXPECT_EQ(view()->trust->problem,
            "the certificate of backend \"ca\" can't be loaded: the secret \"default.ca-builtin-cert-ca\" does not exist in "
            "the mesh");
  put_secret("default.ca-builtin-cert-ca", "CERT");
  put_secret("default.ca-builtin-key-ca", "KEY");
  EXPECT_EQ(*view()->trust,
            (Trust{.backend = "ca", .bundle_pem = "CERT", .certificate_pem = "CERT", .key_pem = "KEY", .problem = ""}));
  auto update = only(remove("Secret", "default", "default.ca-builtin-key-ca"));
  EXPECT_TRUE(update.change.mesh);
  EXPECT_NE(view()->trust->problem, "");
}

TEST_F(ViewBuilderTest, A_secret_that_is_nobodys_key_is_told_by_name_and_leaves_the_trust_alone) {
  put(kMtlsMesh);
  auto trust = view()->trust;
  auto update = only(builder.apply(store.put("{type: Secret, mesh: default, name: other, data: eA==}")));
  EXPECT_FALSE(update.change.mesh);
  EXPECT_THAT(update.change.secrets, ElementsAre("other"));
  EXPECT_EQ(view()->trust, trust);
  EXPECT_THAT(put("{type: Secret, mesh: default, name: other, data: eA==}"), IsEmpty());
}

TEST_F(ViewBuilderTest, Readiness_for_TLS_is_the_one_thing_that_insights_change) {
  static constexpr char kInsight[] = "{{type: DataplaneInsight, mesh: default, name: {}, mTLS: {{issuedBackend: {}}}}}";
  put(kPermissiveMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a") +
      dataplane("a-2", "10.0.0.2", "kuma.io/service: a") + dataplane("b-1", "10.0.0.3", "kuma.io/service: b"));
  EXPECT_FALSE(view()->find_service("a")->tls_ready);
  EXPECT_THAT(put(fmt::format(kInsight, "a-1", "ca")), IsEmpty()) << "a-2 has none yet";
  EXPECT_THAT(put("{type: DataplaneInsight, mesh: default, name: a-1, mTLS: {issuedBackend: ca}, subscriptions: [{id: x}]}"),
              IsEmpty());
  auto update = only(put(fmt::format(kInsight, "a-2", "ca")));
  EXPECT_THAT(update.change.services, ElementsAre("a"));
  EXPECT_THAT(update.change.dataplanes, IsEmpty());
  EXPECT_TRUE(view()->find_service("a")->tls_ready);
  EXPECT_FALSE(view()->find_service("b")->tls_ready);

  update = only(put(fmt::format(kInsight, "a-1", "older")));
  EXPECT_FALSE(view()->find_service("a")->tls_ready);
  only(put(fmt::format(kInsight, "a-1", "ca")));
  only(remove("DataplaneInsight", "default", "a-1"));
  EXPECT_FALSE(view()->find_service("a")->tls_ready);
  only(remove("Dataplane", "default", "a-1"));
  EXPECT_TRUE(view()->find_service("a")->tls_ready) << "who is left has its certificate";
}

TEST_F(ViewBuilderTest, Insights_before_PERMISSIVE_count_once_it_is_on) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  EXPECT_THAT(put("{type: DataplaneInsight, mesh: default, name: a-1, mTLS: {issuedBackend: ca}}"), IsEmpty());
  auto update = only(put(kPermissiveMesh));
  EXPECT_TRUE(update.change.mesh);
  EXPECT_TRUE(view()->find_service("a")->tls_ready);
  EXPECT_TRUE(view()->permissive());
  only(put(kMtlsMesh));
  EXPECT_FALSE(view()->permissive());
  EXPECT_FALSE(view()->find_service("a")->tls_ready) << "nobody asks in a STRICT mesh, so it stays the same";
}

TEST_F(ViewBuilderTest, A_mesh_goes_and_comes_back_with_what_was_left_in_it) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  auto update = only(remove("Mesh", "", "default"));
  EXPECT_NE(update.previous, nullptr);
  EXPECT_EQ(update.view, nullptr);
  EXPECT_EQ(view(), nullptr);
  EXPECT_THAT(builder.views(), IsEmpty());
  update = only(put(kMesh));
  EXPECT_EQ(update.previous, nullptr);
  EXPECT_THAT(endpoints("a"), ElementsAre("10.0.0.1:80 w1"));
}

TEST_F(ViewBuilderTest, Other_meshes_are_told_of_a_changed_mesh_and_see_its_trust) {
  put(kMesh);
  auto updates = put("{type: Mesh, name: other, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates[0].view->name, "default");
  EXPECT_FALSE(updates[0].change.mesh);
  EXPECT_THAT(updates[0].change.other_meshes, ElementsAre("other"));
  EXPECT_NE(view()->other_meshes.at("other").trust, nullptr);
  EXPECT_EQ(builder.find("other")->other_meshes.at("default").trust, nullptr);

  updates = put("{type: Secret, mesh: other, name: other.ca-builtin-cert-ca, data: eA==}");
  ASSERT_EQ(updates.size(), 2U) << "the trust that this mesh sees is another";
  updates = remove("Mesh", "", "other");
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_TRUE(view()->other_meshes.empty());
}

// Zones.

constexpr char kIngress[] =
    "{{type: ZoneIngress, name: {0}, zone: {1}, networking: {{address: 10.9.0.1, port: 10001, advertisedAddress: {2}, "
    "advertisedPort: {3}}}, availableServices: [{{mesh: default, instances: {4}, tags: {{kuma.io/service: a, kuma.io/zone: "
    "{1}}}}}]}}\n---\n";

TEST_F(ViewBuilderTest, Services_of_other_zones_are_reached_by_their_ingresses_if_mTLS_is_on) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a") + fmt::format(kIngress, "i-1", "east", "192.0.2.1", 10001, 3));
  EXPECT_THAT(endpoints("a"), ElementsAre("10.0.0.1:80 w1"));
  put(kMtlsMesh);
  EXPECT_THAT(endpoints("a"), ElementsAre("192.0.2.1:10001 w3 in east", "10.0.0.1:80 w1"));
  put(fmt::format(kIngress, "i-2", "west", "192.0.2.2", 10001, 1));
  EXPECT_THAT(endpoints("a"),
              ElementsAre("192.0.2.1:10001 w3 in east", "192.0.2.2:10001 w1 in west", "10.0.0.1:80 w2"))
      << "local instances weigh as much as there are ingresses";
  put(fmt::format(kIngress, "i-3", "west", "192.0.2.2", 10001, 1));
  EXPECT_THAT(endpoints("a").size(), 3U) << "the same load balancer once";
  auto update = only(remove("ZoneIngress", "", "i-1"));
  EXPECT_TRUE(update.change.zone_proxies);
  EXPECT_FALSE(update.change.mesh);
  EXPECT_THAT(update.change.services, ElementsAre("a"));
}

TEST_F(ViewBuilderTest, Ingresses_without_a_public_address_or_of_this_zone_are_passed_over) {
  ViewBuilder in_east(store.registry(), ViewOptions{.zone = "east", .read_file = nullptr});
  in_east.apply(store.put(kMtlsMesh + fmt::format(kIngress, "i-1", "east", "192.0.2.1", 10001, 3) +
                          "{type: ZoneIngress, name: i-2, zone: west, networking: {address: 10.9.0.1, port: 10001}, "
                          "availableServices: [{mesh: default, instances: 1, tags: {kuma.io/service: a}}]}"));
  EXPECT_EQ(in_east.find("default")->find_service("a"), nullptr);
  EXPECT_EQ(in_east.find("default")->zone, "east");
  in_east.apply(store.put(fmt::format(kIngress, "i-2", "west", "a.example", 10001, 1)));
  EXPECT_THAT(in_east.hosts(), ElementsAre("a.example"));
  EXPECT_EQ(in_east.find("default")->find_service("a"), nullptr);
  in_east.set_resolved("a.example", "192.0.2.9");
  EXPECT_EQ(in_east.find("default")->find_service("a")->endpoints.front()->address, "192.0.2.9");
}

TEST_F(ViewBuilderTest, With_zone_egress_other_zones_and_external_services_go_through_each_egress) {
  static constexpr char kEgressMesh[] =
      "{type: Mesh, name: default, routing: {zoneEgress: true}, mtls: {enabledBackend: ca, backends: [{name: ca, type: "
      "builtin}]}}\n---\n";
  put(kEgressMesh + fmt::format(kIngress, "i-1", "east", "192.0.2.1", 10001, 3) +
      "{type: ZoneEgress, name: e-1, networking: {address: 10.8.0.1, port: 10002}}\n---\n"
      "{type: ZoneEgress, name: e-2, networking: {address: 10.8.0.2, port: 10002}}\n---\n"
      "{type: ExternalService, mesh: default, name: x, tags: {kuma.io/service: x, kuma.io/protocol: http}, networking: "
      "{address: 'x.example:443'}}");
  EXPECT_THAT(endpoints("a"), ElementsAre("10.8.0.1:10002 w1 in east by egress", "10.8.0.2:10002 w1 in east by egress"));
  EXPECT_THAT(endpoints("x"), ElementsAre("10.8.0.1:10002 w1 by egress external", "10.8.0.2:10002 w1 by egress external"));
  EXPECT_TRUE(view()->find_service("x")->external);
  EXPECT_TRUE(view()->zone_egress_enabled());

  put(kMtlsMesh);
  EXPECT_THAT(endpoints("x"), IsEmpty());
  ASSERT_EQ(view()->find_service("x")->direct.size(), 1U);
  EXPECT_EQ(view()->find_service("x")->direct.front()->address, "x.example");
  EXPECT_EQ(view()->find_service("x")->direct.front()->port, 443U);
}

TEST_F(ViewBuilderTest, A_view_made_bit_by_bit_equals_one_made_at_once) {
  put(kMtlsMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  put(fmt::format(kIngress, "i-1", "east", "192.0.2.1", 10001, 3) + fmt::format(kIngress, "i-2", "west", "192.0.2.2", 1, 1));
  for (int i = 0; i < 200; ++i) {
    put(dataplane(fmt::format("b-{}", i % 70), fmt::format("10.0.1.{}", i), fmt::format("kuma.io/service: b-{}", i % 7)));
    if (i % 5 == 0) {
      remove("Dataplane", "default", fmt::format("b-{}", i % 70));
    }
  }
  remove("ZoneIngress", "", "i-2");
  ViewBuilder at_once(store.registry(), ViewOptions{});
  at_once.apply(store.snapshot());
  auto fresh = at_once.find("default");
  ASSERT_EQ(fresh->services.size(), view()->services.size());
  for (const auto& [name, service] : fresh->services) {
    const Service* other = view()->find_service(name);
    ASSERT_NE(other, nullptr);
    ASSERT_EQ(service->endpoints.size(), other->endpoints.size());
    for (size_t i = 0; i < service->endpoints.size(); ++i) {
      EXPECT_EQ(*service->endpoints[i], *other->endpoints[i]);
    }
  }
  EXPECT_EQ(fresh->dataplanes.size(), view()->dataplanes.size());
}

TEST_F(ViewBuilderTest, An_overlay_shows_what_would_be_and_leaves_the_builder_alone) {
  put(kMesh + dataplane("a-1", "10.0.0.1", "kuma.io/service: a"));
  put("{type: Mesh, name: other}");
  auto before = view();
  testing::TestStore imagined(model::core_types());
  auto changes = imagined.put(dataplane("a-2", "10.0.0.2", "kuma.io/service: a"));
  MeshUpdate update = builder.overlay("default", changes);
  EXPECT_EQ(update.previous, before);
  EXPECT_THAT(update.change.services, ElementsAre("a"));
  EXPECT_EQ(update.view->find_service("a")->endpoints.size(), 2U);
  EXPECT_EQ(update.view->other_meshes.size(), 1U);
  EXPECT_EQ(view(), before);

  EXPECT_EQ(builder.overlay("default", {}).view, before);
  EXPECT_EQ(builder.overlay("nowhere", changes).view, nullptr);
}

TEST_F(ViewBuilderTest, The_oldest_change_of_a_batch_counts_for_the_time_it_takes) {
  put(kMesh);
  auto update = only(put(dataplane("a-1", "10.0.0.1", "kuma.io/service: a") + dataplane("a-2", "10.0.0.2", "kuma.io/service: a")));
  EXPECT_EQ(update.change.committed_at, MonotonicTime(std::chrono::seconds(2)));
}

// Trust.

class TrustTest : public ::testing::Test {
 protected:
  TrustPtr load(const std::string& backend, const std::map<std::string, std::string, std::less<>>& secrets = {},
                std::function<absl::StatusOr<std::string>(const std::string&)> read_file = nullptr) {
    auto change = store.put(
        fmt::format("{{type: Mesh, name: default, mtls: {{skipValidation: true, enabledBackend: ca, backends: [{}]}}}}", backend));
    return load_trust(*change.front().after, {.secret = [&](std::string_view name) -> const std::string* {
                                                auto found = secrets.find(name);
                                                return found == secrets.end() ? nullptr : &found->second;
                                              },
                                              .read_file = std::move(read_file)});
  }
  testing::TestStore store{model::core_types()};
};

TEST_F(TrustTest, A_provided_authority_takes_its_parts_from_secrets_files_and_inline_data) {
  auto trust = load("{name: ca, type: provided, conf: {cert: {secret: c}, key: {inlineString: KEY}}}", {{"c", "CERT"}});
  EXPECT_EQ(trust->problem, "");
  EXPECT_EQ(trust->bundle_pem, "CERT");
  EXPECT_EQ(trust->key_pem, "KEY");
  trust = load("{name: ca, type: provided, conf: {cert: {inline: Q0VSVA==}, key: {file: /k.pem}}}", {},
               [](const std::string& path) -> absl::StatusOr<std::string> { return "content of " + path; });
  EXPECT_EQ(trust->bundle_pem, "CERT");
  EXPECT_EQ(trust->key_pem, "content of /k.pem");
}

TEST_F(TrustTest, The_first_certificate_of_a_chain_signs_and_the_whole_chain_is_trusted) {
  std::string one = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", two = one + one;
  auto trust = load("{name: ca, type: provided, conf: {cert: {secret: c}, key: {secret: k}}}", {{"c", two}, {"k", "K"}});
  EXPECT_EQ(trust->bundle_pem, two);
  EXPECT_EQ(trust->certificate_pem, one);
}

TEST_F(TrustTest, Each_thing_that_can_be_missing_is_named) {
  auto problem = [&](const std::string& conf) {
    return load("{name: ca, type: provided, conf: {cert: " + conf + ", key: {inlineString: K}}}")->problem;
  };
  EXPECT_EQ(problem("{secret: gone}"),
            "the certificate of backend \"ca\" can't be loaded: the secret \"gone\" does not exist in the mesh");
  EXPECT_EQ(problem("{file: /c.pem}"),
            "the certificate of backend \"ca\" can't be loaded: the file /c.pem can't be read here");
  EXPECT_EQ(problem("{inline: '%%%'}"), "the certificate of backend \"ca\" can't be loaded: conf.cert.inline is not base64");
  EXPECT_EQ(problem("{other: x}"),
            "the certificate of backend \"ca\" can't be loaded: conf.cert has none of secret, file, inline, inlineString");
  EXPECT_EQ(problem("text"), "the certificate of backend \"ca\" can't be loaded: conf.cert is not defined");
  EXPECT_EQ(load("{name: ca, type: homemade}")->problem, "backend \"ca\" is of the unknown type \"homemade\"");
  EXPECT_EQ(load("{name: ca, type: provided, conf: {cert: {inlineString: C}, key: {file: /k}}}", {},
                 [](const std::string&) -> absl::StatusOr<std::string> { return absl::NotFoundError("no such file"); })
                ->problem,
            "the key of backend \"ca\" can't be loaded: no such file");
}

TEST_F(TrustTest, Is_null_when_mTLS_is_off) {
  auto change = store.put("{type: Mesh, name: default, mtls: {backends: [{name: ca, type: builtin}]}}");
  EXPECT_EQ(load_trust(*change.front().after, {}), nullptr);
}

}  // namespace
}  // namespace kuma::mesh
