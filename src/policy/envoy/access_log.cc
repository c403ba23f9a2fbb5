#include "policy/envoy/access_log.h"

#include "base/status.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/grpc/v3/als.pb.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/legacy.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::core::v3::ApiVersion;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::access_loggers::file::v3::FileAccessLog;
using ::envoy::extensions::access_loggers::grpc::v3::CommonGrpcAccessLogConfig;
using ::envoy::extensions::access_loggers::grpc::v3::HttpGrpcAccessLogConfig;
using ::envoy::extensions::access_loggers::grpc::v3::TcpGrpcAccessLogConfig;
using mesh::v1alpha1::Dataplane;

constexpr std::string_view kFileLogger = "envoy.access_loggers.file";
constexpr std::string_view kOutboundPassthrough = "outbound:passthrough:";
constexpr std::string_view kSourceAddress = "KUMA_SOURCE_ADDRESS";
constexpr std::string_view kInboundDirection = "INBOUND";
constexpr std::string_view kOutboundDirection = "OUTBOUND";

constexpr std::string_view kHttpFormat =
    R"([%START_TIME%] %KUMA_MESH% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% )"
    R"(%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% )"
    R"("%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-B3-TRACEID?X-DATADOG-TRACEID)%" "%REQ(X-REQUEST-ID)%" )"
    R"("%REQ(:AUTHORITY)%" "%KUMA_SOURCE_SERVICE%" "%KUMA_DESTINATION_SERVICE%" )"
    R"("%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%" "%UPSTREAM_HOST%")";
constexpr std::string_view kTcpFormat =
    "[%START_TIME%] %RESPONSE_FLAGS% %KUMA_MESH% %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)->%UPSTREAM_HOST%"
    "(%KUMA_DESTINATION_SERVICE%) took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes";

AccessLog logger(std::string_view name, const google::protobuf::Message& config) {
  AccessLog log;
  log.set_name(std::string(name));
  pack(config, log.mutable_typed_config());
  return log;
}

// Collects the listeners of one proxy.
class Collector {
 public:
  Collector(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, ProxyResources& resources)
      : view_(view), dataplane_(dataplane), resources_(resources), own_service_(mesh::identifying_service(dataplane)) {}

  std::vector<LoggedListener> run() {
    for (const auto& inbound : dataplane_.resource->as<Dataplane>().networking().inbound()) {
      const std::string& address = inbound.address().empty() ? dataplane_.address : inbound.address();
      add_named(inbound_listener_name(address, inbound.port()), Origin::Inbound);
    }
    for (const ProxyOutbound& outbound : resources_.outbounds) {
      add_named(outbound_listener_name(outbound.address, outbound.port), Origin::Outbound);
    }
    for (Origin origin : {Origin::Transparent, Origin::DirectAccess, Origin::Gateway}) {
      for (auto& [name, draft] : resources_.listeners) {
        if (draft.origin == origin) {
          add(draft);
        }
      }
    }
    return std::move(listeners_);
  }

 private:
  void add_named(const std::string& name, Origin origin) {
    auto found = resources_.listeners.find(name);
    if (found != resources_.listeners.end() && found->second.origin == origin) {
      add(found->second);
    }
  }

  void add(ListenerDraft& draft) {
    LoggedListener listener{.draft = &draft, .service = draft.subject->service, .values = {}};
    model::AccessLogValues& values = listener.values;
    values = {view_.name, dataplane_.address, own_service_, listener.service, kOutboundDirection};
    if (draft.origin == Origin::Inbound) {
      listener.side = LoggedListener::Side::Inbound;
      values.source_service = "unknown";
      values.destination_service = own_service_;
      values.direction = kInboundDirection;
    } else if (draft.origin == Origin::Gateway) {
      listener.side = LoggedListener::Side::Gateway;
      values.destination_service = "*";
    } else if (draft.origin == Origin::Transparent) {
      if (!draft.name.starts_with(kOutboundPassthrough)) {
        return;
      }
      listener.service = kPassThroughService;
      values.destination_service = "external";
    } else if (draft.origin == Origin::DirectAccess) {
      listener.service = kPassThroughService;
      values.destination_service = fmt::format("direct_access_{}:{}", draft.subject->address, draft.subject->port);
    }
    listeners_.push_back(std::move(listener));
  }

  const mesh::MeshView& view_;
  const mesh::DataplaneView& dataplane_;
  ProxyResources& resources_;
  std::string own_service_;
  std::vector<LoggedListener> listeners_;
};

}  // namespace

std::string_view default_log_format(bool http) { return http ? kHttpFormat : kTcpFormat; }

std::vector<LoggedListener> logged_listeners(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                             ProxyResources& resources) {
  return Collector(view, dataplane, resources).run();
}

void add_log_values(const model::AccessLogValues& values, std::string_view format, PieceKey& key) {
  key.add(values.mesh).add(values.source_service).add(values.destination_service).add(values.direction);
  if (format.empty() || format.find(kSourceAddress) != std::string_view::npos) {
    key.add(values.source_address);
  }
}

absl::Status add_access_log(Listener& listener, absl::FunctionRef<absl::StatusOr<AccessLog>(bool http)> make) {
  KUMA_RETURN_IF_ERROR(edit_hcms(listener, [&](Hcm& hcm) {
    KUMA_ASSIGN_OR_RETURN(*hcm.add_access_log(), make(true));
    return absl::OkStatus();
  }));
  return edit_tcp_proxies(listener, [&](TcpProxy& proxy) {
    KUMA_ASSIGN_OR_RETURN(*proxy.add_access_log(), make(false));
    return absl::OkStatus();
  });
}

AccessLog text_file_log(std::string path, std::string line, bool omit_empty) {
  FileAccessLog config;
  config.set_path(std::move(path));
  line += '\n';
  config.mutable_log_format()->mutable_text_format_source()->set_inline_string(std::move(line));
  config.mutable_log_format()->set_omit_empty_values(omit_empty);
  return logger(kFileLogger, config);
}

AccessLog json_file_log(std::string path, google::protobuf::Struct format, bool omit_empty) {
  FileAccessLog config;
  config.set_path(std::move(path));
  *config.mutable_log_format()->mutable_json_format() = std::move(format);
  config.mutable_log_format()->set_omit_empty_values(omit_empty);
  return logger(kFileLogger, config);
}

AccessLog grpc_log(bool http, std::string_view address, const std::string& format) {
  CommonGrpcAccessLogConfig common;
  common.set_log_name(fmt::format("{};{}\n", address, format));
  common.mutable_grpc_service()->mutable_envoy_grpc()->set_cluster_name("access_log_sink");
  common.set_transport_api_version(ApiVersion::V3);
  model::AccessLogFields fields = model::access_log_fields(format);
  common.mutable_filter_state_objects_to_log()->Assign(fields.filter_state.begin(), fields.filter_state.end());
  if (!http) {
    TcpGrpcAccessLogConfig config;
    *config.mutable_common_config() = std::move(common);
    return logger("envoy.access_loggers.tcp_grpc", config);
  }
  HttpGrpcAccessLogConfig config;
  *config.mutable_common_config() = std::move(common);
  config.mutable_additional_request_headers_to_log()->Assign(fields.request_headers.begin(), fields.request_headers.end());
  config.mutable_additional_response_headers_to_log()->Assign(fields.response_headers.begin(),
                                                              fields.response_headers.end());
  config.mutable_additional_response_trailers_to_log()->Assign(fields.response_trailers.begin(),
                                                               fields.response_trailers.end());
  return logger("envoy.access_loggers.http_grpc", config);
}

}  // namespace kuma::policy::envoy
