#include "plan/explain.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "policy/legacy.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "policy/provenance.h"
#include "xds/gen/outbounds.h"

namespace kuma::plan {
namespace {

using policy::SelectorList;

// Policies of one type that are listed as without effect; more are counted.
constexpr size_t kWithoutMax = 50;

struct Question {
  const mesh::MeshView& view;
  const mesh::DataplaneView& dataplane;
  std::string service;
};

// Where the dataplane's application reaches the service: names first, then the address that they stand for.
json::array addresses_of(const Question& question) {
  json::array addresses;
  for (const policy::ProxyOutbound& outbound : xds::outbounds_of(question.view, question.dataplane, nullptr)) {
    if (outbound.service() != question.service) {
      continue;
    }
    if (outbound.from_vip) {
      for (const std::string& name : question.view.vips->names.at(outbound.address)) {
        addresses.push_back(json::value(join_host_port(name, outbound.port)));
      }
    }
    addresses.push_back(json::value(join_host_port(outbound.address, outbound.port)));
  }
  return addresses;
}

json::object setting_object(const policy::Setting& setting) {
  json::array lost;
  for (auto candidate = setting.candidates.rbegin(); candidate != setting.candidates.rend(); ++candidate) {
    if (!candidate->reason.empty()) {
      lost.push_back(json::object{{"policy", candidate->policy->meta.name},
                                  {"rule", candidate->place},
                                  {"value", candidate->value},
                                  {"reason", candidate->reason}});
    }
  }
  return {{"setting", setting.path},
          {"value", setting.value},
          {"policy", setting.winner().policy->meta.name},
          {"rule", setting.winner().place},
          {"lost", std::move(lost)}};
}

// Why a policy of a type does not count; empty: an entry of it is for the service.
std::string why_without(const Question& question, const model::ResourcePtr& policy, std::string_view list,
                        const mesh::ResourceList& matched) {
  if (std::ranges::find(matched, policy) == matched.end()) {
    return "its targetRef selects nothing of this dataplane";
  }
  const policy::Subset peer = {{std::string(mesh::kServiceTag), question.service, false}};
  for (const policy::RuleItem& item : policy::rule_items(policy, list)) {
    auto subset = policy::subset_of(item.target);
    if (subset && policy::contains(*subset, peer)) {
      return "";
    }
  }
  return list.empty() ? "it sets nothing" : fmt::format("no entry of its {} is for \"{}\"", list, question.service);
}

json::object target_ref_object(const Question& question, const model::ResourceType& type, const policy::MatchedPolicies& matched) {
  const std::string_view list = type.has_to ? "to" : "";
  const policy::Subset peer = {{std::string(mesh::kServiceTag), question.service, false}};
  json::array settings, without;
  for (const policy::Setting& setting : policy::settings_of(matched.policies, list, peer)) {
    settings.push_back(setting_object(setting));
  }
  size_t more = 0;
  for (const auto& policy : question.view.policies_of(type.name)) {
    std::string reason = why_without(question, policy, list, matched.policies);
    if (reason.empty()) {
      continue;
    }
    if (without.size() < kWithoutMax) {
      without.push_back(json::object{{"policy", policy->meta.name}, {"reason", std::move(reason)}});
    } else {
      ++more;
    }
  }
  return {{"type", type.name}, {"settings", std::move(settings)}, {"without", std::move(without)}, {"moreWithout", more}};
}

std::string why_lost(const Question& question, const model::Resource& policy, const model::Resource& chosen) {
  auto source = policy::best_rank(policy, SelectorList::Sources, question.dataplane.tag_sets);
  if (!source) {
    return "none of its sources is this dataplane";
  }
  const std::vector<mesh::Tags> destination = {{{std::string(mesh::kServiceTag), question.service}}};
  auto target = policy::best_rank(policy, SelectorList::Destinations, destination);
  if (!target) {
    return fmt::format("none of its destinations is \"{}\"", question.service);
  }
  auto best = *policy::best_rank(chosen, SelectorList::Sources, question.dataplane.tag_sets) +
              policy::best_rank(chosen, SelectorList::Destinations, destination).value_or(policy::Rank{});
  if (*source + *target < best) {
    return fmt::format("\"{}\" matches more tags, or more of them by value", chosen.meta.name);
  }
  if (policy.meta.creation_time != chosen.meta.creation_time) {
    return fmt::format("\"{}\" matches as well and is newer", chosen.meta.name);
  }
  return fmt::format("\"{}\" matches as well and is first by name", chosen.meta.name);
}

json::object legacy_object(const Question& question, std::string_view type, const mesh::ResourceList& policies,
                           const model::ResourcePtr& chosen) {
  json::array lost;
  size_t more = 0;
  for (const auto& policy : policies) {
    if (policy == chosen) {
      continue;
    }
    if (lost.size() < kWithoutMax) {
      lost.push_back(json::object{{"policy", policy->meta.name}, {"reason", why_lost(question, *policy, *chosen)}});
    } else {
      ++more;
    }
  }
  return {{"type", type}, {"policy", chosen->meta.name}, {"lost", std::move(lost)}, {"moreLost", more}};
}

}  // namespace

absl::StatusOr<json::object> explain(const mesh::MeshView& view, const model::ResourceKey& key, std::string_view service) {
  const mesh::DataplaneView* dataplane = view.find_dataplane(key);
  if (dataplane == nullptr) {
    return absl::NotFoundError(fmt::format("the mesh \"{}\" has no dataplane \"{}\" with a usable address", key.mesh, key.name));
  }
  const Question question{view, *dataplane, std::string(service)};
  json::array warnings, policies;
  if (view.find_service(service) == nullptr) {
    warnings.push_back(json::value(fmt::format("nothing offers the service \"{}\"", service)));
  }
  json::array addresses = addresses_of(question);
  if (addresses.empty()) {
    warnings.push_back(json::value(fmt::format("the dataplane has no outbound to \"{}\", so that nothing of this takes effect", service)));
  }
  policy::ProxyPolicies matched(view, *dataplane, nullptr);
  for (const policy::Policy& policy : policy::policies()) {
    bool concerns_clients = policy.type.has_to || !policy.type.has_from;
    if (concerns_clients && !view.policies_of(policy.type.name).empty()) {
      policies.push_back(target_ref_object(question, policy.type, matched.of(policy.type)));
    }
  }
  for (const auto& [type, list] : view.policies) {
    if (!policy::legacy_reach(type).outbound) {
      continue;
    }
    if (const auto* chosen = policy::OutboundPolicies(*list, *dataplane).select(service)) {
      policies.push_back(legacy_object(question, type, *list, *chosen));
    }
  }
  for (const policy::Problem& problem : matched.problems()) {
    warnings.push_back(json::value(fmt::format("{} \"{}\": {}", problem.policy.type, problem.policy.name, problem.message)));
  }
  return json::object{{"mesh", key.mesh},       {"dataplane", key.name},
                      {"service", service},     {"addresses", std::move(addresses)},
                      {"warnings", std::move(warnings)}, {"policies", std::move(policies)}};
}

}  // namespace kuma::plan
