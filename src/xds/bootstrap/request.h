#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace kuma::bootstrap {

enum class ProxyType { Dataplane, Ingress, Egress };

// What kuma-dp says when it asks for a bootstrap (spec/kuma-dp.md §4.1).
struct Request {
  std::string mesh;
  std::string name;
  std::string proxy_type = "dataplane";  // as written; an empty one means dataplane
  std::string token;
  std::string token_path;
  std::string resource;  // YAML or JSON of the proxy's own resource; empty: it is in the store
  json::object version;  // {kumaDp: {…}, envoy: {…}} with the members that are known and not empty
  std::string ca_cert;
  std::map<std::string, std::string> dynamic_metadata;
  uint32_t dns_port = 0;
  uint32_t empty_dns_port = 0;
  uint32_t readiness_port = 0;
  std::string operating_system;
  std::vector<std::string> features;
  uint64_t heap_size_max = 0;  // bytes; 0: unknown
  std::string access_log_socket_path;
  std::string metrics_socket_path;
  std::string metrics_cert_path;
  std::string metrics_key_path;
};

// InvalidArgument when the body is no JSON object or a member has another kind; unknown members are ignored.
absl::StatusOr<Request> parse_request(std::string_view body);

// InvalidArgument for anything but `dataplane`, `ingress` and `egress`.
absl::StatusOr<ProxyType> parse_proxy_type(std::string_view text);

}  // namespace kuma::bootstrap
