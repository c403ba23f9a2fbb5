#include "policy/meshproxypatch/apply.h"

#include "policy/conf_view.h"
#include "policy/modifications.h"

namespace kuma::policy::meshproxypatch {
namespace {

using Operation = Modification::Operation;
using Target = Modification::Target;

constexpr char kName[] = "MeshProxyPatch";

// In the order in which the one that counts is looked for.
constexpr std::pair<const char*, Target> kTargets[] = {{"cluster", Target::Cluster},
                                                       {"listener", Target::Listener},
                                                       {"networkFilter", Target::NetworkFilter},
                                                       {"httpFilter", Target::HttpFilter},
                                                       {"virtualHost", Target::VirtualHost}};
constexpr std::pair<std::string_view, Operation> kOperations[] = {
    {"Add", Operation::Add},           {"Remove", Operation::Remove},       {"Patch", Operation::Patch},
    {"AddFirst", Operation::AddFirst}, {"AddBefore", Operation::AddBefore}, {"AddAfter", Operation::AddAfter},
    {"AddLast", Operation::AddLast}};

std::optional<std::string> optional_text(const ConfView& value) {
  return value ? std::optional(std::string(value.text())) : std::nullopt;
}

void read_match(const ConfView& match, Target target, Modification& modification) {
  modification.origin = optional_text(match["origin"]);
  modification.name = optional_text(match["name"]);
  modification.listener_name = optional_text(match["listenerName"]);
  modification.route_config = optional_text(match["routeConfigurationName"]);
  for (const auto& [key, value] : match[target == Target::Listener ? "tags" : "listenerTags"].members()) {
    modification.listener_tags.emplace(key, value.text());
  }
}

// Nothing: it says nothing that is known.
std::optional<Modification> modification_of(const json::value& entry) {
  for (const auto& [member, target] : kTargets) {
    const json::value* found = find(entry, member);
    if (found == nullptr) {
      continue;
    }
    const ConfView change(found, FieldPath(member));
    for (const auto& [name, operation] : kOperations) {
      if (change["operation"].text() == name) {
        Modification modification;
        modification.target = target;
        modification.operation = operation;
        read_match(change["match"], target, modification);
        modification.value = std::string(change["value"].text());
        if (const json::value* patches = find(*found, "jsonPatches"); patches != nullptr && patches->is_array()) {
          modification.json_patches = patches->get_array();
        }
        return modification;
      }
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

// One after the other instead of the merged list, which is the same modifications in the same order: so each is known to be
// of its policy.
void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  for (const model::ResourcePtr& policy : policies.of(kName).policies) {
    std::vector<Modification> modifications;
    const json::value* conf = find(policy->spec, "default");
    const json::value* list = conf == nullptr ? nullptr : find(*conf, "appendModifications");
    if (list == nullptr || !list->is_array()) {
      continue;
    }
    for (const json::value& entry : list->get_array()) {
      if (auto modification = modification_of(entry)) {
        modifications.push_back(*std::move(modification));
      }
    }
    apply_modifications(modifications, policy, Origin::MeshProxyPatch, resources);
  }
}

}  // namespace kuma::policy::meshproxypatch
