#include "policy/envoy/names.h"

#include <map>
#include <set>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::policy::envoy {

std::string inbound_listener_name(std::string_view address, uint32_t port) {
  return "inbound:" + join_host_port(address, port);
}

std::string outbound_listener_name(std::string_view address, uint32_t port) {
  return "outbound:" + join_host_port(address, port);
}

std::string local_cluster_name(uint32_t port) { return fmt::format("localhost:{}", port); }

std::string destination_cluster_name(const mesh::Tags& tags) {
  static constexpr size_t kHashBytes = 8;
  std::string service(mesh::tag(tags, mesh::kServiceTag));
  if (tags.size() <= 1) {
    return service;
  }
  std::string all;
  for (const auto& [key, value] : tags) {
    all += key;
    all += value;
  }
  std::string name = fmt::format("{}-{}", service, to_hex(sha256(all).substr(0, kHashBytes)));
  if (auto mesh = mesh::tag(tags, mesh::kMeshTag); !mesh.empty()) {
    name += fmt::format("_{}", mesh);
  }
  return name;
}

std::string sanitize_stat(std::string_view name) {
  std::string sane(name);
  for (char& c : sane) {
    bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    c = kept ? c : '_';
  }
  return sane;
}

std::string sni_of(const mesh::Tags& tags, std::string_view mesh) {
  std::map<std::string_view, std::string_view> others(tags.begin(), tags.end());
  others.erase(mesh::kServiceTag);
  others.erase(mesh::kMeshTag);
  others["mesh"] = mesh;
  std::string sni(mesh::tag(tags, mesh::kServiceTag));
  char before = '{';
  for (const auto& [key, value] : others) {
    sni += fmt::format("{}{}={}", before, key, value);
    before = ',';
  }
  return sni + "}";
}

std::string tags_header(const std::vector<mesh::Tags>& tag_sets) {
  std::map<std::string_view, std::set<std::string_view>> values;
  for (const mesh::Tags& tags : tag_sets) {
    for (const auto& [key, value] : tags) {
      values[key].insert(value);
    }
  }
  std::string header;
  for (const auto& [key, all] : values) {
    header += fmt::format("&{}={}&", key, fmt::join(all, ","));
  }
  return header;
}

std::string identity_secret_name(std::string_view mesh) { return fmt::format("identity_cert:secret:{}", mesh); }
std::string ca_secret_name(std::string_view mesh) { return fmt::format("mesh_ca:secret:{}", mesh); }

}  // namespace kuma::policy::envoy
