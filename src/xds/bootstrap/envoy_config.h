#pragma once

#include <chrono>
#include <string>

#include "base/json.h"
#include "xds/bootstrap/request.h"

namespace kuma::bootstrap {

// All that an Envoy's bootstrap is made of, besides the request.
struct EnvoySettings {
  ProxyType type = ProxyType::Dataplane;
  std::string service;          // node.cluster: the proxy's service, "ingress", "egress"
  bool builtin_gateway = false;
  std::string admin_address;
  uint32_t admin_port = 0;      // 0: no admin interface
  std::string admin_access_log_path;
  std::string xds_host;
  uint32_t xds_port = 0;
  bool xds_host_is_ipv4_only = false;  // a name, other than localhost, without an IPv6 address
  std::chrono::nanoseconds xds_connect_timeout{};
  std::string ca_pem;           // that the control plane's certificate is verified with
  bool reloadable_tokens = false;
  bool hds_enabled = false;
  uint32_t gateway_connections_max = 50'000;
  std::string temp_dir = "/tmp";  // where socket paths are that kuma-dp did not name
};

// Envoy's bootstrap in proto3's JSON form (spec/kuma-dp.md §5). Pure.
json::object build_envoy_config(const Request& request, const EnvoySettings& settings);

}  // namespace kuma::bootstrap
