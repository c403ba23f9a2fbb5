#include "policy/envoy/edit.h"

#include "base/status.h"
#include "fmt/format.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/scratch.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteConfiguration;

template <typename Message>
absl::Status edit_filters(Listener& listener, std::string_view name, absl::FunctionRef<absl::Status(Message&)> edit) {
  for (auto& chain : *listener.mutable_filter_chains()) {
    for (auto& filter : *chain.mutable_filters()) {
      if (filter.name() != name) {
        continue;
      }
      Scratch scratch;
      Message& message = scratch.make<Message>();
      if (!filter.typed_config().UnpackTo(&message)) {
        return absl::InvalidArgumentError(fmt::format("the filter {} of listener {} holds no {}", name, listener.name(),
                                                      Message::descriptor()->full_name()));
      }
      KUMA_RETURN_IF_ERROR(edit(message));
      pack(message, filter.mutable_typed_config());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status edit_hcms(Listener& listener, absl::FunctionRef<absl::Status(Hcm&)> edit) {
  return edit_filters<Hcm>(listener, kHttpConnectionManager, edit);
}

absl::Status edit_tcp_proxies(Listener& listener, absl::FunctionRef<absl::Status(TcpProxy&)> edit) {
  return edit_filters<TcpProxy>(listener, kTcpProxy, edit);
}

absl::Status edit_http_options(Cluster& cluster, absl::FunctionRef<void(HttpOptions&)> edit) {
  auto& packed = (*cluster.mutable_typed_extension_protocol_options())[std::string(kHttpProtocolOptions)];
  Scratch scratch;
  HttpOptions& options = scratch.make<HttpOptions>();
  if (!packed.type_url().empty() && !packed.UnpackTo(&options)) {
    return absl::InvalidArgumentError(
        fmt::format("the options {} of cluster {} hold something else", kHttpProtocolOptions, cluster.name()));
  }
  edit(options);
  pack(options, &packed);
  return absl::OkStatus();
}

void for_each_route(RouteConfiguration& config, absl::FunctionRef<void(Route&)> edit) {
  for (auto& host : *config.mutable_virtual_hosts()) {
    for (auto& route : *host.mutable_routes()) {
      edit(route);
    }
  }
}

absl::Status insert_before_router(Hcm& hcm, std::string_view name, const google::protobuf::Message& config) {
  for (int i = 0; i < hcm.http_filters_size(); ++i) {
    if (hcm.http_filters(i).name() == kRouter) {
      add_http_filter(hcm, name, config);
      for (int at = hcm.http_filters_size() - 1; at > i; --at) {
        hcm.mutable_http_filters()->SwapElements(at, at - 1);
      }
      return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError("could not insert filter, envoy.filters.http.router is not found in HTTPConnectionManager");
}

}  // namespace kuma::policy::envoy
