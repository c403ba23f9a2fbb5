#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "dp/envoy.h"

namespace kuma::dp {

// The exchange with POST /bootstrap of the control plane, as data: what is asked, and what an answer means. Pure.

struct BootstrapRequest {
  std::string mesh;
  std::string name;
  std::string proxy_type;
  std::string token;
  std::string token_path;
  std::string resource;  // REST form, JSON
  EnvoyVersion envoy;
  std::string ca_cert;
  std::map<std::string, std::string> dynamic_metadata;
  uint32_t dns_port = 0;
  uint32_t readiness_port = 0;
  uint32_t dns_empty_port = 0;
  uint64_t memory_bytes_max = 0;
  std::string access_log_path;
  std::string metrics_path;
  std::string metrics_cert_path;
  std::string metrics_key_path;
};
std::string to_json(const BootstrapRequest& request);

// The control plane's URL with its path replaced by /bootstrap.
absl::StatusOr<std::string> bootstrap_url(const std::string& cp_address);

struct AggregateTarget {
  std::string name;
  std::string address;
  uint32_t port = 0;
  std::string path;
};

struct Bootstrap {
  std::string yaml;  // for Envoy, as it came
  std::string admin_address;
  uint16_t admin_port = 0;  // 0: Envoy has no admin API
  bool transparent_proxy = false;
  std::vector<AggregateTarget> metrics;
};

// What to do after an attempt.
struct Refusal {
  bool retry = false;
  std::string message;  // of the final error, if it comes to that
  std::string log;      // said when the attempt is repeated
};
struct HttpAnswer {
  int status = 0;
  std::string body;
};
Refusal interpret_refusal(const HttpAnswer& answer);               // any status but 200
Refusal interpret_failure(std::string_view problem);               // no answer at all
absl::StatusOr<Bootstrap> parse_bootstrap(std::string_view body);  // of status 200

}  // namespace kuma::dp
