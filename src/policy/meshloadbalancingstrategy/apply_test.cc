#include "policy/meshloadbalancingstrategy/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/meshloadbalancingstrategy/locality.h"
#include "policy/testing.h"

namespace kuma::policy::meshloadbalancingstrategy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `{zone: east, k: v}` at an address.
struct Instance {
  std::string address;
  mesh::Tags tags;
};

ClusterLoadAssignment assignment_of(const std::vector<Instance>& instances) {
  ClusterLoadAssignment assignment;
  for (const Instance& instance : instances) {
    auto& group = *assignment.add_endpoints();
    group.mutable_locality()->set_zone(std::string(mesh::tag(instance.tags, mesh::kZoneTag)));
    auto& endpoint = *group.add_lb_endpoints();
    envoy::set_address(*endpoint.mutable_endpoint()->mutable_address(), instance.address, 80);
    auto& fields = *(*endpoint.mutable_metadata()->mutable_filter_metadata())["envoy.lb"].mutable_fields();
    for (const auto& [key, value] : instance.tags) {
      fields[key].set_string_value(value);
    }
  }
  return assignment;
}

// Each group as `zone/sub_zone priority weight: addresses`.
std::vector<std::string> groups_of(const ClusterLoadAssignment& assignment) {
  std::vector<std::string> lines;
  for (const auto& group : assignment.endpoints()) {
    std::string line = fmt::format("{}/{} p{} w{}:", group.locality().zone(), group.locality().sub_zone(), group.priority(),
                                   group.load_balancing_weight().value());
    for (const auto& endpoint : group.lb_endpoints()) {
      line += " " + endpoint.endpoint().address().socket_address().address();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

const std::vector<mesh::Tags> kOwnTags = {{{"node", "n1"}, {"az", "az1"}}};

class Order {
 public:
  explicit Order(const std::string& awareness, bool through_egress = false, const std::string& zone = "east")
      : awareness_(*parse_yaml(awareness)), through_egress_(through_egress), zone_(zone) {}

  ClusterLoadAssignment of(const std::vector<Instance>& instances) const {
    ClusterLoadAssignment assignment = assignment_of(instances);
    const ConfView view(&awareness_, FieldPath("localityAwareness"));
    order_endpoints(view, build_place(view, zone_, kOwnTags, through_egress_), assignment);
    return assignment;
  }
  std::vector<std::string> groups(const std::vector<Instance>& instances) const { return groups_of(of(instances)); }

 private:
  json::value awareness_;
  bool through_egress_;
  std::string zone_;
};

std::vector<Instance> everywhere() {
  return {{"10.0.0.3", {{"kuma.io/zone", "east"}, {"node", "n3"}, {"az", "az2"}}},
          {"10.0.0.2", {{"kuma.io/zone", "east"}, {"node", "n2"}, {"az", "az1"}}},
          {"10.0.0.1", {{"kuma.io/zone", "east"}, {"node", "n1"}, {"az", "az1"}}},
          {"10.9.0.1", {{"kuma.io/zone", "west"}}},
          {"10.8.0.1", {{"kuma.io/zone", "north"}}}};
}

TEST(Locality, Affinity_tags_weigh_ten_times_the_next_one) {
  EXPECT_THAT(Order("{localZone: {affinityTags: [{key: node}, {key: az}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.3", "east/az=az1 p0 w9: 10.0.0.2", "east/node=n1 p0 w90: 10.0.0.1"));
}

TEST(Locality, A_tag_that_the_proxy_lacks_still_counts_for_the_weights_of_others) {
  EXPECT_THAT(Order("{localZone: {affinityTags: [{key: missing}, {key: node}, {key: az}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.3", "east/az=az1 p0 w9: 10.0.0.2", "east/node=n1 p0 w90: 10.0.0.1"));
  EXPECT_EQ(default_affinity_weight(0, 3), 900U);
}

TEST(Locality, Explicit_weights_are_taken_as_they_are) {
  EXPECT_THAT(Order("{localZone: {affinityTags: [{key: node, weight: 7}, {key: az, weight: 3}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.3", "east/az=az1 p0 w3: 10.0.0.2", "east/node=n1 p0 w7: 10.0.0.1"));
}

TEST(Locality, Failover_rules_take_zones_in_order_and_count_in_the_whole_list) {
  EXPECT_THAT(Order("{crossZone: {failover: [{from: {zones: [south]}, to: {type: Any}}, {to: {type: Only, zones: [west]}}, {to: "
                    "{type: Any}}]}}")
                  .groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3", "north/ p3 w0: 10.8.0.1", "west/ p2 w0: 10.9.0.1"));
}

TEST(Locality, Zones_that_no_rule_takes_are_left_out) {
  EXPECT_THAT(Order("{crossZone: {failover: [{to: {type: AnyExcept, zones: [west]}}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3", "north/ p1 w0: 10.8.0.1"));
  EXPECT_THAT(Order("{crossZone: {}}").groups(everywhere()), ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3"));
  EXPECT_THAT(Order("{localZone: {}}", false, "south").groups(everywhere()), IsEmpty());
}

TEST(Locality, None_takes_nothing_and_does_not_end_the_list) {
  EXPECT_THAT(Order("{crossZone: {failover: [{to: {type: None}}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3"));
  EXPECT_THAT(Order("{crossZone: {failover: [{to: {type: None}}, {to: {type: Only, zones: [west]}}]}}").groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3", "west/ p2 w0: 10.9.0.1"));
}

TEST(Locality, Instances_without_a_zone_are_in_another_one) {
  EXPECT_THAT(Order("{crossZone: {failover: [{to: {type: Any}}]}}").groups({{"10.0.0.1", {{"version", "v1"}}}}),
              ElementsAre("/ p1 w0: 10.0.0.1"));
}

TEST(Locality, Disabled_only_keeps_what_the_mesh_says) {
  EXPECT_THAT(groups_of(Order("{disabled: true}").of({{"10.9.0.1", {{"kuma.io/zone", "west"}}}})), ElementsAre("west/ p0 w0: 10.9.0.1"));
  EXPECT_THAT(Order("{disabled: true, crossZone: {failover: [{to: {type: Any}}]}}").groups({{"10.9.0.1", {{"kuma.io/zone", "west"}}}}),
              ElementsAre("west/ p1 w0: 10.9.0.1"));
}

TEST(Locality, Other_zones_come_second_unless_it_is_disabled) {
  for (const char* awareness : {"{}", "{disabled: false}"}) {
    EXPECT_THAT(Order(awareness).groups({{"10.0.0.1", {{"kuma.io/zone", "east"}}}, {"10.9.0.1", {{"kuma.io/zone", "west"}}}}),
                ElementsAre("east/ p0 w0: 10.0.0.1", "west/ p1 w0: 10.9.0.1"));
  }
}

TEST(Locality, Behind_an_egress_all_other_zones_are_one_locality_named_after_the_rules) {
  const std::string rules =
      "{crossZone: {failover: [{to: {type: Only, zones: [zone-4, zone-2]}}, {to: {type: AnyExcept, zones: [zone-3]}}, {to: {type: "
      "Any}}]}}";
  EXPECT_THAT(Order(rules, true).groups(everywhere()),
              ElementsAre("east/ p0 w1: 10.0.0.1 10.0.0.2 10.0.0.3", "egress_HshNOZ+g/ p1 w0: 10.8.0.1 10.9.0.1"));
}

TEST(Locality, Thresholds_become_overprovisioning_factors) {
  auto factor = [](const std::string& cross_zone) {
    return Order("{crossZone: " + cross_zone + "}").of({}).policy().overprovisioning_factor().value();
  };
  EXPECT_EQ(factor("{}"), 200U);
  const std::pair<int, uint32_t> known[] = {{1, 10000}, {10, 1000}, {20, 500}, {25, 400}, {30, 300}, {33, 300},
                                            {34, 200},  {50, 200},  {51, 100}, {70, 100}, {99, 100}};
  for (const auto& [percentage, expected] : known) {
    EXPECT_EQ(factor(fmt::format("{{failoverThreshold: {{percentage: {}}}}}", percentage)), expected) << percentage;
  }
}

// The well-known setup (spec/policy-load-balancing.md §7.3): what a proxy of each zone sees of an instance in each zone.
TEST(Locality, Four_zones_fail_over_as_told) {
  const std::string general =
      "{from: {zones: [zone-1]}, to: {type: Only, zones: [zone-2]}}, {from: {zones: [zone-2]}, to: {type: Only, zones: [zone-1]}}, ";
  const std::string others = "{from: {zones: [zone-4]}, to: {type: AnyExcept, zones: [zone-3]}}";
  const std::string backend = "{crossZone: {failover: [" + general + others + "]}}";
  const std::string service_a = "{crossZone: {failover: [" + general + "{from: {zones: [zone-3]}, to: {type: Any}}, " + others + "]}}";
  std::vector<Instance> one_each;
  for (int zone = 1; zone <= 4; ++zone) {
    one_each.push_back({fmt::format("10.0.{}.1", zone), {{"kuma.io/zone", fmt::format("zone-{}", zone)}}});
  }
  auto seen = [&](const std::string& rules, int zone) {
    std::string line;
    const auto assignment = Order(rules, false, fmt::format("zone-{}", zone)).of(one_each);
    for (const auto& group : assignment.endpoints()) {
      line += fmt::format("{}:{} ", group.locality().zone(), group.priority());
    }
    return line;
  };
  EXPECT_EQ(seen(backend, 1), "zone-1:0 zone-2:1 ");
  EXPECT_EQ(seen(backend, 2), "zone-1:2 zone-2:0 ");
  EXPECT_EQ(seen(backend, 3), "zone-3:0 ");
  EXPECT_EQ(seen(backend, 4), "zone-1:3 zone-2:3 zone-4:0 ");
  EXPECT_EQ(seen(service_a, 1), "zone-1:0 zone-2:1 ");
  EXPECT_EQ(seen(service_a, 3), "zone-1:3 zone-2:3 zone-3:0 zone-4:3 ");
  EXPECT_EQ(seen(service_a, 4), "zone-1:4 zone-2:4 zone-4:0 ");
}

// On a proxy `web` with an outbound to `backend`, which has a cluster of its own and a split one, and to `other`.
class MeshLoadBalancingStrategyTest : public ::testing::Test {
 protected:
  MeshLoadBalancingStrategyTest() {
    mesh_.put("{type: Mesh, name: default}");
    mesh_.put("{type: Dataplane, mesh: default, name: web, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
              "{kuma.io/service: web}}]}}");
    resources_.outbounds.push_back({.address = "127.0.0.1", .port = 10001, .tags = {{"kuma.io/service", "backend"}}});
    for (const char* name : {"backend", "backend-154693772bc47249", "unreached"}) {
      Subject subject = testing::subject(std::string(name) == "unreached" ? "unreached" : "backend");
      Cluster cluster;
      cluster.set_name(name);
      ProxyResources::put(resources_.clusters, testing::draft_of(name, Origin::Outbound, subject, cluster));
      ProxyResources::put(resources_.endpoints, testing::draft_of(name, Origin::Outbound, subject, assignment_of(everywhere())));
    }
    ProxyResources::put(resources_.listeners, testing::draft_of("outbound", Origin::Outbound, testing::subject("backend"), listener()));
  }

  static Listener listener() {
    Listener listener;
    envoy::Hcm hcm;
    auto& host = *hcm.mutable_route_config()->add_virtual_hosts();
    host.add_routes()->mutable_route()->set_cluster("backend");
    host.add_routes()->mutable_redirect()->set_path_redirect("/there");
    envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
    return listener;
  }

  void strategy(const std::string& name, const std::string& to) {
    mesh_.put("{type: MeshLoadBalancingStrategy, mesh: default, name: " + name + ", spec: {targetRef: {kind: Mesh}, to: [" + to + "]}}");
  }
  void balancer(const std::string& conf) {
    strategy("s", "{targetRef: {kind: MeshService, name: backend}, default: {loadBalancer: " + conf + "}}");
  }
  std::vector<Problem> apply_all() { return mesh_.apply(apply, "web", resources_); }
  std::string cluster(const std::string& name) { return testing::json_of(testing::made(resources_.clusters.at(name))); }
  // The hash policies of the listener's first route and of the redirect.
  std::string hashes() {
    const Listener made = testing::made(resources_.listeners.at("outbound"));
    envoy::Hcm hcm;
    EXPECT_TRUE(made.filter_chains(0).filters(0).typed_config().UnpackTo(&hcm));
    const auto& routes = hcm.route_config().virtual_hosts(0).routes();
    EXPECT_TRUE(routes[1].has_redirect());
    std::string line;
    for (const auto& policy : routes[0].route().hash_policy()) {
      line += testing::json_of(policy);
    }
    return line;
  }

  testing::Mesh mesh_;
  ProxyResources resources_;
};

TEST_F(MeshLoadBalancingStrategyTest, Changes_the_service_and_its_split_clusters_and_no_others) {
  balancer("{type: Random}");
  EXPECT_THAT(apply_all(), IsEmpty());
  EXPECT_EQ(cluster("backend"), R"({"name":"backend","lbPolicy":"RANDOM"})");
  EXPECT_EQ(cluster("backend-154693772bc47249"), R"({"name":"backend-154693772bc47249","lbPolicy":"RANDOM"})");
  EXPECT_EQ(cluster("unreached"), R"({"name":"unreached"})");
  EXPECT_THAT(testing::shaped_by(resources_.endpoints.at("backend")), ElementsAre("s"));
  EXPECT_EQ(hashes(), "");
}

TEST_F(MeshLoadBalancingStrategyTest, Only_a_balancer_prefers_the_local_zone_too) {
  balancer("{type: RoundRobin}");
  apply_all();
  const auto groups = groups_of(testing::made(resources_.endpoints.at("backend")));
  EXPECT_THAT(groups, ::testing::Contains(HasSubstr("west/ p1")));
  EXPECT_EQ(cluster("backend"), R"({"name":"backend"})");
}

TEST_F(MeshLoadBalancingStrategyTest, Each_balancer_has_its_fields) {
  const std::pair<const char*, const char*> known[] = {
      {"{type: LeastRequest, leastRequest: {choiceCount: 4}}",
       R"({"name":"backend","lbPolicy":"LEAST_REQUEST","leastRequestLbConfig":{"choiceCount":4}})"},
      {"{type: LeastRequest}", R"({"name":"backend","lbPolicy":"LEAST_REQUEST"})"},
      {"{type: RingHash, ringHash: {hashPolicies: [], minRingSize: 2, maxRingSize: 9, hashFunction: MurmurHash2}}",
       R"({"name":"backend","lbPolicy":"RING_HASH","ringHashLbConfig":{"minimumRingSize":"2","hashFunction":"MURMUR_HASH_2","maximumRingSize":"9"}})"},
      {"{type: RingHash}", R"({"name":"backend","lbPolicy":"RING_HASH"})"},
      {"{type: Maglev, maglev: {hashPolicies: [], tableSize: 11}}",
       R"({"name":"backend","lbPolicy":"MAGLEV","maglevLbConfig":{"tableSize":"11"}})"}};
  const ProxyResources fresh = resources_;
  for (const auto& [conf, expected] : known) {
    resources_ = fresh;
    balancer(conf);
    EXPECT_THAT(apply_all(), IsEmpty()) << conf;
    EXPECT_EQ(cluster("backend"), expected) << conf;
  }
}

TEST_F(MeshLoadBalancingStrategyTest, Requests_are_hashed_by_every_policy_in_order_and_redirects_are_left_alone) {
  balancer("{type: Maglev, maglev: {hashPolicies: [{type: Header, header: {name: x-a}, terminal: true}, {type: Cookie, cookie: {name: "
           "c, ttl: 90s, path: /p}}, {type: QueryParameter, queryParameter: {name: q}}, {type: FilterState, filterState: {key: k}}]}}");
  EXPECT_THAT(apply_all(), IsEmpty());
  EXPECT_EQ(hashes(), R"({"header":{"headerName":"x-a"},"terminal":true}{"cookie":{"name":"c","ttl":"90s","path":"/p"}})"
                      R"({"queryParameter":{"name":"q"}}{"filterState":{"key":"k"}})");
}

TEST_F(MeshLoadBalancingStrategyTest, Affinity_makes_the_cluster_weigh_its_localities) {
  strategy("s", "{targetRef: {kind: Mesh}, default: {localityAwareness: {localZone: {affinityTags: [{key: az}]}}}}");
  apply_all();
  EXPECT_THAT(cluster("backend"), HasSubstr("\"localityWeightedLbConfig\":{}"));
}

TEST_F(MeshLoadBalancingStrategyTest, Endpoints_within_a_cluster_are_ordered_there) {
  Cluster inside;
  inside.set_name("backend");
  *inside.mutable_load_assignment() = assignment_of({{"10.9.0.1", {{"kuma.io/zone", "west"}}}});
  ProxyResources::put(resources_.clusters, testing::draft_of("backend", Origin::Outbound, testing::subject("backend"), inside));
  resources_.endpoints.erase("backend");
  strategy("s", "{targetRef: {kind: Mesh}, default: {localityAwareness: {crossZone: {failover: [{to: {type: Any}}]}}}}");
  apply_all();
  EXPECT_THAT(groups_of(testing::made(resources_.clusters.at("backend")).load_assignment()), ElementsAre("west/ p1 w0: 10.9.0.1"));
}

TEST_F(MeshLoadBalancingStrategyTest, What_older_peers_let_in_is_left_out_and_says_why_and_the_rest_goes_on) {
  balancer("{type: Random}");
  mesh_.put_unchecked("MeshLoadBalancingStrategy", "worse",
                      "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {loadBalancer: {type: RingHash, ringHash: "
                      "{hashPolicies: [{type: SourceIP}]}}}}]}");
  const auto problems = apply_all();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].policy.name, "worse");
  EXPECT_THAT(problems[0].message, HasSubstr("spec.to[0].default.loadBalancer.ringHash.hashPolicies[0].type: can't be used"));
  EXPECT_EQ(cluster("backend"), R"({"name":"backend","lbPolicy":"RANDOM"})");
}

}  // namespace
}  // namespace kuma::policy::meshloadbalancingstrategy
