#include "policy/meshloadbalancingstrategy/locality.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::policy::meshloadbalancingstrategy {
namespace {

using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::endpoint::v3::LbEndpoint;

constexpr uint32_t kOverprovisioningDefault = 200;

// A failover rule that applies where the proxy is.
struct Failover {
  std::string type;
  std::set<std::string> zones;
  uint32_t priority = 0;

  // `None` takes no zone, and the rules after it still apply.
  bool accepts(const std::string& zone) const {
    return type == "Any" || (type == "Only" && zones.contains(zone)) || (type == "AnyExcept" && !zones.contains(zone));
  }
};

std::set<std::string> texts_of(const ConfView& list) {
  std::set<std::string> texts;
  for (const ConfView& one : list.items()) {
    texts.emplace(one.text());
  }
  return texts;
}

// Rules that don't apply here take a priority all the same, so that a rule has the same one in all zones.
std::vector<Failover> failover_rules(const ConfView& cross_zone, const std::string& local_zone) {
  std::vector<Failover> rules;
  uint32_t priority = 0;
  for (const ConfView& rule : cross_zone["failover"].items()) {
    ++priority;
    if (!rule["from"] || texts_of(rule["from"]["zones"]).contains(local_zone)) {
      rules.push_back({std::string(rule["to"]["type"].text()), texts_of(rule["to"]["zones"]), priority});
    }
  }
  return rules;
}

// The one locality of everything that the egress reaches. Its name changes with the rules, so that Envoy takes up the new
// order although the addresses stay.
std::string egress_locality(const std::vector<Failover>& rules) {
  static constexpr size_t kHashLength = 8;
  std::string text;
  for (const Failover& rule : rules) {
    if (rule.type == "Only") {
      text += fmt::format("{}:{};", rule.priority, fmt::join(rule.zones, ","));
    } else if (rule.type == "Any") {
      text += fmt::format("{}:Any;", rule.priority);
    } else if (rule.type == "AnyExcept") {
      text += fmt::format("{}:AnyExcept:{};", rule.priority, fmt::join(rule.zones, ","));
    }
  }
  return "egress_" + base64_encode(sha256(text)).substr(0, kHashLength);
}

// Whole percents only: 51 to 99 all give 100.
uint32_t overprovisioning_factor(const ConfView& cross_zone) {
  const auto percentage = cross_zone["failoverThreshold"]["percentage"].decimal();
  if (!percentage || *percentage < 1) {
    return kOverprovisioningDefault;
  }
  return 100 / static_cast<uint32_t>(std::min(*percentage, 100.0)) * 100;
}

// Where endpoints of a list go; equal names mean one group.
struct Locality {
  std::string zone;
  std::string sub_zone;
  uint32_t priority = 0;
  uint32_t weight = 0;  // 0: none
};

// Empty: it has none. Endpoints carry all their tags but the service.
std::string tag_of(const LbEndpoint& endpoint, std::string_view key) {
  const auto& filters = endpoint.metadata().filter_metadata();
  const auto tags = filters.find("envoy.lb");
  if (tags == filters.end()) {
    return "";
  }
  const auto found = tags->second.fields().find(std::string(key));
  return found == tags->second.fields().end() ? "" : found->second.string_value();
}

class Orderer {
 public:
  Orderer(const ConfView& awareness, const Place& place)
      : place_(place),
        rules_(failover_rules(awareness["crossZone"], place.zone)),
        egress_(place.through_egress ? egress_locality(rules_) : std::string()) {}

  // Nothing: the endpoint is not used.
  std::optional<Locality> locality_of(const LbEndpoint& endpoint) const {
    const std::string zone = tag_of(endpoint, mesh::kZoneTag);
    if (zone == place_.zone) {
      return within_zone(endpoint);
    }
    if (place_.through_egress) {
      return Locality{egress_, "", 1, 0};
    }
    for (const Failover& rule : rules_) {
      if (rule.accepts(zone)) {
        return Locality{zone, "", rule.priority, 0};
      }
    }
    return std::nullopt;
  }

 private:
  Locality within_zone(const LbEndpoint& endpoint) const {
    for (const Place::Affinity& affinity : place_.affinity) {
      if (tag_of(endpoint, affinity.key) == affinity.value) {
        return {place_.zone, fmt::format("{}={}", affinity.key, affinity.value), 0, affinity.weight};
      }
    }
    return {place_.zone, "", 0, 1};
  }

  const Place& place_;
  std::vector<Failover> rules_;
  std::string egress_;
};

void rebuild(const ConfView& awareness, const Place& place, ClusterLoadAssignment& assignment) {
  struct Group {
    Locality locality;
    std::vector<LbEndpoint> endpoints;
  };
  const Orderer orderer(awareness, place);
  std::map<std::pair<std::string, std::string>, Group> groups;  // by the name that they are ordered by
  for (auto& old : *assignment.mutable_endpoints()) {
    for (LbEndpoint& endpoint : *old.mutable_lb_endpoints()) {
      if (auto locality = orderer.locality_of(endpoint)) {
        Group& group = groups[{locality->zone + locality->sub_zone, locality->sub_zone}];
        if (group.endpoints.empty()) {
          group.locality = *std::move(locality);
        }
        group.endpoints.push_back(std::move(endpoint));
      }
    }
  }
  assignment.clear_endpoints();
  for (auto& [name, group] : groups) {
    auto& ordered = *assignment.add_endpoints();
    ordered.mutable_locality()->set_zone(group.locality.zone);
    ordered.mutable_locality()->set_sub_zone(group.locality.sub_zone);
    ordered.set_priority(group.locality.priority);
    if (group.locality.weight > 0) {
      ordered.mutable_load_balancing_weight()->set_value(group.locality.weight);
    }
    std::ranges::stable_sort(group.endpoints, {}, [](const LbEndpoint& one) {
      const auto& socket = one.endpoint().address().socket_address();
      return std::tuple<const std::string&, uint32_t>(socket.address(), socket.port_value());
    });
    for (LbEndpoint& endpoint : group.endpoints) {
      *ordered.add_lb_endpoints() = std::move(endpoint);
    }
  }
  assignment.mutable_policy()->mutable_overprovisioning_factor()->set_value(overprovisioning_factor(awareness["crossZone"]));
}

}  // namespace

uint64_t default_affinity_weight(size_t index, size_t count) {
  uint64_t weight = 9;
  for (size_t i = index + 1; i < count && weight <= std::numeric_limits<uint32_t>::max(); ++i) {
    weight *= 10;
  }
  return weight;
}

Place build_place(const ConfView& awareness, std::string zone, const std::vector<mesh::Tags>& proxy_tags, bool through_egress) {
  Place place{.zone = std::move(zone), .affinity = {}, .through_egress = through_egress};
  const std::vector<ConfView> tags = awareness["localZone"]["affinityTags"].items();
  for (size_t i = 0; i < tags.size(); ++i) {
    std::set<std::string_view> values;
    for (const mesh::Tags& own : proxy_tags) {
      if (auto found = own.find(tags[i]["key"].text()); found != own.end()) {
        values.insert(found->second);
      }
    }
    if (!values.empty()) {
      auto given = tags[i]["weight"].number();
      place.affinity.push_back({std::string(tags[i]["key"].text()), std::string(*values.begin()),
                                static_cast<uint32_t>(given ? static_cast<uint64_t>(*given)
                                                            : default_affinity_weight(i, tags.size()))});
    }
  }
  return place;
}

bool weighs_localities(const ConfView& awareness) { return !awareness["localZone"]["affinityTags"].empty(); }

void order_endpoints(const ConfView& awareness, const Place& place, ClusterLoadAssignment& assignment) {
  if (awareness["localZone"] || awareness["crossZone"]) {
    rebuild(awareness, place, assignment);
    return;
  }
  if (awareness["disabled"].boolean()) {
    return;
  }
  for (auto& group : *assignment.mutable_endpoints()) {
    if (group.has_locality() && group.locality().zone() != place.zone) {
      group.set_priority(1);
    }
  }
}

}  // namespace kuma::policy::meshloadbalancingstrategy
