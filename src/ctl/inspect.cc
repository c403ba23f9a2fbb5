#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/inspect_status.h"
#include "ctl/inspect_text.h"
#include "ctl/resource_commands.h"
#include "ctl/table.h"
#include "fmt/chrono.h"
#include "fmt/ranges.h"

namespace kuma::ctl {
namespace {

struct InspectFlags {
  std::string output = "table";
  std::string mesh = "default";
  std::vector<std::string> tags;
  bool gateway = false, ingress = false;
  std::string type;
  bool config_dump = false, new_api = false;
  std::string offset;
};
using FlagsPtr = std::shared_ptr<InspectFlags>;

using Row = std::vector<std::string>;
// A row of the table for one item of a list.
using RowOf = std::function<Row(const json::value& item, WallTime now)>;
// What follows the table, which is of `list`.
using Footer = std::function<std::string(const ApiClient& client, const json::value& list)>;

absl::Status inspect_list(const Invocation& invocation, const InspectFlags& flags, const std::string& path,
                          std::string_view what, const std::vector<std::string>& headers, const RowOf& row_of, const Footer& footer = nullptr) {
  KUMA_ASSIGN_OR_RETURN(const OutputFormat format, parse_output_format(flags.output));
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto list = client.get(path);
  if (!list.ok()) {
    return wrap(list.status(), fmt::format("failed to list {}", what));
  }
  std::ostream& out = invocation.environment.out;
  if (format == OutputFormat::Yaml) {
    out << kuma::to_yaml(sorted(*list));
  } else if (format == OutputFormat::Json) {
    out << to_pretty_json(*list, 2);
  } else {
    Table table{.headers = headers, .rows = {}};
    for (const json::value& item : list_at(*list, {"items"})) {
      table.rows.push_back(row_of(item, invocation.environment.clock.wall_now()));
    }
    out << table.text() << (footer == nullptr ? "" : footer(client, *list));
  }
  return absl::OkStatus();
}

std::string local_time(const std::string& rfc3339) {
  const auto time = parse_rfc3339(rfc3339);
  if (rfc3339.empty() || !time.ok()) {
    return "-";
  }
  return fmt::format("{:%Y-%m-%d %H:%M:%S}",
                     fmt::localtime(std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count()));
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

Row dataplane_row(const json::value& item, WallTime now) {
  const json::value none(nullptr);
  const json::value* insight_or_null = find(item, "dataplaneInsight");
  const json::value& insight = insight_or_null == nullptr ? none : *insight_or_null;
  const json::value* dataplane_or_null = find(item, "dataplane");
  const json::value& dataplane = dataplane_or_null == nullptr ? none : *dataplane_or_null;
  const SubscriptionSummary summary = summarize(insight);
  std::vector<std::string> supported;
  for (const json::value& backend : list_at(insight, {"mTLS", "supportedBackends"})) {
    supported.push_back(backend.is_string() ? std::string(backend.get_string()) : "");
  }
  const json::value* mtls = find(insight, "mTLS");
  std::string dependencies;
  if (const json::value* map = summary.last == nullptr ? nullptr : find(*summary.last, "version")) {
    if (const json::value* list = find(*map, "dependencies"); list != nullptr && list->is_object()) {
      const json::value ordered = sorted(*list);
      for (const auto& [name, version] : ordered.get_object()) {
        dependencies += fmt::format("{}{}: {}", dependencies.empty() ? "" : ", ", std::string(name),
                                    version.is_string() ? std::string(version.get_string()) : "");
      }
    }
  }
  return {
      text_at(item, {"mesh"}),
      text_at(item, {"name"}),
      dataplane_tags(dataplane),
      dataplane_status(dataplane, summary.online),
      age(now, summary.last_connected),
      age(now, summary.last_updated),
      std::to_string(summary.updates),
      std::to_string(summary.errors),
      age(now, text_at(insight, {"mTLS", "lastCertificateRegeneration"})),
      local_time(text_at(insight, {"mTLS", "certificateExpirationTime"})),
      std::to_string(number_at(insight, {"mTLS", "certificateRegenerations"})),
      mtls == nullptr ? "-" : or_dash(text_at(insight, {"mTLS", "issuedBackend"})),
      mtls == nullptr ? "-" : or_dash(fmt::format("{}", fmt::join(supported, ","))),
      summary.kuma_dp_version,
      summary.envoy_version,
      or_dash(dependencies),
      fmt::format("{}", fmt::join(inbound_problems(dataplane), ";")),
  };
}

RowOf zone_proxy_row(std::string_view insight_member) {
  return [insight_member](const json::value& item, WallTime now) -> Row {
    const json::value* insight = find(item, insight_member);
    const SubscriptionSummary summary = summarize(insight == nullptr ? json::value(nullptr) : *insight);
    return {text_at(item, {"name"}),        summary.online ? "Online" : "Offline", age(now, summary.last_connected),
            age(now, summary.last_updated), std::to_string(summary.updates),       std::to_string(summary.errors),
            summary.kuma_dp_version,        summary.envoy_version};
  };
}

Row zone_row(const json::value& item, WallTime now) {
  const json::value* insight = find(item, "zoneInsight");
  const json::value copy = insight == nullptr ? json::value(nullptr) : *insight;
  const SubscriptionSummary summary = summarize(copy);
  const json::value* zone = find(item, "zone");
  const json::value* enabled = zone == nullptr ? nullptr : find(*zone, "enabled");
  const bool is_enabled = enabled == nullptr || !enabled->is_bool() || enabled->get_bool();
  std::string backend;
  std::string version;
  if (summary.last != nullptr) {
    version = text_at(*summary.last, {"version", "kumaCp", "version"});
    if (const auto config = parse_json(text_at(*summary.last, {"config"})); config.ok()) {
      backend = text_at(*config, {"store", "type"});
    }
  }
  return {text_at(item, {"name"}),        summary.online && is_enabled ? "Online" : "Offline", age(now, summary.last_connected),
          age(now, summary.last_updated), std::to_string(summary.updates),                     std::to_string(summary.errors),
          version,                        backend};
}

Row mesh_row(const json::value& item, WallTime) {
  Row row = {text_at(item, {"name"}),
             fmt::format("{}/{}", number_at(item, {"dataplanes", "online"}), number_at(item, {"dataplanes", "total"}))};
  for (const char* type : {"TrafficPermission", "TrafficRoute", "CircuitBreaker", "HealthCheck", "FaultInjection",
                           "ExternalService", "TrafficTrace", "TrafficLog", "ProxyTemplate", "RateLimit"}) {
    row.push_back(std::to_string(number_at(item, {"policies", type, "total"})));
  }
  return row;
}

Row service_row(const json::value& item, WallTime) {
  const std::string status = text_at(item, {"status"});
  return {text_at(item, {"name"}),
          status == "online" ? "Online" : status == "partially_degraded" ? "Partially degraded" : "Offline",
          fmt::format("{}/{}", number_at(item, {"dataplanes", "online"}), number_at(item, {"dataplanes", "total"}))};
}

const std::vector<std::string> kProxyHeaders = {"NAME", "STATUS", "LAST CONNECTED AGO", "LAST UPDATED AGO",
                                                "TOTAL UPDATES", "TOTAL ERRORS", "KUMA-DP VERSION", "ENVOY VERSION"};

void add_lists(CommandTree& tree, CLI::App& group, const FlagsPtr& flags) {
  Invocation& invocation = tree.invocation();
  Command& dataplanes = tree.leaf(group, "dataplanes", "Dataplanes with their state");
  dataplanes.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
  dataplanes.app->add_option("--tag", flags->tags, "only those with the tag, as key=value")->allow_extra_args(false);
  dataplanes.app->add_flag("--gateway", flags->gateway, "only gateways");
  dataplanes.app->add_flag("--ingress", flags->ingress, "only zone ingresses");
  dataplanes.action = [&invocation, flags]() -> absl::Status {
    std::string path = fmt::format("/meshes/{}/dataplanes+insights", path_segment(flags->mesh));
    std::string separator = "?";
    const auto add = [&](const std::string& parameter) {
      path += separator + parameter;
      separator = "&";
    };
    if (flags->gateway) {
      add("gateway=true");
    }
    if (flags->ingress) {
      add("ingress=true");
    }
    KUMA_ASSIGN_OR_RETURN(const auto tags, parse_pairs("tag", flags->tags));
    for (const auto& [key, value] : tags) {
      add("tag=" + path_segment(key + ":" + value));
    }
    return inspect_list(invocation, *flags, path, "Dataplane",
                        {"MESH", "NAME", "TAGS", "STATUS", "LAST CONNECTED AGO", "LAST UPDATED AGO", "TOTAL UPDATES",
                         "TOTAL ERRORS", "CERT REGENERATED AGO", "CERT EXPIRATION", "CERT REGENERATIONS", "CERT BACKEND",
                         "SUPPORTED CERT BACKENDS", "KUMA-DP VERSION", "ENVOY VERSION", "DEPENDENCIES VERSIONS", "NOTES"},
                        dataplane_row);
  };
  tree.leaf(group, "zones", "Zones with their state").action = [&invocation, flags] {
    return inspect_list(invocation, *flags, "/zones+insights", "Zone",
                        {"NAME", "STATUS", "LAST CONNECTED AGO", "LAST UPDATED AGO", "TOTAL UPDATES", "TOTAL ERRORS",
                         "ZONE-CP VERSION", "BACKEND"},
                        zone_row, [&invocation](const ApiClient& client, const json::value& list) {
                          // Control planes that don't tell have refused nobody.
                          const auto refused = client.get("/zones/_refused");
                          return zone_problems_text(list, refused.ok() ? *refused : json::value(nullptr), invocation.environment.clock.wall_now());
                        });
  };
  tree.leaf(group, "zone-ingresses", "Zone ingresses with their state").action = [&invocation, flags] {
    return inspect_list(invocation, *flags, "/zoneingresses+insights", "ZoneIngress", kProxyHeaders, zone_proxy_row("zoneIngressInsight"));
  };
  tree.leaf(group, "zoneegresses", "Zone egresses with their state").action = [&invocation, flags] {
    return inspect_list(invocation, *flags, "/zoneegressoverviews", "ZoneEgress", kProxyHeaders, zone_proxy_row("zoneEgressInsight"));
  };
  tree.leaf(group, "meshes", "Meshes with the numbers of what is in them").action = [&invocation, flags] {
    return inspect_list(invocation, *flags, "/mesh-insights", "Mesh",
                        {"MESH", "DATAPLANES", "TRAFFIC PERMISSIONS", "TRAFFIC ROUTES", "CIRCUIT BREAKERS", "HEALTH CHECKS",
                         "FAULT INJECTIONS", "EXTERNAL SERVICES", "TRAFFIC TRACES", "TRAFFIC LOGS", "PROXY TEMPLATES", "RATE LIMITS"},
                        mesh_row);
  };
  Command& services = tree.leaf(group, "services", "Services of a mesh with their state");
  services.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
  services.action = [&invocation, flags] {
    return inspect_list(invocation, *flags, fmt::format("/meshes/{}/service-insights", path_segment(flags->mesh)), "ServiceInsight",
                        {"SERVICE", "STATUS", "DATAPLANES"}, service_row);
  };
}

// `config-dump` → the last path segment of the page with it.
// On which proxies: "on 2 dataplanes and the zone egress out"; empty when none is named.
std::string places_of(const json::value& problem) {
  std::string text;
  if (const uint64_t count = number_at(problem, {"count"}); count > 0) {
    text = fmt::format("on {} dataplanes", count);
  }
  for (const json::value& egress : list_at(problem, {"zoneEgresses"})) {
    text += fmt::format("{} the zone egress {}", text.empty() ? "on" : " and", egress.is_string() ? std::string_view(egress.get_string()) : "");
  }
  return text;
}

absl::StatusOr<std::string> admin_page(const std::string& type) {
  if (type == "config-dump") {
    return std::string("xds");
  }
  if (type == "stats" || type == "clusters") {
    return type;
  }
  return absl::InvalidArgumentError("invalid inspection type");
}

absl::Status print_raw(const Invocation& invocation, const std::string& path, std::string_view what) {
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto body = client.get_raw(path);
  if (!body.ok()) {
    return wrap(body.status(), fmt::format("failed to inspect {}", what));
  }
  invocation.environment.out << *body << "\n";
  return absl::OkStatus();
}

// What is left out of configurations, and why, below what the command says anyhow. Control planes that don't tell have none.
std::string problems_text(const json::value& problems) {
  std::string text = text_at(problems, {"error"});
  text = text.empty() ? "" : "  no configuration: " + text + "\n";
  for (const json::value& problem : list_at(problems, {"items"})) {
    const std::string type = text_at(problem, {"policy", "type"}), mesh = text_at(problem, {"policy", "mesh"});
    std::string place = type.empty() ? places_of(problem) : fmt::format("{} {}", type, text_at(problem, {"policy", "name"}));
    place += mesh.empty() ? "" : " of mesh " + mesh;
    text += fmt::format("  {}{}{}\n", place, place.empty() ? "" : ": ", text_at(problem, {"message"}));
  }
  for (const json::value& warning : list_at(problems, {"warnings"})) {
    text += fmt::format("  {}\n", warning.is_string() ? std::string_view(warning.get_string()) : std::string_view());
  }
  return text.empty() ? "" : "Problems:\n" + text;
}

void print_problems(const ApiClient& client, const std::string& item, std::ostream& out) {
  if (const auto problems = client.get(item + "/_problems"); problems.ok()) {
    out << problems_text(*problems);
  }
}

// Of what has nothing else to show: "No problems" says that somebody looked.
absl::Status inspect_problems(const Invocation& invocation, const std::string& item, std::string_view name) {
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto problems = client.get(item + "/_problems");
  if (!problems.ok()) {
    return wrap(problems.status(), fmt::format("failed to inspect {}", name));
  }
  const std::string text = problems_text(*problems);
  invocation.environment.out << (text.empty() ? "No problems\n" : text);
  return absl::OkStatus();
}

absl::Status inspect_dataplane(const Invocation& invocation, const InspectFlags& flags, const std::string& name) {
  const std::string item = fmt::format("/meshes/{}/dataplanes/{}", path_segment(flags.mesh), path_segment(name));
  const std::string type = flags.config_dump ? "config-dump" : flags.type.empty() ? "policies" : flags.type;
  if (flags.config_dump) {
    invocation.environment.err << "Flag --config-dump has been deprecated, use --type=config-dump\n";
  }
  if (type != "policies") {
    KUMA_ASSIGN_OR_RETURN(const std::string page, admin_page(type));
    return print_raw(invocation, item + "/" + page, name);
  }
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto policies = client.get(item + "/policies");
  if (!policies.ok()) {
    return wrap(policies.status(), fmt::format("failed to inspect {}", name));
  }
  invocation.environment.out << policies_text(*policies);
  print_problems(client, item, invocation.environment.out);
  return absl::OkStatus();
}

absl::Status inspect_policy(const Invocation& invocation, const model::ResourceType& type, const InspectFlags& flags, const std::string& name) {
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const std::string item = item_path(type, flags.mesh, name);
  std::ostream& out = invocation.environment.out;
  if (!flags.new_api) {
    const auto dataplanes = client.get(item + "/dataplanes");
    if (!dataplanes.ok()) {
      return wrap(dataplanes.status(), fmt::format("failed to inspect {}", name));
    }
    out << affected_text(*dataplanes);
    print_problems(client, item, out);
    return absl::OkStatus();
  }
  const auto dataplanes = client.get(item + "/_resources/dataplanes" + (flags.offset.empty() ? "" : "?offset=" + path_segment(flags.offset)));
  if (!dataplanes.ok()) {
    return wrap(dataplanes.status(), fmt::format("failed to inspect {}", name));
  }
  KUMA_ASSIGN_OR_RETURN(const OutputFormat format, parse_output_format(flags.output));
  if (format != OutputFormat::Table) {
    out << (format == OutputFormat::Yaml ? kuma::to_yaml(sorted(*dataplanes)) : to_pretty_json(*dataplanes, 2));
    return absl::OkStatus();
  }
  Table table{.headers = {"Type", "Mesh", "Name"}, .rows = {}};
  for (const json::value& dataplane : list_at(*dataplanes, {"items"})) {
    table.rows.push_back({text_at(dataplane, {"type"}), text_at(dataplane, {"mesh"}), text_at(dataplane, {"name"})});
  }
  out << table.text() << fmt::format("Total: {}\n", number_at(*dataplanes, {"total"}));
  return absl::OkStatus();
}

absl::Status inspect_gateway(const Invocation& invocation, const std::string& name) {
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto dataplanes = client.get(fmt::format("/meshes/default/meshgateways/{}/dataplanes", path_segment(name)));
  if (!dataplanes.ok()) {
    return wrap(dataplanes.status(), fmt::format("failed to inspect {}", name));
  }
  for (const json::value& item : list_at(*dataplanes, {"items"})) {
    invocation.environment.out << text_at(item, {"dataplane", "name"}) << "\n";
  }
  print_problems(client, fmt::format("/meshes/default/meshgateways/{}", path_segment(name)), invocation.environment.out);
  return absl::OkStatus();
}

void add_items(CommandTree& tree, CLI::App& group, const FlagsPtr& flags) {
  Invocation& invocation = tree.invocation();
  Command& dataplane = tree.leaf(group, "dataplane", "What one dataplane has: its policies or what its Envoy says", 1);
  dataplane.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
  dataplane.app->add_option("--type", flags->type, "policies, config-dump, stats or clusters");
  dataplane.app->add_flag("--config-dump", flags->config_dump, "deprecated: use --type=config-dump");
  dataplane.action = [&invocation, flags, &dataplane] { return inspect_dataplane(invocation, *flags, dataplane.arguments[0]); };

  for (const auto& [word, collection] : {std::pair("zoneingress", "zoneingresses"), std::pair("zoneegress", "zoneegresses")}) {
    Command& proxy = tree.leaf(group, word, "What the Envoy of a zone proxy says", 1);
    proxy.app->add_option("--type", flags->type, "config-dump, stats, clusters or problems");
    proxy.app->add_flag("--config-dump", flags->config_dump, "deprecated: use --type=config-dump");
    proxy.action = [&invocation, flags, &proxy, collection = std::string(collection)]() -> absl::Status {
      const std::string item = fmt::format("/{}/{}", collection, path_segment(proxy.arguments[0]));
      if (flags->type == "problems") {
        return inspect_problems(invocation, item, proxy.arguments[0]);
      }
      KUMA_ASSIGN_OR_RETURN(const std::string page, admin_page(flags->type.empty() ? "config-dump" : flags->type));
      return print_raw(invocation, item + "/" + page, proxy.arguments[0]);
    };
  }
  Command& gateway = tree.leaf(group, "meshgateway", "The dataplanes that a gateway selects", 1);
  gateway.action = [&invocation, &gateway] { return inspect_gateway(invocation, gateway.arguments[0]); };

  for (const model::ResourceType& type : invocation.environment.registry.types()) {
    if (type.name == "ExternalService" || type.name == "MeshGatewayRoute") {
      Command& resource = tree.leaf(group, std::string(type.kumactl_singular),
                                    fmt::format("What of a {} is left out of configurations, and why", type.name), 1);
      resource.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
      resource.action = [&invocation, &type, flags, &resource] {
        return inspect_problems(invocation, item_path(type, flags->mesh, resource.arguments[0]), resource.arguments[0]);
      };
    }
    if (!type.inspectable || type.kumactl_singular.empty()) {
      continue;
    }
    Command& policy = tree.leaf(group, std::string(type.kumactl_singular), fmt::format("The dataplanes that a {} concerns", type.name), 1);
    policy.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
    policy.app->add_flag("--new-api", flags->new_api, "as a plain list of dataplanes");
    policy.app->add_option("--offset", flags->offset, "with --new-api: the offset of the first");
    policy.action = [&invocation, &type, flags, &policy] { return inspect_policy(invocation, type, *flags, policy.arguments[0]); };
  }
}

}  // namespace

void add_inspect(CommandTree& tree) {
  CLI::App& group = tree.group(tree.root(), "inspect", "Show resources with what became of them");
  auto flags = std::make_shared<InspectFlags>();
  group.add_option("-o,--output", flags->output, "table, yaml or json");
  add_lists(tree, group, flags);
  add_items(tree, group, flags);
}

}  // namespace kuma::ctl
