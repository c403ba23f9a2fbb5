#include "ctl/inspect_text.h"

#include "ctl/resource_commands.h"
#include "ctl/table.h"
#include "fmt/format.h"

namespace kuma::ctl {
namespace {

// Policy types in order of name, each with its policies: a list, or a single one on gateways.
std::string matched_text(const json::value& policies, const std::string& indent) {
  std::string out;
  if (!policies.is_object()) {
    return out;
  }
  const json::value ordered = sorted(policies);
  for (const auto& [type, matched] : ordered.get_object()) {
    out += fmt::format("{}{}\n", indent, std::string(type));
    if (matched.is_array()) {
      for (const json::value& policy : matched.get_array()) {
        out += fmt::format("{}  {}\n", indent, text_at(policy, {"name"}));
      }
    } else {
      out += fmt::format("{}  {}\n", indent, text_at(matched, {"name"}));
    }
  }
  return out;
}

std::string attachment_title(const json::value& attachment) {
  const std::string type = text_at(attachment, {"type"});
  const std::string name = text_at(attachment, {"name"});
  const std::string service = text_at(attachment, {"service"});
  if (type == "dataplane") {
    return "DATAPLANE";
  }
  if (type == "service") {
    return "SERVICE " + name;
  }
  return fmt::format("{} {}({})", type == "inbound" ? "INBOUND" : "OUTBOUND", name, service);
}

std::string gateway_text(const json::value& answer) {
  std::string out = "MESHGATEWAY:\n";
  if (const json::value* policies = find(answer, "policies")) {
    out += matched_text(*policies, "  ");
  }
  out += "\n";
  for (const json::value& listener : list_at(answer, {"listeners"})) {
    out += fmt::format("LISTENER ({}:{}):\n", text_at(listener, {"protocol"}), number_at(listener, {"port"}));
    for (const json::value& host : list_at(listener, {"hosts"})) {
      out += fmt::format("  {}:\n", text_at(host, {"hostName"}));
      for (const json::value& route : list_at(host, {"routes"})) {
        out += fmt::format("    ROUTE {}:\n", text_at(route, {"route"}));
        for (const json::value& destination : list_at(route, {"destinations"})) {
          out += fmt::format("      SERVICE {}:\n", text_at(destination, {"tags", "kuma.io/service"}));
          if (const json::value* policies = find(destination, "policies")) {
            out += matched_text(*policies, "        ");
          }
        }
      }
    }
    out += "\n";
  }
  return out;
}

std::string affected_gateway(const json::value& item) {
  std::string out = fmt::format("  {}:\n", text_at(item, {"dataplane", "name"}));
  for (const json::value& listener : list_at(item, {"listeners"})) {
    out += fmt::format("    listener ({}:{}):\n", text_at(listener, {"protocol"}), number_at(listener, {"port"}));
    for (const json::value& host : list_at(listener, {"hosts"})) {
      out += fmt::format("      {}:\n", text_at(host, {"hostName"}));
      for (const json::value& route : list_at(host, {"routes"})) {
        out += fmt::format("        {}:\n", text_at(route, {"route"}));
        for (const json::value& destination : list_at(route, {"destinations"})) {
          out += fmt::format("          service {}\n", text_at(destination, {"kuma.io/service"}));
        }
      }
    }
  }
  return out;
}

}  // namespace

std::string policies_text(const json::value& answer) {
  if (text_at(answer, {"kind"}) == "MeshGatewayDataplane") {
    return gateway_text(answer);
  }
  std::string out;
  for (const json::value& attachment : list_at(answer, {"items"})) {
    out += attachment_title(attachment) + ":\n";
    if (const json::value* policies = find(attachment, "matchedPolicies")) {
      out += matched_text(*policies, "  ");
    }
    out += "\n";
  }
  return out;
}

std::string affected_text(const json::value& answer) {
  std::string out = "Affected data plane proxies:\n\n";
  for (const json::value& item : list_at(answer, {"items"})) {
    if (text_at(item, {"kind"}) == "MeshGatewayDataplane") {
      out += affected_gateway(item) + "\n";
      continue;
    }
    const json::array& attachments = list_at(item, {"attachments"});
    const std::string name = text_at(item, {"dataplane", "name"});
    if (attachments.size() == 1 && text_at(attachments[0], {"type"}) == "dataplane") {
      out += fmt::format("  {}\n\n", name);
      continue;
    }
    out += fmt::format("  {}:\n", name);
    for (const json::value& attachment : attachments) {
      const std::string type = text_at(attachment, {"type"});
      if (type == "dataplane") {
        out += "    dataplane\n";
      } else if (type == "service") {
        out += fmt::format("    service {}\n", text_at(attachment, {"name"}));
      } else {
        out += fmt::format("    {} {}({})\n", type, text_at(attachment, {"name"}), text_at(attachment, {"service"}));
      }
    }
    out += "\n";
  }
  return out;
}

std::string zone_problems_text(const json::value& overviews, const json::value& refused, WallTime now) {
  std::string text;
  const auto add = [&](std::string_view zone, const json::value& problem, std::initializer_list<std::string_view> time) {
    text += fmt::format("  {}: {} ({}, last {} ago)\n", zone.empty() ? "(no name)" : zone, text_at(problem, {"message"}),
                        number_at(problem, {"count"}) == 1 ? "once" : fmt::format("{} times", number_at(problem, {"count"})),
                        age(now, text_at(problem, time)));
  };
  for (const json::value& zone : list_at(overviews, {"items"})) {
    for (const json::value& problem : list_at(zone, {"zoneInsight", "problems"})) {
      add(text_at(zone, {"name"}), problem, {"time"});
    }
  }
  for (const json::value& one : list_at(refused, {"items"})) {
    add(text_at(one, {"zone"}), one, {"lastTime"});
  }
  return text.empty() ? "" : "Problems:\n" + text;
}

}  // namespace kuma::ctl
