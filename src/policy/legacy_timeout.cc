#include "mesh/v1alpha1/timeout.pb.h"
#include "policy/envoy/filters.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {

using mesh::Protocol;
using mesh::v1alpha1::Timeout;

OutboundTimeouts outbound_timeouts(const model::Resource* timeout, Protocol protocol) {
  OutboundTimeouts values{.connect = envoy::kConnectTimeoutDefault, .stream_duration_max = std::nullopt};
  if (timeout == nullptr) {
    return values;
  }
  const auto& conf = timeout->as<Timeout>().conf();
  if (conf.has_connect_timeout()) {
    values.connect = envoy::to_nanoseconds(conf.connect_timeout());
  }
  values.http_idle = envoy::to_nanoseconds(conf.http().idle_timeout());
  values.request = envoy::to_nanoseconds(conf.http().request_timeout());
  values.tcp_idle = envoy::to_nanoseconds(conf.tcp().idle_timeout());
  values.stream_idle = envoy::to_nanoseconds(conf.http().stream_idle_timeout());
  auto stream_duration_max = envoy::to_nanoseconds(conf.http().max_stream_duration());
  if (protocol == Protocol::Grpc) {
    if (!conf.http().has_stream_idle_timeout()) {
      values.stream_idle = envoy::to_nanoseconds(conf.grpc().stream_idle_timeout());
    }
    if (stream_duration_max.count() == 0) {
      stream_duration_max = envoy::to_nanoseconds(conf.grpc().max_stream_duration());
    }
  }
  if (stream_duration_max.count() > 0) {
    values.stream_duration_max = stream_duration_max;
  }
  return values;
}

}  // namespace kuma::policy
