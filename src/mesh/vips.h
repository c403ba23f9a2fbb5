#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "mesh/tags.h"

namespace kuma::mesh {

// Virtual IPs: addresses that stand for a name inside of transparent proxies (spec/xds-config.md §11). They are kept in the
// Config `kuma-<mesh>-dns-vips`, so that every control plane of a zone, also one of the reference, and each of its starts
// gives a name the same address.

enum class VipKind { Service = 0, Host = 1, Fqdn = 2 };  // the numbers are those of the stored form

struct VipKey {
  VipKind kind = VipKind::Service;
  std::string name;
  auto operator<=>(const VipKey&) const = default;
};

struct VipPort {
  uint32_t port = 0;   // 0: none of its own, the port of service VIPs alone
  Tags tags;           // where connections go, with kuma.io/service
  std::string origin;  // what asked for it: `service`, `external-service:<name>`, …
  bool operator==(const VipPort&) const = default;
};

struct VipEntry {
  std::string address;  // empty: none yet
  std::vector<VipPort> ports;
  bool operator==(const VipEntry&) const = default;
};

using VipTable = std::map<VipKey, VipEntry>;

// How a table is stored: by name, or by destination with the names under it (smaller where one has many names).
enum class VipForm { ByName, ByTags };

// Reads both forms. InvalidArgument says what was wrong.
absl::StatusOr<VipTable> parse_vip_table(std::string_view text);
std::string print_vip_table(const VipTable& table, VipForm form);

std::string vip_config_name(std::string_view mesh);
// The mesh of a Config with such a name; nothing for another Config.
std::optional<std::string_view> mesh_of_vip_config(std::string_view name);

// What names are made of.
struct VipNaming {
  std::string domain = "mesh";   // KUMA_DNS_SERVER_DOMAIN
  uint32_t service_port = 80;    // KUMA_DNS_SERVER_SERVICE_VIP_PORT
};

struct VipOutbound {
  std::string address;
  uint32_t port = 0;
  Tags tags;
  uint64_t fingerprint = 0;  // of all above and the names of the address
};

// The table of a mesh as its proxies use it. Immutable, made once for all of them.
struct Vips {
  VipTable table;
  std::vector<VipOutbound> outbounds;                                          // in order of the table
  absl::flat_hash_map<std::string, std::vector<std::string>> names;            // by address; none: it has no name
  absl::flat_hash_map<std::string, std::vector<size_t>> outbounds_of_service;  // indexes into outbounds

  bool has_address(const std::string& address) const { return names.contains(address); }
};
using VipsPtr = std::shared_ptr<const Vips>;

VipsPtr build_vips(VipTable table, const VipNaming& naming);

// The services whose names, addresses or ports differ. Either may be null: an empty table.
std::set<std::string> changed_services(const Vips* before, const Vips* after);

}  // namespace kuma::mesh
