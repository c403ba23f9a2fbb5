#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "mesh/mesh_view.h"
#include "model/access_log_format.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// Access logs as TrafficLog and MeshAccessLog have them (spec/policy-observability.md §1.3–§1.5, §3.1).

using AccessLog = ::envoy::config::accesslog::v3::AccessLog;

// What a line looks like when nobody says it.
std::string_view default_log_format(bool http);

// A listener whose connections can be logged.
struct LoggedListener {
  enum class Side { Inbound, Outbound, Gateway };
  Side side = Side::Outbound;
  ListenerDraft* draft = nullptr;
  std::string service;            // that policies choose it by; "pass_through" for what no outbound is for
  model::AccessLogValues values;  // as MeshAccessLog has them
};

// All of them: inbounds and outbounds in the order of the Dataplane, then connections that pass through, direct access,
// listeners of a gateway. Drafts belong to `resources`.
std::vector<LoggedListener> logged_listeners(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                             ProxyResources& resources);

// Names in a fingerprint what a format's line depends on beside the format: the values, but for addresses only when it has
// them, so that listeners are the same for more proxies.
void add_log_values(const model::AccessLogValues& values, std::string_view format, PieceKey& key);

// Appends a logger to every chain; `make` is told whether the chain speaks HTTP.
absl::Status add_access_log(::envoy::config::listener::v3::Listener& listener,
                            absl::FunctionRef<absl::StatusOr<AccessLog>(bool http)> make);

// Loggers. The formats are filled in already.
AccessLog text_file_log(std::string path, std::string line, bool omit_empty);
AccessLog json_file_log(std::string path, google::protobuf::Struct format, bool omit_empty);
// Over the gRPC of an old kuma-dp, which has the format in the log's name.
AccessLog grpc_log(bool http, std::string_view address, const std::string& format);

}  // namespace kuma::policy::envoy
