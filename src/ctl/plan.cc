#include "ctl/plan.h"

#include <map>

#include "base/status.h"
#include "ctl/command.h"
#include "ctl/resource_commands.h"
#include "fmt/ranges.h"
#include "model/rest.h"

namespace kuma::ctl {
namespace {

const json::value& at(const json::value& value, std::string_view member) {
  static const json::value kNone(nullptr);
  const json::value* found = find(value, member);
  return found == nullptr ? kNone : *found;
}

std::string text(const json::value& value) {
  return value.is_string() ? std::string(std::string_view(value.get_string())) : to_json(value);
}

const json::array& list(const json::value& value, std::string_view member) {
  static const json::array kNone;
  const json::value& found = at(value, member);
  return found.is_array() ? found.get_array() : kNone;
}

size_t number(const json::value& value) { return value.is_number() ? value.to_number<size_t>() : 0; }

// "web-1, web-2 and 5 more"
std::string names_text(const json::value& names) {
  std::vector<std::string> first;
  for (const json::value& name : list(names, "names")) {
    first.push_back(text(name));
  }
  const size_t total = number(at(names, "total"));
  std::string out = fmt::format("{}", fmt::join(first, ", "));
  return total > first.size() ? fmt::format("{} and {} more", out, total - first.size()) : out;
}

std::string value_text(const json::value& value) { return value.is_null() ? "(none)" : text(value); }

void add_differences(const json::value& answer, std::string& out) {
  for (const json::value& difference : list(answer, "differences")) {
    const std::string action = text(at(difference, "action"));
    const std::string_view sign = action == "added" ? "+" : action == "removed" ? "-" : "~";
    const json::value& dataplanes = at(difference, "dataplanes");
    out += fmt::format("  {} {} {}{}\n", sign, text(at(difference, "kind")), text(at(difference, "name")),
                       dataplanes.is_null() ? "" : " on " + names_text(dataplanes));
    for (const json::value& change : list(difference, "changes")) {
      out += fmt::format("      {}: {} -> {}\n", text(at(change, "path")), value_text(at(change, "before")),
                         value_text(at(change, "after")));
    }
    if (at(difference, "moreChanges") == json::value(true)) {
      out += "      …\n";
    }
  }
  if (const size_t more = number(at(answer, "differencesLeftOut")); more > 0) {
    out += fmt::format("  and {} more resources\n", more);
  }
}

void add_zone_proxies(const json::value& answer, std::string& out) {
  for (const json::value& proxy : list(answer, "zoneProxies")) {
    const json::value& error = at(proxy, "error");
    out += fmt::format("{} {} would {}\n", text(at(proxy, "type")), text(at(proxy, "name")),
                       error.is_null() ? "get another configuration:" : "have no configuration any more: " + text(error));
    add_differences(proxy, out);
  }
}

void add_policies(const json::value& answer, std::string& out) {
  if (list(answer, "policies").empty()) {
    return;
  }
  out += "policies that lose or win:\n";
  for (const json::value& effect : list(answer, "policies")) {
    const std::string subset = text(at(effect, "subset"));
    out += fmt::format("  {} {}{}: {} -> {}, {} on {}\n", text(at(effect, "type")), text(at(effect, "setting")),
                       subset.empty() ? "" : fmt::format(" for {}", subset), value_text(at(effect, "before")),
                       value_text(at(effect, "after")),
                       at(effect, "loses").is_null()  ? fmt::format("set by \"{}\"", text(at(effect, "wins")))
                       : at(effect, "wins").is_null() ? fmt::format("no longer set by \"{}\"", text(at(effect, "loses")))
                                                      : fmt::format("\"{}\" loses to \"{}\"", text(at(effect, "loses")),
                                                                    text(at(effect, "wins"))),
                       names_text(at(effect, "dataplanes")));
  }
  if (const size_t more = number(at(answer, "policiesLeftOut")); more > 0) {
    out += fmt::format("  and {} more settings\n", more);
  }
}

void add_losers(const json::value& settings, std::string_view indent, std::string& out) {
  for (const json::value& lost : list(settings, "lost")) {
    const json::value& value = at(lost, "value");
    out += fmt::format("{}not {}{}: {}\n", indent, text(at(lost, "policy")),
                       value.is_null() ? "" : fmt::format(" ({} = {})", text(at(lost, "rule")), text(value)),
                       text(at(lost, "reason")));
  }
}

void add_policy(const json::value& policy, std::string& out) {
  const std::string type = text(at(policy, "type"));
  if (!at(policy, "policy").is_null()) {  // one with selectors
    out += fmt::format("{}: {}\n", type, text(at(policy, "policy")));
    add_losers(policy, "    ", out);
    return;
  }
  out += type + ":\n";
  if (list(policy, "settings").empty()) {
    out += "  nothing is set\n";
  }
  for (const json::value& setting : list(policy, "settings")) {
    out += fmt::format("  {} = {}   by {} {}\n", text(at(setting, "setting")), text(at(setting, "value")),
                       text(at(setting, "policy")), text(at(setting, "rule")));
    add_losers(setting, "    ", out);
  }
  for (const json::value& without : list(policy, "without")) {
    out += fmt::format("  not {}: {}\n", text(at(without, "policy")), text(at(without, "reason")));
  }
}

}  // namespace

absl::StatusOr<std::vector<json::value>> plan(const ApiClient& client, const std::vector<model::Resource>& resources) {
  std::map<std::string, json::array> by_mesh;
  for (const model::Resource& resource : resources) {
    const bool is_mesh = resource.type->name == "Mesh";
    if (resource.type->scope != model::Scope::Mesh && !is_mesh) {
      return absl::InvalidArgumentError(fmt::format("{} \"{}\" is of no mesh: a plan tells what the proxies of a mesh would get",
                                                    resource.type->name, resource.meta.name));
    }
    by_mesh[is_mesh ? resource.meta.name : resource.meta.mesh].push_back(model::to_rest(resource));
  }
  std::vector<json::value> answers;
  for (auto& [mesh, items] : by_mesh) {
    auto answer = client.post(fmt::format("/meshes/{}/_plan", path_segment(mesh)), json::object{{"items", std::move(items)}});
    if (!answer.ok()) {
      return wrap(answer.status(), fmt::format("failed to plan for the mesh \"{}\"", mesh));
    }
    json::object with_mesh{{"mesh", mesh}};
    for (auto& member : answer->get_object()) {
      with_mesh[member.key()] = std::move(member.value());
    }
    answers.push_back(std::move(with_mesh));
  }
  return answers;
}

std::string plan_text(const json::value& answer) {
  const json::value& dataplanes = at(answer, "dataplanes");
  std::string out = fmt::format("mesh {}: {} dataplanes would get another configuration, {} would not\n", text(at(answer, "mesh")),
                                number(at(dataplanes, "changed")), number(at(dataplanes, "unchanged")));
  add_differences(answer, out);
  add_policies(answer, out);
  add_zone_proxies(answer, out);
  for (const json::value& warning : list(answer, "warnings")) {
    out += fmt::format("warning: {}\n", text(warning));
  }
  return out;
}

std::string explanation_text(const json::value& answer) {
  std::vector<std::string> addresses;
  for (const json::value& address : list(answer, "addresses")) {
    addresses.push_back(text(address));
  }
  std::string out = fmt::format("dataplane {} to {}{}\n", text(at(answer, "dataplane")), text(at(answer, "service")),
                                addresses.empty() ? "" : fmt::format(", at {}", fmt::join(addresses, ", ")));
  for (const json::value& warning : list(answer, "warnings")) {
    out += fmt::format("warning: {}\n", text(warning));
  }
  for (const json::value& policy : list(answer, "policies")) {
    add_policy(policy, out);
  }
  return out;
}

}  // namespace kuma::ctl
