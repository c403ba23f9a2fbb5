#include "policy/envoy/collector.h"

#include <charconv>

#include "base/text.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "fmt/format.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

constexpr uint32_t kOtlpPort = 4317;
constexpr uint32_t kPortMax = 65535;

void add_tls(const Collector& collector, Cluster& cluster) {
  UpstreamTlsContext context;
  if (!is_ip_address(collector.host)) {
    context.set_sni(collector.host);
  }
  context.set_allow_renegotiation(true);
  auto& match = *cluster.add_transport_socket_matches();
  match.set_name(collector.host);
  match.mutable_match();
  match.mutable_transport_socket()->set_name(std::string(kTlsSocket));
  pack(context, match.mutable_transport_socket()->mutable_typed_config());
}

void make_cluster(std::string_view name, const Collector& collector, bool ipv6, Cluster& cluster) {
  set_cluster_name(cluster, name);
  set_static_endpoint(cluster, collector.host, collector.port);
  if (!is_ip_address(collector.host)) {
    cluster.set_type(Cluster::STRICT_DNS);
    cluster.set_dns_lookup_family(ipv6 ? Cluster::AUTO : Cluster::V4_ONLY);
  }
  if (collector.tls) {
    add_tls(collector, cluster);
  }
  if (collector.http2) {
    HttpOptions options;
    options.mutable_explicit_http_config()->mutable_http2_protocol_options();
    pack(options, &(*cluster.mutable_typed_extension_protocol_options())[std::string(kHttpProtocolOptions)]);
  }
}

}  // namespace

absl::StatusOr<Collector> parse_otlp_endpoint(std::string_view endpoint) {
  const auto refuse = [&] {
    return absl::InvalidArgumentError(fmt::format("has to be in format of HOST or HOST:PORT, got \"{}\"", endpoint));
  };
  const bool bracketed = endpoint.starts_with('[');
  const size_t host_end = bracketed ? endpoint.find(']') : std::min(endpoint.find(':'), endpoint.size());
  if (host_end == std::string_view::npos) {
    return refuse();
  }
  Collector collector{.host = std::string(endpoint.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0))),
                      .port = kOtlpPort,
                      .http2 = true};
  const std::string_view rest = endpoint.substr(bracketed ? host_end + 1 : host_end);
  const bool host_ok = bracketed ? is_ipv6_address(collector.host)
                                 : !collector.host.empty() && collector.host.find_first_of("/ @?#") == std::string::npos;
  if (!host_ok || (!rest.empty() && rest.front() != ':')) {
    return refuse();
  }
  if (!rest.empty()) {
    const auto [end, failure] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), collector.port);
    if (failure != std::errc() || end != rest.data() + rest.size() || collector.port == 0 || collector.port > kPortMax) {
      return refuse();
    }
  }
  return collector;
}

ClusterDraft draft_collector(std::string_view name, Origin origin, const Collector& collector, bool ipv6) {
  ClusterDraft draft;
  draft.name = std::string(name);
  draft.origin = origin;
  draft.subject = std::make_shared<Subject>();
  draft.key = PieceKey("collector");
  draft.key.add(name).add(collector.host).add(collector.port).add(collector.tls).add(collector.http2).add(ipv6);
  draft.make = [name = draft.name, collector, ipv6](Cluster& cluster) { make_cluster(name, collector, ipv6, cluster); };
  return draft;
}

}  // namespace kuma::policy::envoy
