#include "xds/bootstrap/envoy_config.h"

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::bootstrap {
namespace {

constexpr std::string_view kAdsCluster = "ads_cluster";
constexpr std::string_view kAccessLogCluster = "access_log_sink";
constexpr std::string_view kValidationSecret = "cp_validation_ctx";
constexpr size_t kSocketPathLenMax = 98;  // before `.sock`; the system's limit for a socket's path is 108

std::string type_url(std::string_view name) { return fmt::format("type.googleapis.com/{}", name); }

std::string socket_path(const std::string& given, std::string_view kind, const Request& request,
                        const EnvoySettings& settings) {
  if (!given.empty()) {
    return given;
  }
  return fmt::format("{}/kuma-{}-{}-{}", settings.temp_dir, kind, request.name, request.mesh)
             .substr(0, kSocketPathLenMax) +
         ".sock";
}

json::object inline_bytes(const std::string& text) { return {{"inlineBytes", base64_encode(text)}}; }

std::string_view type_name(ProxyType type) {
  switch (type) {
    case ProxyType::Dataplane:
      return "dataplane";
    case ProxyType::Ingress:
      return "ingress";
    case ProxyType::Egress:
      return "egress";
  }
  return "";
}

json::object build_metadata(const Request& request, const EnvoySettings& settings) {
  json::object metadata;
  metadata["version"] = request.version;
  metadata["features"] = json::array(request.features.begin(), request.features.end());
  metadata["accessLogSocketPath"] = socket_path(request.access_log_socket_path, "al", request, settings);
  metadata["metricsSocketPath"] = socket_path(request.metrics_socket_path, "mh", request, settings);
  metadata["metricsCertPath"] = request.metrics_cert_path;
  metadata["metricsKeyPath"] = request.metrics_key_path;
  if (!request.resource.empty()) {
    metadata["dataplane.resource"] = request.resource;
  }
  if (settings.admin_port != 0) {
    metadata["dataplane.admin.port"] = std::to_string(settings.admin_port);
    metadata["dataplane.admin.address"] = settings.admin_address;
  }
  const auto add_port = [&](std::string_view member, uint32_t port) {
    if (port != 0) {
      metadata[member] = std::to_string(port);
    }
  };
  add_port("dataplane.dns.port", request.dns_port);
  add_port("dataplane.dns.empty.port", request.empty_dns_port);
  add_port("dataplane.readinessReporter.port", request.readiness_port);
  metadata["dataplane.proxyType"] = type_name(settings.type);
  if (!request.dynamic_metadata.empty()) {
    json::object dynamic;
    for (const auto& [key, value] : request.dynamic_metadata) {
      dynamic[key] = value;
    }
    metadata["dynamicMetadata"] = std::move(dynamic);
  }
  return metadata;
}

json::object build_node(const Request& request, const EnvoySettings& settings) {
  const std::string mesh = settings.type == ProxyType::Dataplane ? request.mesh : std::string();
  return {{"id", fmt::format("{}.{}", mesh, request.name)},
          {"cluster", settings.service},
          {"metadata", build_metadata(request, settings)}};
}

json::object ads_source() {
  return {{"ads", json::object()}, {"initialFetchTimeout", "0s"}, {"resourceApiVersion", "V3"}};
}

json::object build_runtime(const EnvoySettings& settings) {
  json::array layers;
  layers.push_back({{"name", "kuma"},
                    {"staticLayer",
                     {{"re2.max_program_size.error_level", 4294967295U}, {"re2.max_program_size.warn_level", 1000}}}});
  if (settings.builtin_gateway) {
    layers.push_back(
        {{"name", "gateway"},
         {"staticLayer", {{"overload.global_downstream_max_connections", settings.gateway_connections_max}}}});
    layers.push_back({{"name", "gateway.listeners"},
                      {"rtdsLayer",
                       {{"name", "gateway.listeners"},
                        {"rtdsConfig", {{"ads", json::object()}, {"resourceApiVersion", "V3"}}}}}});
  }
  return {{"layers", std::move(layers)}};
}

json::object build_stats() {
  const std::pair<const char*, const char*> tags[] = {
      {"name", R"(^grpc\.((.+)\.))"},
      {"status", R"(^grpc.*streams_closed(_([0-9]+)))"},
      {"kafka_name", R"(^kafka(\.(\S*[0-9]))\.)"},
      {"kafka_type", R"(^kafka\..*\.(.*?(?=_duration|$)))"},
      {"worker", R"((worker_([0-9]+)\.))"},
      {"listener", R"(((.+?)\.)rbac\.)"},
  };
  json::array list;
  for (const auto& [name, regex] : tags) {
    list.push_back({{"tagName", name}, {"regex", regex}});
  }
  return {{"statsTags", std::move(list)}};
}

bool uses_google_grpc(const Request& request, const EnvoySettings& settings) {
  return settings.reloadable_tokens && !request.token_path.empty();
}

// The service by which Envoy reaches us. Google's client reads the token from its file again and again.
json::object build_grpc_service(const Request& request, const EnvoySettings& settings) {
  if (!uses_google_grpc(request, settings)) {
    json::object service{{"envoyGrpc", {{"clusterName", kAdsCluster}}}};
    if (!request.token.empty()) {
      service["initialMetadata"] = json::array{json::object{{"key", "authorization"}, {"value", request.token}}};
    }
    return service;
  }
  constexpr std::string_view kCredentials = "envoy.grpc_credentials.file_based_metadata";
  const json::object plugin{
      {"name", kCredentials},
      {"typedConfig",
       {{"@type", type_url("envoy.config.grpc_credential.v3.FileBasedMetadataConfig")},
        {"secretData", {{"filename", request.token_path}}}}}};
  return {{"googleGrpc",
           {{"targetUri", join_host_port(settings.xds_host, settings.xds_port)},
            {"statPrefix", "ads"},
            {"credentialsFactoryName", kCredentials},
            {"callCredentials", json::array{json::object{{"fromPlugin", plugin}}}},
            {"channelCredentials", {{"sslCredentials", {{"rootCerts", inline_bytes(settings.ca_pem)}}}}}}}};
}

json::object build_api_source(const Request& request, const EnvoySettings& settings) {
  return {{"apiType", "GRPC"},
          {"transportApiVersion", "V3"},
          {"setNodeOnFirstMessageOnly", true},
          {"grpcServices", json::array{build_grpc_service(request, settings)}}};
}

json::object build_admin(const Request& request, const EnvoySettings& settings) {
  std::string path = settings.admin_access_log_path;
  if (request.operating_system == "windows" && path == "/dev/null") {
    path = "NUL";
  }
  const json::object access_log{
      {"name", "envoy.access_loggers.file"},
      {"typedConfig",
       {{"@type", type_url("envoy.extensions.access_loggers.file.v3.FileAccessLog")}, {"path", path}}}};
  return {{"accessLog", json::array{access_log}},
          {"address", {{"socketAddress", {{"address", settings.admin_address}, {"portValue", settings.admin_port}}}}}};
}

json::object build_secret(const EnvoySettings& settings) {
  json::array names;
  for (const char* type : {"DNS", "IP_ADDRESS"}) {
    names.push_back({{"sanType", type}, {"matcher", {{"exact", settings.xds_host}}}});
  }
  return {{"name", kValidationSecret},
          {"validationContext",
           {{"matchTypedSubjectAltNames", std::move(names)}, {"trustedCa", inline_bytes(settings.ca_pem)}}}};
}

json::object build_cluster(std::string_view name, std::string_view type, json::object address,
                           const EnvoySettings& settings) {
  constexpr std::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  json::object endpoint{{"endpoint", {{"address", std::move(address)}}}};
  json::object assignment{{"clusterName", name},
                          {"endpoints", json::array{json::object{{"lbEndpoints", json::array{std::move(endpoint)}}}}}};
  return {{"name", name},
          {"type", type},
          {"connectTimeout", format_proto_duration(settings.xds_connect_timeout)},
          {"upstreamConnectionOptions",
           {{"tcpKeepalive", {{"keepaliveProbes", 3}, {"keepaliveTime", 10}, {"keepaliveInterval", 10}}}}},
          {"typedExtensionProtocolOptions",
           {{kHttpOptions,
             {{"@type", type_url(kHttpOptions)}, {"explicitHttpConfig", {{"http2ProtocolOptions", json::object()}}}}}}},
          {"loadAssignment", std::move(assignment)}};
}

json::object build_ads_cluster(const EnvoySettings& settings) {
  json::object cluster = build_cluster(
      kAdsCluster, is_ip_address(settings.xds_host) ? "STATIC" : "STRICT_DNS",
      {{"socketAddress", {{"address", settings.xds_host}, {"portValue", settings.xds_port}}}}, settings);
  if (settings.xds_host_is_ipv4_only) {
    cluster["dnsLookupFamily"] = "V4_ONLY";
  }
  cluster["transportSocket"] = {
      {"name", "envoy.transport_sockets.tls"},
      {"typedConfig",
       {{"@type", type_url("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext")},
        {"sni", settings.xds_host},
        {"commonTlsContext",
         {{"tlsParams", {{"tlsMinimumProtocolVersion", "TLSv1_2"}}},
          {"validationContextSdsSecretConfig", {{"name", kValidationSecret}}}}}}}};
  return cluster;
}

json::object build_static_resources(const Request& request, const EnvoySettings& settings) {
  json::array clusters;
  const std::string path = socket_path(request.access_log_socket_path, "al", request, settings);
  clusters.push_back(build_cluster(kAccessLogCluster, "STATIC", {{"pipe", {{"path", path}}}}, settings));
  if (!uses_google_grpc(request, settings)) {
    clusters.push_back(build_ads_cluster(settings));
  }
  return {{"secrets", json::array{build_secret(settings)}}, {"clusters", std::move(clusters)}};
}

json::object overload_action(std::string_view name, double threshold) {
  constexpr std::string_view kMonitor = "envoy.resource_monitors.fixed_heap";
  return {{"name", name},
          {"triggers", json::array{json::object{{"name", kMonitor}, {"threshold", {{"value", threshold}}}}}}};
}

json::object build_overload_manager(uint64_t heap_size_max) {
  const json::object monitor{
      {"name", "envoy.resource_monitors.fixed_heap"},
      {"typedConfig",
       {{"@type", type_url("envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig")},
        // A 64-bit number is a text in proto3's JSON.
        {"maxHeapSizeBytes", std::to_string(heap_size_max)}}}};
  return {{"refreshInterval", "0.250s"},
          {"resourceMonitors", json::array{monitor}},
          {"actions", json::array{overload_action("envoy.overload_actions.shrink_heap", 0.95),
                                  overload_action("envoy.overload_actions.stop_accepting_requests", 0.98)}}};
}

}  // namespace

json::object build_envoy_config(const Request& request, const EnvoySettings& settings) {
  json::object config;
  config["node"] = build_node(request, settings);
  config["layeredRuntime"] = build_runtime(settings);
  config["statsConfig"] = build_stats();
  config["dynamicResources"] = {{"ldsConfig", ads_source()},
                                {"cdsConfig", ads_source()},
                                {"adsConfig", build_api_source(request, settings)}};
  if (settings.hds_enabled && settings.type == ProxyType::Dataplane) {
    config["hdsConfig"] = build_api_source(request, settings);
  }
  if (settings.admin_port != 0) {
    config["admin"] = build_admin(request, settings);
  }
  if (settings.builtin_gateway && request.heap_size_max > 0) {
    config["overloadManager"] = build_overload_manager(request.heap_size_max);
  }
  config["staticResources"] = build_static_resources(request, settings);
  return config;
}

}  // namespace kuma::bootstrap
