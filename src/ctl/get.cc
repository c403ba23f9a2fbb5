#include <set>

#include "base/status.h"
#include "ctl/command.h"
#include "ctl/resource_commands.h"
#include "ctl/table.h"
#include "fmt/ranges.h"

namespace kuma::ctl {
namespace {

struct GetFlags {
  std::string mesh = "default";
  std::string output = "table";
  std::string size, offset;
};

using Row = std::vector<std::string>;

// `off`, or `type/name` of the backends (of the enabled one only, where `only_enabled`).
std::string backends_text(const json::value& mesh, std::string_view section, bool only_enabled) {
  const std::string enabled = text_at(mesh, {section, "enabledBackend"});
  std::vector<std::string> names;
  for (const json::value& backend : list_at(mesh, {section, "backends"})) {
    const std::string name = text_at(backend, {"name"});
    if (!only_enabled || name == enabled) {
      names.push_back(fmt::format("{}/{}", text_at(backend, {"type"}), name));
    }
  }
  return names.empty() ? "off" : fmt::format("{}", fmt::join(names, ", "));
}

std::string flag_text(const json::value& mesh, std::string_view member) {
  const json::value* routing = find(mesh, "routing");
  const json::value* value = routing == nullptr ? nullptr : find(*routing, member);
  return value != nullptr && value->is_bool() && value->get_bool() ? "on" : "off";
}

std::string dataplane_address(const json::value& dataplane) {
  const std::string advertised = text_at(dataplane, {"networking", "advertisedAddress"});
  return advertised.empty() ? text_at(dataplane, {"networking", "address"}) : advertised;
}

Table table_of(const model::ResourceType& type, const json::array& items, WallTime now) {
  Table table;
  const auto item_age = [&](const json::value& item) { return age(now, text_at(item, {"modificationTime"})); };
  for (const json::value& item : items) {
    const std::string name = text_at(item, {"name"});
    const std::string mesh = text_at(item, {"mesh"});
    if (type.name == "Mesh") {
      table.rows.push_back({name, backends_text(item, "mtls", true), backends_text(item, "metrics", true),
                            backends_text(item, "logging", false), backends_text(item, "tracing", false),
                            flag_text(item, "localityAwareLoadBalancing"), flag_text(item, "zoneEgress"), item_age(item)});
    } else if (type.name == "Dataplane") {
      table.rows.push_back({mesh, name, dataplane_tags(item), dataplane_address(item), item_age(item)});
    } else if (type.name == "ExternalService") {
      const json::value* tags = find(item, "tags");
      table.rows.push_back({mesh, name, tags == nullptr ? "" : tags_text(*tags), text_at(item, {"networking", "address"}), item_age(item)});
    } else if (type.scope == model::Scope::Mesh) {
      table.rows.push_back({mesh, name, item_age(item)});
    } else {
      table.rows.push_back({name, item_age(item)});
    }
  }
  if (type.name == "Mesh") {
    table.headers = {"NAME", "mTLS", "METRICS", "LOGGING", "TRACING", "LOCALITY", "ZONEEGRESS", "AGE"};
  } else if (type.name == "Dataplane" || type.name == "ExternalService") {
    table.headers = {"MESH", "NAME", "TAGS", "ADDRESS", "AGE"};
  } else if (type.scope == model::Scope::Mesh) {
    table.headers = {"MESH", "NAME", "AGE"};
  } else {
    table.headers = {"NAME", "AGE"};
  }
  return table;
}

// The offset in the URL of the next page, or empty on the last page.
std::string next_offset(const json::value& list) {
  const std::string next = text_at(list, {"next"});
  const size_t at = next.find("offset=");
  if (at == std::string::npos) {
    return "";
  }
  const std::string rest = next.substr(at + 7);
  return rest.substr(0, rest.find('&'));
}

absl::Status get_list(const Invocation& invocation, const model::ResourceType& type, const GetFlags& flags) {
  KUMA_ASSIGN_OR_RETURN(const OutputFormat format, parse_output_format(flags.output));
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  std::string path = collection_path(type, flags.mesh);
  std::string separator = "?";
  for (const auto& [name, value] : {std::pair("size", flags.size), std::pair("offset", flags.offset)}) {
    if (!value.empty()) {
      path += fmt::format("{}{}={}", separator, name, path_segment(value));
      separator = "&";
    }
  }
  const auto list = client.get(path);
  if (!list.ok()) {
    return wrap(list.status(), fmt::format("failed to list {}", type.name));
  }
  std::ostream& out = invocation.environment.out;
  if (format != OutputFormat::Table) {
    out << (format == OutputFormat::Yaml ? kuma::to_yaml(sorted(*list)) : to_pretty_json(*list, 2));
    return absl::OkStatus();
  }
  out << table_of(type, list_at(*list, {"items"}), invocation.environment.clock.wall_now()).text();
  if (const std::string offset = next_offset(*list); !offset.empty()) {
    out << fmt::format("\nRerun command with --offset={} argument to retrieve more resources\n", offset);
  }
  return absl::OkStatus();
}

absl::Status get_one(const Invocation& invocation, const model::ResourceType& type, const GetFlags& flags, const std::string& name) {
  KUMA_ASSIGN_OR_RETURN(const OutputFormat format, parse_output_format(flags.output));
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto item = client.get(item_path(type, flags.mesh, name));
  const bool in_mesh = type.scope == model::Scope::Mesh;
  if (!item.ok() && is_not_found(item.status())) {
    return absl::NotFoundError(in_mesh ? fmt::format("No resources found in {} mesh", flags.mesh) : "No resources found");
  }
  if (!item.ok()) {
    return wrap(item.status(), in_mesh ? fmt::format("failed to get {} in mesh {}", name, flags.mesh) : fmt::format("failed to get {}", name));
  }
  std::ostream& out = invocation.environment.out;
  switch (format) {
    case OutputFormat::Table: out << table_of(type, {*item}, invocation.environment.clock.wall_now()).text(); break;
    case OutputFormat::Yaml: out << resource_yaml(*item); break;
    case OutputFormat::Json: out << to_pretty_json(*item, 2); break;
  }
  return absl::OkStatus();
}

}  // namespace

void add_get(CommandTree& tree) {
  CLI::App& group = tree.group(tree.root(), "get", "Show resources");
  auto flags = std::make_shared<GetFlags>();
  group.add_option("-o,--output", flags->output, "table, yaml or json");
  for (const model::ResourceType& type : tree.invocation().environment.registry.types()) {
    if (type.kumactl_singular.empty()) {
      continue;
    }
    Command& one = tree.leaf(group, std::string(type.kumactl_singular), fmt::format("Show one {}", type.name), 1);
    Command& list = tree.leaf(group, std::string(type.kumactl_plural), fmt::format("Show a list of {}", type.name));
    for (Command* command : {&one, &list}) {
      command->app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
    }
    list.app->add_option("--size", flags->size, "how many at most");
    list.app->add_option("--offset", flags->offset, "the offset of the first, as printed at the end of a page");
    one.action = [&invocation = tree.invocation(), &type, &one, flags] { return get_one(invocation, type, *flags, one.arguments[0]); };
    list.action = [&invocation = tree.invocation(), &type, flags] { return get_list(invocation, type, *flags); };
  }
}

}  // namespace kuma::ctl
