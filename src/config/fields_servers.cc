#include "config/fields.h"

namespace kuma::config {
namespace {

void add_api_server(FieldList& list, ApiServer& api_server) {
  list.add("apiServer.readOnly", "KUMA_API_SERVER_READ_ONLY", &api_server.read_only);
  list.add("apiServer.bodySizeMax", "KUMA_API_SERVER_BODY_SIZE_MAX", &api_server.body_size_max);
  list.add("apiServer.corsAllowedDomains", "KUMA_API_SERVER_CORS_ALLOWED_DOMAINS", &api_server.cors_allowed_domains);
  list.add("apiServer.http.enabled", "KUMA_API_SERVER_HTTP_ENABLED", &api_server.http.enabled);
  list.add("apiServer.http.interface", "KUMA_API_SERVER_HTTP_INTERFACE", &api_server.http.interface);
  list.add("apiServer.http.port", "KUMA_API_SERVER_HTTP_PORT", &api_server.http.port);
  list.add("apiServer.https.enabled", "KUMA_API_SERVER_HTTPS_ENABLED", &api_server.https.enabled);
  list.add("apiServer.https.interface", "KUMA_API_SERVER_HTTPS_INTERFACE", &api_server.https.interface);
  list.add("apiServer.https.port", "KUMA_API_SERVER_HTTPS_PORT", &api_server.https.port);
  add_tls(list, "apiServer.https", "KUMA_API_SERVER_HTTPS_", api_server.https.tls);
  list.add("apiServer.https.requireClientCert", "KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT",
           &api_server.https.require_client_cert);
  list.add("apiServer.https.tlsCaFile", "KUMA_API_SERVER_HTTPS_TLS_CA_FILE", &api_server.https.tls_ca_file);
  list.add("apiServer.auth.clientCertsDir", "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR", &api_server.auth_client_certs_dir);
  list.add("apiServer.authn.type", "KUMA_API_SERVER_AUTHN_TYPE", &api_server.authn.type);
  list.add("apiServer.authn.localhostIsAdmin", "KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN",
           &api_server.authn.localhost_is_admin);
  list.add("apiServer.authn.tokens.bootstrapAdminToken", "KUMA_API_SERVER_AUTHN_TOKENS_BOOTSTRAP_ADMIN_TOKEN",
           &api_server.authn.bootstrap_admin_token);
  list.add("apiServer.authn.tokens.enableIssuer", "KUMA_API_SERVER_AUTHN_TOKENS_ENABLE_ISSUER",
           &api_server.authn.tokens.enable_issuer);
  list.add("apiServer.authn.tokens.validator.useSecrets", "KUMA_API_SERVER_AUTHN_TOKENS_VALIDATOR_USE_SECRETS",
           &api_server.authn.tokens.validator_use_secrets);
  list.add("apiServer.authn.tokens.validator.publicKeys", "", &api_server.authn.tokens.validator_public_keys);
  list.add("apiServer.basePath", "KUMA_API_SERVER_BASE_PATH", &api_server.base_path);
  list.add("apiServer.rootUrl", "KUMA_API_SERVER_ROOT_URL", &api_server.root_url);
  list.add("apiServer.gui.enabled", "KUMA_API_SERVER_GUI_ENABLED", &api_server.gui.enabled);
  list.add("apiServer.gui.rootUrl", "KUMA_API_SERVER_GUI_ROOT_URL", &api_server.gui.root_url);
  list.add("apiServer.gui.basePath", "KUMA_API_SERVER_GUI_BASE_PATH", &api_server.gui.base_path);
}

void add_bootstrap_server(FieldList& list, BootstrapServer& bootstrap_server) {
  list.add("bootstrapServer.params.adminAddress", "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ADDRESS",
           &bootstrap_server.admin_address);
  list.add("bootstrapServer.params.adminPort", "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_PORT", &bootstrap_server.admin_port);
  list.add("bootstrapServer.params.adminAccessLogPath", "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ACCESS_LOG_PATH",
           &bootstrap_server.admin_access_log_path);
  list.add("bootstrapServer.params.xdsHost", "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST", &bootstrap_server.xds_host);
  list.add("bootstrapServer.params.xdsPort", "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_PORT", &bootstrap_server.xds_port);
  list.add("bootstrapServer.params.xdsConnectTimeout", "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_CONNECT_TIMEOUT",
           &bootstrap_server.xds_connect_timeout);
}

void add_xds_server(FieldList& list, XdsServer& xds_server) {
  list.add("xdsServer.dataplaneConfigurationRefreshInterval",
           "KUMA_XDS_SERVER_DATAPLANE_CONFIGURATION_REFRESH_INTERVAL",
           &xds_server.dataplane_configuration_refresh_interval);
  list.add("xdsServer.dataplaneStatusFlushInterval", "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL",
           &xds_server.dataplane_status_flush_interval);
  list.add("xdsServer.dataplaneDeregistrationDelay", "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY",
           &xds_server.dataplane_deregistration_delay);
  list.add("xdsServer.nackBackoff", "KUMA_XDS_SERVER_NACK_BACKOFF", &xds_server.nack_backoff);
}

void add_monitoring_assignment_server(FieldList& list, MonitoringAssignmentServer& monitoring_assignment_server) {
  list.add("monitoringAssignmentServer.port", "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT",
           &monitoring_assignment_server.port);
  list.add("monitoringAssignmentServer.defaultFetchTimeout", "KUMA_MONITORING_ASSIGNMENT_SERVER_DEFAULT_FETCH_TIMEOUT",
           &monitoring_assignment_server.default_fetch_timeout);
  list.add("monitoringAssignmentServer.apiVersions", "KUMA_MONITORING_ASSIGNMENT_SERVER_API_VERSIONS",
           &monitoring_assignment_server.api_versions);
  list.add("monitoringAssignmentServer.assignmentRefreshInterval",
           "KUMA_MONITORING_ASSIGNMENT_SERVER_ASSIGNMENT_REFRESH_INTERVAL",
           &monitoring_assignment_server.assignment_refresh_interval);
  list.add("monitoringAssignmentServer.tlsEnabled", "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_ENABLED",
           &monitoring_assignment_server.tls_enabled);
  add_tls(list, "monitoringAssignmentServer", "KUMA_MONITORING_ASSIGNMENT_SERVER_", monitoring_assignment_server.tls);
}

void add_diagnostics(FieldList& list, Diagnostics& diagnostics) {
  list.add("diagnostics.serverPort", "KUMA_DIAGNOSTICS_SERVER_PORT", &diagnostics.server_port);
  list.add("diagnostics.debugEndpoints", "KUMA_DIAGNOSTICS_DEBUG_ENDPOINTS", &diagnostics.debug_endpoints);
  list.add("diagnostics.tlsEnabled", "KUMA_DIAGNOSTICS_TLS_ENABLED", &diagnostics.tls_enabled);
  add_tls(list, "diagnostics", "KUMA_DIAGNOSTICS_", diagnostics.tls);
}

void add_dp_server(FieldList& list, DpServer& dp_server) {
  list.add("dpServer.port", "KUMA_DP_SERVER_PORT", &dp_server.port);
  add_tls(list, "dpServer", "KUMA_DP_SERVER_", dp_server.tls);
  list.add("dpServer.readHeaderTimeout", "KUMA_DP_SERVER_READ_HEADER_TIMEOUT", &dp_server.read_header_timeout);
  list.add("dpServer.auth.type", "KUMA_DP_SERVER_AUTH_TYPE", &dp_server.auth.type);
  list.add("dpServer.auth.useTokenPath", "KUMA_DP_SERVER_AUTH_USE_TOKEN_PATH", &dp_server.auth.use_token_path);
  list.add("dpServer.authn.dpProxy.type", "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE", &dp_server.authn.dp_proxy.type);
  list.add("dpServer.authn.dpProxy.dpToken.enableIssuer", "KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_ENABLE_ISSUER",
           &dp_server.authn.dp_proxy.token.enable_issuer);
  list.add("dpServer.authn.dpProxy.dpToken.validator.useSecrets",
           "KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_VALIDATOR_USE_SECRETS",
           &dp_server.authn.dp_proxy.token.validator_use_secrets);
  list.add("dpServer.authn.dpProxy.dpToken.validator.publicKeys", "",
           &dp_server.authn.dp_proxy.token.validator_public_keys);
  list.add("dpServer.authn.zoneProxy.type", "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_TYPE", &dp_server.authn.zone_proxy.type);
  list.add("dpServer.authn.zoneProxy.zoneToken.enableIssuer",
           "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_ENABLE_ISSUER", &dp_server.authn.zone_proxy.token.enable_issuer);
  list.add("dpServer.authn.zoneProxy.zoneToken.validator.useSecrets",
           "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_VALIDATOR_USE_SECRETS",
           &dp_server.authn.zone_proxy.token.validator_use_secrets);
  list.add("dpServer.authn.zoneProxy.zoneToken.validator.publicKeys", "",
           &dp_server.authn.zone_proxy.token.validator_public_keys);
  list.add("dpServer.authn.enableReloadableTokens", "KUMA_DP_SERVER_AUTHN_ENABLE_RELOADABLE_TOKENS",
           &dp_server.authn.enable_reloadable_tokens);
  list.add("dpServer.hds.enabled", "KUMA_DP_SERVER_HDS_ENABLED", &dp_server.hds.enabled);
  list.add("dpServer.hds.interval", "KUMA_DP_SERVER_HDS_INTERVAL", &dp_server.hds.interval);
  list.add("dpServer.hds.refreshInterval", "KUMA_DP_SERVER_HDS_REFRESH_INTERVAL", &dp_server.hds.refresh_interval);
  list.add("dpServer.hds.checkDefaults.timeout", "KUMA_DP_SERVER_HDS_CHECK_TIMEOUT",
           &dp_server.hds.check_defaults.timeout);
  list.add("dpServer.hds.checkDefaults.interval", "KUMA_DP_SERVER_HDS_CHECK_INTERVAL",
           &dp_server.hds.check_defaults.interval);
  list.add("dpServer.hds.checkDefaults.noTrafficInterval", "KUMA_DP_SERVER_HDS_CHECK_NO_TRAFFIC_INTERVAL",
           &dp_server.hds.check_defaults.no_traffic_interval);
  list.add("dpServer.hds.checkDefaults.healthyThreshold", "KUMA_DP_SERVER_HDS_CHECK_HEALTHY_THRESHOLD",
           &dp_server.hds.check_defaults.healthy_threshold);
  list.add("dpServer.hds.checkDefaults.unhealthyThreshold", "KUMA_DP_SERVER_HDS_CHECK_UNHEALTHY_THRESHOLD",
           &dp_server.hds.check_defaults.unhealthy_threshold);
}

void add_inter_cp(FieldList& list, InterCp& inter_cp) {
  list.add("interCp.catalog.instanceAddress", "KUMA_INTER_CP_CATALOG_INSTANCE_ADDRESS", &inter_cp.instance_address);
  list.add("interCp.catalog.heartbeatInterval", "KUMA_INTER_CP_CATALOG_HEARTBEAT_INTERVAL",
           &inter_cp.heartbeat_interval);
  list.add("interCp.catalog.writerInterval", "KUMA_INTER_CP_CATALOG_WRITER_INTERVAL", &inter_cp.writer_interval);
  list.add("interCp.server.port", "KUMA_INTER_CP_SERVER_PORT", &inter_cp.port);
  add_tls_versions(list, "interCp.server", "KUMA_INTER_CP_SERVER_", inter_cp.tls);
}

void add_multizone(FieldList& list, Config::Multizone& multizone) {
  list.add("multizone.global.kds.grpcPort", "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT", &multizone.global.grpc_port);
  list.add("multizone.global.kds.refreshInterval", "KUMA_MULTIZONE_GLOBAL_KDS_REFRESH_INTERVAL",
           &multizone.global.refresh_interval);
  list.add("multizone.global.kds.zoneInsightFlushInterval", "KUMA_MULTIZONE_GLOBAL_KDS_ZONE_INSIGHT_FLUSH_INTERVAL",
           &multizone.global.zone_insight_flush_interval);
  list.add("multizone.global.kds.tlsEnabled", "KUMA_MULTIZONE_GLOBAL_KDS_TLS_ENABLED", &multizone.global.tls_enabled);
  add_tls(list, "multizone.global.kds", "KUMA_MULTIZONE_GLOBAL_KDS_", multizone.global.tls);
  list.add("multizone.global.kds.maxMsgSize", "KUMA_MULTIZONE_GLOBAL_KDS_MAX_MSG_SIZE", &multizone.global.max_msg_size);
  list.add("multizone.global.kds.msgSendTimeout", "KUMA_MULTIZONE_GLOBAL_KDS_MSG_SEND_TIMEOUT",
           &multizone.global.msg_send_timeout);
  list.add("multizone.global.kds.nackBackoff", "KUMA_MULTIZONE_GLOBAL_KDS_NACK_BACKOFF",
           &multizone.global.nack_backoff);
  list.add("multizone.global.kds.disableSOTW", "KUMA_MULTIZONE_GLOBAL_KDS_DISABLE_SOTW",
           &multizone.global.disable_sotw);
  list.add("multizone.global.kds.responseBackoff", "KUMA_MULTIZONE_GLOBAL_KDS_RESPONSE_BACKOFF",
           &multizone.global.response_backoff);
  list.add("multizone.global.kds.zoneHealthCheck.pollInterval",
           "KUMA_MULTIZONE_GLOBAL_KDS_ZONE_HEALTH_CHECK_POLL_INTERVAL",
           &multizone.global.zone_health_check.poll_interval);
  list.add("multizone.global.kds.zoneHealthCheck.timeout", "KUMA_MULTIZONE_GLOBAL_KDS_ZONE_HEALTH_CHECK_TIMEOUT",
           &multizone.global.zone_health_check.timeout);
  list.add("multizone.global.kds.auth.type", "KUMA_MULTIZONE_GLOBAL_KDS_AUTH_TYPE", &multizone.global.auth_type);
  list.add("multizone.zone.name", "KUMA_MULTIZONE_ZONE_NAME", &multizone.zone.name);
  list.add("multizone.zone.globalAddress", "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS", &multizone.zone.global_address);
  list.add("multizone.zone.kds.refreshInterval", "KUMA_MULTIZONE_ZONE_KDS_REFRESH_INTERVAL",
           &multizone.zone.refresh_interval);
  list.add("multizone.zone.kds.tlsSkipVerify", "KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY",
           &multizone.zone.tls_skip_verify);
  list.add("multizone.zone.kds.rootCaFile", "KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE", &multizone.zone.root_ca_file);
  list.add("multizone.zone.kds.maxMsgSize", "KUMA_MULTIZONE_ZONE_KDS_MAX_MSG_SIZE", &multizone.zone.max_msg_size);
  list.add("multizone.zone.kds.msgSendTimeout", "KUMA_MULTIZONE_ZONE_KDS_MSG_SEND_TIMEOUT",
           &multizone.zone.msg_send_timeout);
  list.add("multizone.zone.kds.nackBackoff", "KUMA_MULTIZONE_ZONE_KDS_NACK_BACKOFF", &multizone.zone.nack_backoff);
  list.add("multizone.zone.kds.responseBackoff", "KUMA_MULTIZONE_ZONE_KDS_RESPONSE_BACKOFF",
           &multizone.zone.response_backoff);
  list.add("multizone.zone.kds.auth.cpTokenPath", "KUMA_MULTIZONE_ZONE_KDS_AUTH_CP_TOKEN_PATH", &multizone.zone.auth_cp_token_path);
}

}  // namespace

// What kuma-cp listens on and dials.
void add_server_fields(FieldList& list, Config& config) {
  add_api_server(list, config.api_server);
  add_bootstrap_server(list, config.bootstrap_server);
  add_xds_server(list, config.xds_server);
  add_monitoring_assignment_server(list, config.monitoring_assignment_server);
  add_diagnostics(list, config.diagnostics);
  add_dp_server(list, config.dp_server);
  add_inter_cp(list, config.inter_cp);
  add_multizone(list, config.multizone);
}

}  // namespace kuma::config
