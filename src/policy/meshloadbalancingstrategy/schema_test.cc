#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/testing.h"

namespace kuma::policy::meshloadbalancingstrategy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> violations(const std::string& spec) {
  return testing::Mesh().violations_of("{type: MeshLoadBalancingStrategy, mesh: default, name: s, spec: " + spec + "}");
}
// Of the settings for every destination.
std::vector<std::string> refusals(const std::string& conf) {
  return violations("{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: " + conf + "}]}");
}
std::vector<std::string> of_balancer(const std::string& balancer) { return refusals("{loadBalancer: " + balancer + "}"); }
std::vector<std::string> of_failover(const std::string& rule) {
  return refusals("{localityAwareness: {crossZone: {failover: [" + rule + "]}}}");
}
std::vector<std::string> of_threshold(const std::string& percentage) {
  return refusals("{localityAwareness: {crossZone: {failoverThreshold: {percentage: " + percentage + "}}}}");
}
std::vector<std::string> of_affinity(const std::string& tags) {
  return refusals("{localityAwareness: {localZone: {affinityTags: " + tags + "}}}");
}

const std::string kD = "spec.to[0].default.";
const std::string kHash = kD + "loadBalancer.ringHash.hashPolicies";

TEST(MeshLoadBalancingStrategySchema, Needs_a_destination) {
  EXPECT_THAT(violations("{targetRef: {kind: Mesh}}"), ElementsAre("spec.to: needs at least one item"));
  EXPECT_THAT(violations("{targetRef: {kind: Mesh}, to: []}"), ElementsAre("spec.to: needs at least one item"));
}

TEST(MeshLoadBalancingStrategySchema, Takes_proxies_on_top_and_services_as_destinations) {
  EXPECT_THAT(violations("{targetRef: {kind: MeshGateway, name: g}, to: [{targetRef: {kind: MeshSubset, tags: {a: b}}}, {targetRef: "
                         "{kind: MeshServiceSubset, name: s}}]}"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.to[0].targetRef.kind: value is not supported",
                          "spec.to[1].targetRef.kind: value is not supported"));
}

TEST(MeshLoadBalancingStrategySchema, Each_hash_policy_needs_its_section) {
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashPolicies: [{type: Header}, {type: Cookie}, {type: QueryParameter}, {type: "
                          "FilterState}, {type: Cookie, cookie: {name: c, path: here}}]}}"),
              ElementsAre(kHash + "[0].header: must be defined", kHash + "[1].cookie: must be defined",
                          kHash + "[2].queryParameter: must be defined", kHash + "[3].filterState: must be defined",
                          kHash + "[4].cookie.path: must be an absolute path"));
  EXPECT_THAT(of_balancer("{type: Maglev, maglev: {hashPolicies: [{type: Header}]}}"),
              ElementsAre(kD + "loadBalancer.maglev.hashPolicies[0].header: must be defined"));
}

TEST(MeshLoadBalancingStrategySchema, Names_in_the_sections_of_hash_policies_must_not_be_empty) {
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashPolicies: [{type: Header, header: {name: ''}}, {type: Cookie, cookie: {name: "
                          "''}}, {type: QueryParameter, queryParameter: {name: ''}}, {type: FilterState, filterState: {key: ''}}]}}"),
              ElementsAre(kHash + "[0].header.name: in body should be at least 1 chars long",
                          kHash + "[1].cookie.name: in body should be at least 1 chars long",
                          kHash + "[2].queryParameter.name: in body should be at least 1 chars long",
                          kHash + "[3].filterState.key: in body should be at least 1 chars long"));
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashPolicies: [{type: Header, header: {}}, {}]}}"),
              ElementsAre(kHash + "[0].header.name: in body is required", kHash + "[1].type: in body is required"));
}

TEST(MeshLoadBalancingStrategySchema, Looks_only_at_the_section_of_its_type) {
  EXPECT_THAT(of_balancer("{type: Random, ringHash: {hashPolicies: [{type: Header}]}, maglev: {}}"), IsEmpty());
  EXPECT_THAT(of_balancer("{type: RingHash}"), IsEmpty());
  EXPECT_THAT(of_balancer("{type: Maglev, maglev: {hashPolicies: []}}"), IsEmpty());
}

TEST(MeshLoadBalancingStrategySchema, Refuses_what_stops_older_control_planes) {
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashPolicies: [{type: SourceIP}]}}"),
              ElementsAre(kHash + "[0].type: can't be used, control planes of version 2.5 stop configuring proxies with it; use "
                                  "Header, Cookie, QueryParameter or FilterState"));
  const std::string missing = "must be defined, control planes of version 2.5 stop configuring proxies without it; [] stands for none";
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {minRingSize: 10}}"), ElementsAre(kHash + ": " + missing));
  EXPECT_THAT(of_balancer("{type: Maglev, maglev: {}}"), ElementsAre(kD + "loadBalancer.maglev.hashPolicies: " + missing));
  EXPECT_THAT(of_threshold("'50'"),
              ElementsAre(kD + "localityAwareness.crossZone.failoverThreshold.percentage: must be a number without quotes, control "
                               "planes of version 2.5 stop configuring proxies with a string"));
}

TEST(MeshLoadBalancingStrategySchema, Names_unknown_values_of_enums) {
  EXPECT_THAT(of_balancer("{type: Fastest}"),
              ElementsAre(kD + "loadBalancer.type: in body should be one of [RoundRobin LeastRequest RingHash Random Maglev]"));
  EXPECT_THAT(of_balancer("{ringHash: {hashPolicies: []}}"), ElementsAre(kD + "loadBalancer.type: in body is required"));
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashFunction: Sha, hashPolicies: [{type: Connection}]}}"),
              ElementsAre(kD + "loadBalancer.ringHash.hashFunction: in body should be one of [XXHash MurmurHash2]",
                          kHash + "[0].type: in body should be one of [Header Cookie SourceIP QueryParameter FilterState]"));
}

TEST(MeshLoadBalancingStrategySchema, Names_sizes_out_of_bounds) {
  EXPECT_THAT(of_balancer("{type: RingHash, ringHash: {hashPolicies: [], minRingSize: 0, maxRingSize: 9000000}}"),
              ::testing::UnorderedElementsAre(
                  kD + "loadBalancer.ringHash.minRingSize: in body should be greater than or equal to 1",
                  kD + "loadBalancer.ringHash.maxRingSize: in body should be less than or equal to 8e+06"));
  EXPECT_THAT(of_balancer("{type: LeastRequest, leastRequest: {choiceCount: 1}}"),
              ElementsAre(kD + "loadBalancer.leastRequest.choiceCount: in body should be greater than or equal to 2"));
  EXPECT_THAT(of_balancer("{type: Maglev, maglev: {hashPolicies: [], tableSize: 0}}"),
              ElementsAre(kD + "loadBalancer.maglev.tableSize: in body should be greater than or equal to 1"));
}

TEST(MeshLoadBalancingStrategySchema, Affinity_tags_have_keys_and_weights_or_none) {
  const std::string tags = kD + "localityAwareness.localZone.affinityTags";
  EXPECT_THAT(of_affinity("[{key: '', weight: 1}, {key: a, weight: 0}]"),
              ElementsAre(tags + "[0].key: must not be empty", tags + "[1].weight: must be greater than 0"));
  EXPECT_THAT(of_affinity("[{key: a, weight: 1}, {key: b}]"), ElementsAre(tags + ": all or none affinity tags should have weight"));
}

TEST(MeshLoadBalancingStrategySchema, Refuses_weights_that_Envoy_would_refuse) {
  const std::string tags = kD + "localityAwareness.localZone.affinityTags";
  std::string nine = "{key: a}, {key: b}, {key: c}, {key: d}, {key: e}, {key: f}, {key: g}, {key: h}, {key: i}";
  EXPECT_THAT(of_affinity("[" + nine + "]"), IsEmpty());
  EXPECT_THAT(of_affinity("[" + nine + ", {key: j}]"),
              ElementsAre(tags + ": must be at most 9 without weights, since each weighs ten times the next one"));
  EXPECT_THAT(of_affinity("[{key: a, weight: 4294967293}, {key: b, weight: 1}]"), IsEmpty());
  EXPECT_THAT(of_affinity("[{key: a, weight: 4294967294}, {key: b, weight: 1}]"),
              ElementsAre(tags + ": the sum of the weights must be less than 4294967295"));
}

TEST(MeshLoadBalancingStrategySchema, Failover_rules_say_which_zones) {
  const std::string rule = kD + "localityAwareness.crossZone.failover[0].";
  EXPECT_THAT(of_failover("{from: {zones: []}, to: {type: Any}}"), ElementsAre(rule + "from.zones: must not be empty"));
  EXPECT_THAT(of_failover("{from: {zones: [a, '']}, to: {type: Any}}"), ElementsAre(rule + "from.zones[1]: must not be empty"));
  EXPECT_THAT(of_failover("{from: {}, to: {type: Any}}"), ElementsAre(rule + "from.zones: in body is required"));
  EXPECT_THAT(of_failover("{to: {type: Any, zones: [a]}}"), ElementsAre(rule + "to.zones: must be empty when type is Any"));
  EXPECT_THAT(of_failover("{to: {type: None, zones: [a]}}"), ElementsAre(rule + "to.zones: must be empty when type is None"));
  EXPECT_THAT(of_failover("{to: {type: Only}}"), ElementsAre(rule + "to.zones: must not be empty when type is Only"));
  EXPECT_THAT(of_failover("{to: {type: AnyExcept, zones: []}}"),
              ElementsAre(rule + "to.zones: must not be empty when type is AnyExcept"));
  EXPECT_THAT(of_failover("{to: {type: Some}}"), ElementsAre(rule + "to.type: in body should be one of [None Only Any AnyExcept]"));
  EXPECT_THAT(of_failover("{from: {zones: [a]}}"), ElementsAre(rule + "to: in body is required"));
}

TEST(MeshLoadBalancingStrategySchema, A_threshold_is_between_0_and_100) {
  const std::string path = kD + "localityAwareness.crossZone.failoverThreshold.percentage: ";
  EXPECT_THAT(of_threshold("0"), ElementsAre(path + "must be greater than: 0"));
  EXPECT_THAT(of_threshold("-1"), ElementsAre(path + "must be greater than: 0"));
  EXPECT_THAT(of_threshold("100"), ElementsAre(path + "must be less than: 100"));
  EXPECT_THAT(of_threshold("some"), ElementsAre(path + "string has to be a valid number", path + "must be greater than: 0",
                                                path + "string has to be a valid number"));
  EXPECT_THAT(of_threshold("33.3"), ElementsAre(": \"" + path.substr(0, path.size() - 2) + "\" must validate at least one schema (anyOf)",
                                                path + "in body must be of type integer: \"number\""));
  EXPECT_THAT(refusals("{localityAwareness: {crossZone: {failoverThreshold: {}}}}"),
              ElementsAre(path + "in body is required"));
  EXPECT_THAT(of_threshold("1"), IsEmpty());
  EXPECT_THAT(of_threshold("99"), IsEmpty());
}

}  // namespace
}  // namespace kuma::policy::meshloadbalancingstrategy
