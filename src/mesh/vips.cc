#include "mesh/vips.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "model/selectors.h"

namespace kuma::mesh {
namespace {

constexpr std::string_view kConfigPrefix = "kuma-";
constexpr std::string_view kConfigSuffix = "-dns-vips";

// Origins as the smaller form shortens them.
constexpr std::pair<std::string_view, std::string_view> kShortOrigins[] = {{"service", "svc"}, {"kubernetes", "k8s"}};

class VipsBuilder {
 public:
  VipsBuilder(Vips& vips, const VipNaming& naming) : vips_(vips), naming_(naming) {}

  void add(const VipKey& key, const VipEntry& entry) {
    std::vector<std::string>& names = vips_.names[entry.address];
    if (key.kind == VipKind::Service) {
      add_service(key.name, entry, names);
      return;
    }
    if (model::is_dns_name(key.name)) {
      names.push_back(key.name);
    }
    bool has_service_port = false;
    for (const VipPort& port : entry.ports) {
      if (port.port != 0) {
        add_outbound(entry.address, port.port, port.tags);
      }
      has_service_port = has_service_port || port.port == naming_.service_port;
    }
    // A host is found at the usual port too.
    if (key.kind == VipKind::Host && model::is_dns_name(key.name) && !has_service_port && !entry.ports.empty()) {
      add_outbound(entry.address, naming_.service_port, entry.ports.front().tags);
    }
  }

 private:
  void add_service(const std::string& service, const VipEntry& entry, std::vector<std::string>& names) {
    names.push_back(service + "." + naming_.domain);
    if (service.find('_') != std::string::npos) {
      std::string dotted = service;
      std::ranges::replace(dotted, '_', '.');
      names.push_back(dotted + "." + naming_.domain);
    }
    const VipPort* usual = nullptr;
    for (const VipPort& port : entry.ports) {
      if (port.port != 0 && port.port != naming_.service_port) {
        add_outbound(entry.address, port.port, port.tags);
      }
      if (usual == nullptr || port.port == naming_.service_port) {
        usual = &port;
      }
    }
    if (usual != nullptr) {
      add_outbound(entry.address, naming_.service_port, usual->tags);
    }
  }

  void add_outbound(const std::string& address, uint32_t port, const Tags& tags) {
    vips_.outbounds_of_service[std::string(tag(tags, kServiceTag))].push_back(vips_.outbounds.size());
    vips_.outbounds.push_back({address, port, tags, absl::HashOf(address, port, tags, vips_.names[address])});
  }

  Vips& vips_;
  const VipNaming& naming_;
};

absl::Status malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("a table of VIPs needs {}", what));
}

absl::StatusOr<std::string> read_text(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  if (found == nullptr || !found->is_string()) {
    return malformed(fmt::format("a text for \"{}\"", member));
  }
  return std::string(found->get_string());
}

absl::StatusOr<uint32_t> read_port(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  if (found == nullptr) {
    return 0;
  }
  if (!found->is_int64() || found->get_int64() < 0 || found->get_int64() > 65535) {
    return malformed(fmt::format("a port from 0 to 65535 for \"{}\"", member));
  }
  return static_cast<uint32_t>(found->get_int64());
}

absl::StatusOr<Tags> read_tags(const json::value& object, std::string_view member) {
  Tags tags;
  const json::value* found = find(object, member);
  if (found == nullptr || found->is_null()) {
    return tags;
  }
  if (!found->is_object()) {
    return malformed(fmt::format("tags for \"{}\"", member));
  }
  for (const auto& [key, value] : found->get_object()) {
    if (!value.is_string()) {
      return malformed(fmt::format("a text for the tag \"{}\"", std::string_view(key)));
    }
    tags.emplace(key, value.get_string());
  }
  return tags;
}

const json::array* read_array(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  return found == nullptr ? nullptr : found->if_array();
}

absl::StatusOr<VipKey> read_key(std::string_view text) {
  if (text.size() < 3 || text[1] != ':' || text[0] < '0' || text[0] > '2') {
    return malformed(fmt::format("keys such as \"0:backend\", not \"{}\"", text));
  }
  return VipKey{static_cast<VipKind>(text[0] - '0'), std::string(text.substr(2))};
}

absl::StatusOr<VipTable> parse_by_name(const json::object& object) {
  VipTable table;
  for (const auto& [name, value] : object) {
    KUMA_ASSIGN_OR_RETURN(VipKey key, read_key(name));
    VipEntry entry;
    KUMA_ASSIGN_OR_RETURN(entry.address, read_text(value, "address"));
    if (const json::array* ports = read_array(value, "outbounds")) {
      for (const json::value& one : *ports) {
        VipPort port;
        KUMA_ASSIGN_OR_RETURN(port.port, read_port(one, "Port"));
        KUMA_ASSIGN_OR_RETURN(port.tags, read_tags(one, "TagSet"));
        KUMA_ASSIGN_OR_RETURN(port.origin, read_text(one, "Origin"));
        entry.ports.push_back(std::move(port));
      }
    }
    table.emplace(std::move(key), std::move(entry));
  }
  return table;
}

std::string_view lengthen(std::string_view origin) {
  for (const auto& [full, small] : kShortOrigins) {
    if (origin == small) {
      return full;
    }
  }
  return origin;
}

std::string_view shorten(std::string_view origin) {
  for (const auto& [full, small] : kShortOrigins) {
    if (origin == full) {
      return small;
    }
  }
  return origin;
}

// The smaller form does not say what kind a name is of; what asked for it does.
VipKind kind_of(std::string_view origin, const std::string& service, const std::string& name) {
  if (origin == "service" || (origin.starts_with("external-service:") && name == service)) {
    return VipKind::Service;
  }
  return origin.starts_with("external-service:") ? VipKind::Host : VipKind::Fqdn;
}

absl::Status parse_destination(const std::string& service, const json::value& destination, VipTable& table) {
  KUMA_ASSIGN_OR_RETURN(Tags tags, read_tags(destination, "t"));
  tags.emplace(kServiceTag, service);
  const json::array* places = read_array(destination, "ap");
  if (places == nullptr) {
    return malformed("a list for \"ap\"");
  }
  for (const json::value& place : *places) {
    VipPort port{.port = 0, .tags = tags, .origin = ""};
    KUMA_ASSIGN_OR_RETURN(std::string address, read_text(place, "a"));
    KUMA_ASSIGN_OR_RETURN(std::string name, read_text(place, "d"));
    KUMA_ASSIGN_OR_RETURN(std::string origin, read_text(place, "o"));
    KUMA_ASSIGN_OR_RETURN(port.port, read_port(place, "p"));
    port.origin = std::string(lengthen(origin));
    VipKey key{kind_of(port.origin, service, name), name};
    if (auto found = table.find(key); found != table.end() && found->second.address != address) {
      key.kind = VipKind::Host;  // a host that is called as its service is
    }
    VipEntry& entry = table[key];
    entry.address = address;
    entry.ports.push_back(std::move(port));
  }
  return absl::OkStatus();
}

absl::StatusOr<VipTable> parse_by_tags(const json::value& services) {
  VipTable table;
  if (!services.is_object()) {
    return malformed("an object for \"v\"");
  }
  for (const auto& [service, value] : services.get_object()) {
    const json::array* destinations = read_array(value, "oe");
    if (destinations == nullptr) {
      return malformed("a list for \"oe\"");
    }
    for (const json::value& destination : *destinations) {
      KUMA_RETURN_IF_ERROR(parse_destination(std::string(service), destination, table));
    }
  }
  for (auto& [key, entry] : table) {
    std::ranges::stable_sort(entry.ports, {}, &VipPort::port);
  }
  return table;
}

json::object to_json(const Tags& tags, bool with_service) {
  json::object object;
  for (const auto& [key, value] : tags) {
    if (with_service || key != kServiceTag) {
      object[key] = value;
    }
  }
  return object;
}

json::object print_by_name(const VipTable& table) {
  json::object object;
  for (const auto& [key, entry] : table) {
    json::array ports;
    for (const VipPort& port : entry.ports) {
      ports.push_back(
          json::object{{"Port", port.port}, {"TagSet", to_json(port.tags, true)}, {"Origin", port.origin}});
    }
    object[fmt::format("{}:{}", static_cast<int>(key.kind), key.name)] =
        json::object{{"address", entry.address}, {"outbounds", std::move(ports)}};
  }
  return object;
}

json::object print_by_tags(const VipTable& table) {
  std::map<std::string, std::map<Tags, json::array>> by_service;
  for (const auto& [key, entry] : table) {
    for (const VipPort& port : entry.ports) {
      by_service[std::string(tag(port.tags, kServiceTag))][port.tags].push_back(
          json::object{{"a", entry.address}, {"d", key.name}, {"p", port.port}, {"o", shorten(port.origin)}});
    }
  }
  json::object services;
  for (auto& [service, destinations] : by_service) {
    json::array list;
    for (auto& [tags, places] : destinations) {
      list.push_back(json::object{{"t", to_json(tags, false)}, {"ap", std::move(places)}});
    }
    services[service] = json::object{{"oe", std::move(list)}};
  }
  return {{"v", std::move(services)}};
}

void add_services(const VipEntry& entry, std::set<std::string>& services) {
  for (const VipPort& port : entry.ports) {
    services.emplace(tag(port.tags, kServiceTag));
  }
}

}  // namespace

absl::StatusOr<VipTable> parse_vip_table(std::string_view text) {
  KUMA_ASSIGN_OR_RETURN(const json::value value, parse_json(text));
  if (!value.is_object()) {
    return malformed("an object");
  }
  if (const json::value* services = find(value, "v")) {
    return parse_by_tags(*services);
  }
  return parse_by_name(value.get_object());
}

std::string print_vip_table(const VipTable& table, VipForm form) {
  return kuma::to_json(form == VipForm::ByName ? print_by_name(table) : print_by_tags(table));
}

std::string vip_config_name(std::string_view mesh) { return fmt::format("{}{}{}", kConfigPrefix, mesh, kConfigSuffix); }

std::optional<std::string_view> mesh_of_vip_config(std::string_view name) {
  if (!name.starts_with(kConfigPrefix) || !name.ends_with(kConfigSuffix) ||
      name.size() <= kConfigPrefix.size() + kConfigSuffix.size()) {
    return std::nullopt;
  }
  return name.substr(kConfigPrefix.size(), name.size() - kConfigPrefix.size() - kConfigSuffix.size());
}

VipsPtr build_vips(VipTable table, const VipNaming& naming) {
  auto vips = std::make_shared<Vips>();
  VipsBuilder builder(*vips, naming);
  for (const auto& [key, entry] : table) {
    if (!entry.address.empty()) {
      builder.add(key, entry);
    }
  }
  vips->table = std::move(table);
  return vips;
}

std::set<std::string> changed_services(const Vips* before, const Vips* after) {
  static const VipTable kEmpty;
  const VipTable& old_table = before == nullptr ? kEmpty : before->table;
  const VipTable& new_table = after == nullptr ? kEmpty : after->table;
  std::set<std::string> services;
  for (const auto& [key, entry] : old_table) {
    if (auto found = new_table.find(key); found == new_table.end() || !(found->second == entry)) {
      add_services(entry, services);
    }
  }
  for (const auto& [key, entry] : new_table) {
    if (auto found = old_table.find(key); found == old_table.end() || !(found->second == entry)) {
      add_services(entry, services);
    }
  }
  return services;
}

}  // namespace kuma::mesh
