#include "policy/meshloadbalancingstrategy/schema.h"

#include <algorithm>
#include <limits>

#include "policy/meshloadbalancingstrategy/locality.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::enumeration;
using model::kRequired;
using model::object;
using model::string;
using model::uint32;

model::JsonSchema hash_policy() {
  const model::JsonSchema name = object({{"name", string().length(1), kRequired}});
  return object({
      {"type", enumeration({"Header", "Cookie", "SourceIP", "QueryParameter", "FilterState"}), kRequired},
      {"terminal", model::boolean()},
      {"header", name},
      {"cookie", object({{"name", string().length(1), kRequired}, {"ttl", model::duration()}, {"path", string()}})},
      {"connection", object({{"sourceIP", model::boolean()}})},
      {"queryParameter", name},
      {"filterState", object({{"key", string().length(1), kRequired}})},
  });
}

model::JsonSchema load_balancer() {
  constexpr double kRingSizeMax = 8'000'000;
  constexpr double kTableSizeMax = 5'000'011;
  const model::JsonSchema hash_policies = array(hash_policy()).keeping_empty();
  return object({
      {"type", enumeration({"RoundRobin", "LeastRequest", "RingHash", "Random", "Maglev"}), kRequired},
      {"roundRobin", object({})},
      {"leastRequest", object({{"choiceCount", uint32().range(2)}})},
      {"ringHash", object({{"hashFunction", enumeration({"XXHash", "MurmurHash2"})},
                           {"minRingSize", uint32().range(1, kRingSizeMax)},
                           {"maxRingSize", uint32().range(1, kRingSizeMax)},
                           {"hashPolicies", hash_policies}})},
      {"random", object({})},
      {"maglev", object({{"tableSize", uint32().range(1, kTableSizeMax)}, {"hashPolicies", hash_policies}})},
  });
}

model::JsonSchema locality_awareness() {
  const model::JsonSchema failover = object({
      {"from", object({{"zones", array(string()).keeping_empty(), kRequired}})},
      {"to", object({{"type", enumeration({"None", "Only", "Any", "AnyExcept"}), kRequired}, {"zones", array(string()).keeping_empty()}}),
       kRequired},
  });
  return object({
      {"disabled", model::boolean()},
      {"localZone",
       object({{"affinityTags", array(object({{"key", string(), kRequired}, {"weight", uint32()}})).keeping_empty()}})},
      {"crossZone", object({{"failover", array(failover)},
                            {"failoverThreshold", object({{"percentage", model::int_or_string(), kRequired}})}})},
  });
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kConf = object({
      {"localityAwareness", locality_awareness()},
      {"loadBalancer", load_balancer()},
  });
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", array(item_schema(kConf))},
  });
  return kSchema;
}

void validate_hash_policy(const ConfView& policy, Violations& violations) {
  const std::string_view type = policy["type"].text();
  if (type == "SourceIP" || type == "Connection") {
    violations.add(policy["type"].path(),
                   "can't be used, control planes of version 2.5 stop configuring proxies with it; use Header, Cookie, "
                   "QueryParameter or FilterState");
    return;
  }
  const char* section = type == "Header"           ? "header"
                        : type == "Cookie"         ? "cookie"
                        : type == "QueryParameter" ? "queryParameter"
                        : type == "FilterState"    ? "filterState"
                                                   : nullptr;
  if (section != nullptr && !policy[section]) {
    violations.add(policy[section].path(), "must be defined");
    return;
  }
  const ConfView path = policy["cookie"]["path"];
  if (type == "Cookie" && path && !path.text().starts_with('/')) {
    violations.add(path.path(), "must be an absolute path");
  }
}

void validate_load_balancer(const ConfView& balancer, Violations& violations) {
  const std::string_view type = balancer["type"].text();
  if (type != "RingHash" && type != "Maglev") {
    return;
  }
  const ConfView section = balancer[type == "RingHash" ? "ringHash" : "maglev"];
  if (section && !section["hashPolicies"]) {
    violations.add(section["hashPolicies"].path(),
                   "must be defined, control planes of version 2.5 stop configuring proxies without it; [] stands for none");
  }
  for (const ConfView& policy : section["hashPolicies"].items()) {
    validate_hash_policy(policy, violations);
  }
}

void validate_affinity(const ConfView& tags, Violations& violations) {
  size_t weighted = 0;
  for (const ConfView& tag : tags.items()) {
    if (tag["key"].text().empty()) {
      violations.add(tag["key"].path(), "must not be empty");
    }
    check_positive(tag["weight"], violations);
    weighted += tag["weight"] ? 1 : 0;
  }
  if (weighted != 0 && weighted != tags.items().size()) {
    violations.add(tags.path(), "all or none affinity tags should have weight");
    return;
  }
  // Envoy refuses endpoints whose localities weigh more together. 1 is for those without any of the tags.
  uint64_t sum = 1;
  for (size_t i = 0; i < tags.items().size(); ++i) {
    const auto given = tags.items()[i]["weight"].number();
    sum += given ? static_cast<uint64_t>(std::max<int64_t>(0, *given))
                 : meshloadbalancingstrategy::default_affinity_weight(i, tags.items().size());
  }
  if (sum > std::numeric_limits<uint32_t>::max()) {
    violations.add(tags.path(), "{}", weighted != 0 ? "the sum of the weights must be less than 4294967295"
                                                    : "must be at most 9 without weights, since each weighs ten times the next one");
  }
}

void validate_failover(const ConfView& failover, Violations& violations) {
  const ConfView from = failover["from"];
  if (from && from["zones"].empty()) {
    violations.add(from["zones"].path(), "must not be empty");
  }
  for (const ConfView& zone : from["zones"].items()) {
    if (zone.text().empty()) {
      violations.add(zone.path(), "must not be empty");
    }
  }
  const std::string_view type = failover["to"]["type"].text();
  const ConfView zones = failover["to"]["zones"];
  const bool takes_zones = type == "Only" || type == "AnyExcept";
  if (takes_zones && zones.empty()) {
    violations.add(zones.path(), "must not be empty when type is {}", type);
  }
  if (!takes_zones && !zones.empty()) {
    violations.add(zones.path(), "must be empty when type is {}", type);
  }
}

void validate_threshold(const ConfView& percentage, Violations& violations) {
  if (!percentage) {
    return;
  }
  const auto value = percentage.decimal();
  if (!value) {  // both bounds are checked, each in its own way
    violations.add(percentage.path(), "string has to be a valid number");
    violations.add(percentage.path(), "must be greater than: 0");
    violations.add(percentage.path(), "string has to be a valid number");
  } else if (*value <= 0) {
    violations.add(percentage.path(), "must be greater than: 0");
  } else if (*value >= 100) {
    violations.add(percentage.path(), "must be less than: 100");
  } else if (!percentage.number()) {
    violations.add(percentage.path(),
                   "must be a number without quotes, control planes of version 2.5 stop configuring proxies with a string");
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  if (spec["to"].empty()) {
    violations.add(spec["to"].path(), "needs at least one item");
  }
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], kMeshOrService, violations);
    const ConfView conf = item["default"];
    validate_load_balancer(conf["loadBalancer"], violations);
    const ConfView locality = conf["localityAwareness"];
    validate_affinity(locality["localZone"]["affinityTags"], violations);
    for (const ConfView& failover : locality["crossZone"]["failover"].items()) {
      validate_failover(failover, violations);
    }
    validate_threshold(locality["crossZone"]["failoverThreshold"]["percentage"], violations);
  }
}

}  // namespace

model::ResourceType mesh_load_balancing_strategy_type() {
  model::ResourceType type = target_ref_type("MeshLoadBalancingStrategy", "meshloadbalancingstrategy", "meshloadbalancingstrategies",
                                             "Mesh Load Balancing Strategy", "Mesh Load Balancing Strategies", schema(), validate);
  type.has_to = true;
  return type;
}

}  // namespace kuma::policy
