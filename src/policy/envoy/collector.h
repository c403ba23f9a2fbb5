#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// Where proxies send traces and logs.
struct Collector {
  std::string host;  // a name or an IP, without brackets
  uint32_t port = 0;
  bool tls = false;    // any certificate that the system trusts
  bool http2 = false;

  auto operator<=>(const Collector&) const = default;
};

// The collector of an OpenTelemetry endpoint: `host`, `host:port` or `[ip]:port`; the port is 4317 when it is not given.
absl::StatusOr<Collector> parse_otlp_endpoint(std::string_view endpoint);

// Its cluster. `ipv6`: the proxy has an IPv6 address, so names may resolve to such.
ClusterDraft draft_collector(std::string_view name, Origin origin, const Collector& collector, bool ipv6);

}  // namespace kuma::policy::envoy
