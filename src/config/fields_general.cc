#include "config/fields.h"

namespace kuma::config {
namespace {

void add_general(FieldList& list, General& general) {
  list.add("general.dnsCacheTTL", "KUMA_GENERAL_DNS_CACHE_TTL", &general.dns_cache_ttl);
  add_tls(list, "general", "KUMA_GENERAL_", general.tls);
  list.add("general.workDir", "KUMA_GENERAL_WORK_DIR", &general.work_dir);
}

void add_store(FieldList& list, StoreSettings& store) {
  list.add("store.type", "KUMA_STORE_TYPE", &store.type);
  list.add("store.sqlite.path", "KUMA_STORE_SQLITE_PATH", &store.sqlite.path);
  list.add("store.postgres.host", "KUMA_STORE_POSTGRES_HOST", &store.postgres.host);
  list.add("store.postgres.port", "KUMA_STORE_POSTGRES_PORT", &store.postgres.port);
  list.add("store.postgres.user", "KUMA_STORE_POSTGRES_USER", &store.postgres.user);
  list.add("store.postgres.password", "KUMA_STORE_POSTGRES_PASSWORD", &store.postgres.password).mark_secret();
  list.add("store.postgres.dbName", "KUMA_STORE_POSTGRES_DB_NAME", &store.postgres.db_name);
  list.add("store.postgres.driverName", "KUMA_STORE_POSTGRES_DRIVER_NAME", &store.postgres.driver_name);
  list.add("store.postgres.connectionTimeout", "KUMA_STORE_POSTGRES_CONNECTION_TIMEOUT",
           &store.postgres.connection_timeout);
  list.add("store.postgres.maxConnectionLifetime", "KUMA_STORE_POSTGRES_MAX_CONNECTION_LIFETIME",
           &store.postgres.max_connection_lifetime);
  list.add("store.postgres.maxConnectionLifetimeJitter", "KUMA_STORE_POSTGRES_MAX_CONNECTION_LIFETIME_JITTER",
           &store.postgres.max_connection_lifetime_jitter);
  list.add("store.postgres.healthCheckInterval", "KUMA_STORE_POSTGRES_HEALTH_CHECK_INTERVAL",
           &store.postgres.health_check_interval);
  list.add("store.postgres.minOpenConnections", "KUMA_STORE_POSTGRES_MIN_OPEN_CONNECTIONS",
           &store.postgres.min_open_connections);
  list.add("store.postgres.maxOpenConnections", "KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS",
           &store.postgres.max_open_connections);
  list.add("store.postgres.maxIdleConnections", "KUMA_STORE_POSTGRES_MAX_IDLE_CONNECTIONS",
           &store.postgres.max_idle_connections);
  list.add("store.postgres.tls.mode", "KUMA_STORE_POSTGRES_TLS_MODE", &store.postgres.tls.mode);
  list.add("store.postgres.tls.certPath", "KUMA_STORE_POSTGRES_TLS_CERT_PATH", &store.postgres.tls.cert_path);
  list.add("store.postgres.tls.keyPath", "KUMA_STORE_POSTGRES_TLS_KEY_PATH", &store.postgres.tls.key_path);
  list.add("store.postgres.tls.caPath", "KUMA_STORE_POSTGRES_TLS_CA_PATH", &store.postgres.tls.ca_path);
  list.add("store.postgres.tls.disableSSLSNI", "KUMA_STORE_POSTGRES_TLS_DISABLE_SSLSNI",
           &store.postgres.tls.disable_ssl_sni);
  list.add("store.postgres.minReconnectInterval", "KUMA_STORE_POSTGRES_MIN_RECONNECT_INTERVAL",
           &store.postgres.min_reconnect_interval);
  list.add("store.postgres.maxReconnectInterval", "KUMA_STORE_POSTGRES_MAX_RECONNECT_INTERVAL",
           &store.postgres.max_reconnect_interval);
  list.add("store.postgres.maxListQueryElements", "KUMA_STORE_POSTGRES_MAX_LIST_QUERY_ELEMENTS",
           &store.postgres.max_list_query_elements);
  list.add("store.postgres.readReplica.host", "KUMA_STORE_POSTGRES_READ_REPLICA_HOST",
           &store.postgres.read_replica.host);
  list.add("store.postgres.readReplica.port", "KUMA_STORE_POSTGRES_READ_REPLICA_PORT",
           &store.postgres.read_replica.port);
  list.add("store.postgres.readReplica.ratio", "KUMA_STORE_POSTGRES_READ_REPLICA_RATIO",
           &store.postgres.read_replica.ratio);
  list.add("store.kubernetes.systemNamespace", "KUMA_STORE_KUBERNETES_SYSTEM_NAMESPACE",
           &store.kubernetes.system_namespace);
  list.add("store.cache.enabled", "KUMA_STORE_CACHE_ENABLED", &store.cache.enabled);
  list.add("store.cache.expirationTime", "KUMA_STORE_CACHE_EXPIRATION_TIME", &store.cache.expiration_time);
  list.add("store.upsert.conflictRetryBaseBackoff", "KUMA_STORE_UPSERT_CONFLICT_RETRY_BASE_BACKOFF",
           &store.upsert.conflict_retry_base_backoff);
  list.add("store.upsert.conflictRetryMaxTimes", "KUMA_STORE_UPSERT_CONFLICT_RETRY_MAX_TIMES",
           &store.upsert.conflict_retry_max_times);
  list.add("store.upsert.conflictRetryJitterPercent", "KUMA_STORE_UPSERT_CONFLICT_RETRY_JITTER_PERCENT",
           &store.upsert.conflict_retry_jitter_percent);
  list.add("store.unsafeDelete", "KUMA_STORE_UNSAFE_DELETE", &store.unsafe_delete);
}

void add_defaults(FieldList& list, Defaults& defaults) {
  list.add("defaults.skipMeshCreation", "KUMA_DEFAULTS_SKIP_MESH_CREATION", &defaults.skip_mesh_creation);
  list.add("defaults.skipTenantResources", "KUMA_DEFAULTS_SKIP_TENANT_RESOURCES", &defaults.skip_tenant_resources);
}

void add_metrics(FieldList& list, MetricsSettings& metrics) {
  list.add("metrics.dataplane.subscriptionLimit", "KUMA_METRICS_DATAPLANE_SUBSCRIPTION_LIMIT",
           &metrics.dataplane.subscription_limit);
  list.add("metrics.dataplane.idleTimeout", "KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT", &metrics.dataplane.idle_timeout);
  list.add("metrics.zone.subscriptionLimit", "KUMA_METRICS_ZONE_SUBSCRIPTION_LIMIT", &metrics.zone.subscription_limit);
  list.add("metrics.zone.idleTimeout", "KUMA_METRICS_ZONE_IDLE_TIMEOUT", &metrics.zone.idle_timeout);
  list.add("metrics.zone.compactFinishedSubscriptions", "KUMA_METRICS_ZONE_COMPACT_FINISHED_SUBSCRIPTIONS",
           &metrics.zone.compact_finished_subscriptions);
  list.add("metrics.mesh.minResyncTimeout", "KUMA_METRICS_MESH_MIN_RESYNC_TIMEOUT", &metrics.mesh.min_resync_timeout);
  list.add("metrics.mesh.maxResyncTimeout", "KUMA_METRICS_MESH_MAX_RESYNC_TIMEOUT", &metrics.mesh.max_resync_timeout);
  list.add("metrics.mesh.bufferSize", "KUMA_METRICS_MESH_BUFFER_SIZE", &metrics.mesh.buffer_size);
  list.add("metrics.mesh.minResyncInterval", "KUMA_METRICS_MESH_MIN_RESYNC_INTERVAL",
           &metrics.mesh.min_resync_interval);
  list.add("metrics.mesh.fullResyncInterval", "KUMA_METRICS_MESH_FULL_RESYNC_INTERVAL",
           &metrics.mesh.full_resync_interval);
  list.add("metrics.mesh.eventProcessors", "KUMA_METRICS_MESH_EVENT_PROCESSORS", &metrics.mesh.event_processors);
  list.add("metrics.controlPlane.reportResourcesCount", "KUMA_METRICS_CONTROL_PLANE_REPORT_RESOURCES_COUNT",
           &metrics.control_plane_report_resources_count);
}

void add_dns_server(FieldList& list, DnsServer& dns_server) {
  list.add("dnsServer.domain", "KUMA_DNS_SERVER_DOMAIN", &dns_server.domain);
  list.add("dnsServer.CIDR", "KUMA_DNS_SERVER_CIDR", &dns_server.cidr);
  list.add("dnsServer.serviceVipEnabled", "KUMA_DNS_SERVER_SERVICE_VIP_ENABLED", &dns_server.service_vip_enabled);
  list.add("dnsServer.serviceVipPort", "KUMA_DNS_SERVER_SERVICE_VIP_PORT", &dns_server.service_vip_port);
}

void add_access(FieldList& list, Access& access) {
  list.add("access.type", "KUMA_ACCESS_TYPE", &access.type);
  list.add("access.static.adminResources.users", "KUMA_ACCESS_STATIC_ADMIN_RESOURCES_USERS",
           &access.admin_resources.users);
  list.add("access.static.adminResources.groups", "KUMA_ACCESS_STATIC_ADMIN_RESOURCES_GROUPS",
           &access.admin_resources.groups);
  list.add("access.static.generateDpToken.users", "KUMA_ACCESS_STATIC_GENERATE_DP_TOKEN_USERS",
           &access.generate_dp_token.users);
  list.add("access.static.generateDpToken.groups", "KUMA_ACCESS_STATIC_GENERATE_DP_TOKEN_GROUPS",
           &access.generate_dp_token.groups);
  list.add("access.static.generateUserToken.users", "KUMA_ACCESS_STATIC_GENERATE_USER_TOKEN_USERS",
           &access.generate_user_token.users);
  list.add("access.static.generateUserToken.groups", "KUMA_ACCESS_STATIC_GENERATE_USER_TOKEN_GROUPS",
           &access.generate_user_token.groups);
  list.add("access.static.generateZoneToken.users", "KUMA_ACCESS_STATIC_GENERATE_ZONE_TOKEN_USERS",
           &access.generate_zone_token.users);
  list.add("access.static.generateZoneToken.groups", "KUMA_ACCESS_STATIC_GENERATE_ZONE_TOKEN_GROUPS",
           &access.generate_zone_token.groups);
  list.add("access.static.viewConfigDump.users", "KUMA_ACCESS_STATIC_GET_CONFIG_DUMP_USERS",
           &access.view_config_dump.users);
  list.add("access.static.viewConfigDump.groups", "KUMA_ACCESS_STATIC_GET_CONFIG_DUMP_GROUPS",
           &access.view_config_dump.groups);
  list.add("access.static.viewStats.users", "KUMA_ACCESS_STATIC_VIEW_STATS_USERS", &access.view_stats.users);
  list.add("access.static.viewStats.groups", "KUMA_ACCESS_STATIC_VIEW_STATS_GROUPS", &access.view_stats.groups);
  list.add("access.static.viewClusters.users", "KUMA_ACCESS_STATIC_VIEW_CLUSTERS_USERS", &access.view_clusters.users);
  list.add("access.static.viewClusters.groups", "KUMA_ACCESS_STATIC_VIEW_CLUSTERS_GROUPS",
           &access.view_clusters.groups);
}

void add_experimental(FieldList& list, Experimental& experimental) {
  list.add("experimental.gatewayAPI", "KUMA_EXPERIMENTAL_GATEWAY_API", &experimental.gateway_api);
  list.add("experimental.kubeOutboundsAsVIPs", "KUMA_EXPERIMENTAL_KUBE_OUTBOUNDS_AS_VIPS",
           &experimental.kube_outbounds_as_vips);
  list.add("experimental.kdsDeltaEnabled", "KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED", &experimental.kds_delta_enabled);
  list.add("experimental.useTagFirstVirtualOutboundModel", "KUMA_EXPERIMENTAL_USE_TAG_FIRST_VIRTUAL_OUTBOUND_MODEL",
           &experimental.use_tag_first_virtual_outbound_model);
  list.add("experimental.ingressTagFilters", "KUMA_EXPERIMENTAL_INGRESS_TAG_FILTERS",
           &experimental.ingress_tag_filters);
  list.add("experimental.kdsEventBasedWatchdog.enabled", "KUMA_EXPERIMENTAL_KDS_EVENT_BASED_WATCHDOG_ENABLED",
           &experimental.kds_event_based_watchdog.enabled);
  list.add("experimental.kdsEventBasedWatchdog.flushInterval",
           "KUMA_EXPERIMENTAL_KDS_EVENT_BASED_WATCHDOG_FLUSH_INTERVAL",
           &experimental.kds_event_based_watchdog.flush_interval);
  list.add("experimental.kdsEventBasedWatchdog.fullResyncInterval",
           "KUMA_EXPERIMENTAL_KDS_EVENT_BASED_WATCHDOG_FULL_RESYNC_INTERVAL",
           &experimental.kds_event_based_watchdog.full_resync_interval);
  list.add("experimental.kdsEventBasedWatchdog.delayFullResync",
           "KUMA_EXPERIMENTAL_KDS_EVENT_BASED_WATCHDOG_DELAY_FULL_RESYNC",
           &experimental.kds_event_based_watchdog.delay_full_resync);
  list.add("experimental.autoReachableServices", "KUMA_EXPERIMENTAL_AUTO_REACHABLE_SERVICES",
           &experimental.auto_reachable_services);
  list.add("experimental.kdsSyncNameWithHashSuffix", "KUMA_EXPERIMENTAL_KDS_SYNC_NAME_WITH_HASH_SUFFIX",
           &experimental.kds_sync_name_with_hash_suffix);
}

void add_tracing(FieldList& list, Tracing& tracing) {
  list.add("tracing.openTelemetry.enabled", "KUMA_TRACING_OPENTELEMETRY_ENABLED", &tracing.open_telemetry_enabled);
  list.add("tracing.openTelemetry.endpoint", "KUMA_TRACING_OPENTELEMETRY_ENDPOINT", &tracing.open_telemetry_endpoint);
}

}  // namespace

// All settings but those of servers and of the platform.
void add_general_fields(FieldList& list, Config& config) {
  add_general(list, config.general);
  list.add("environment", "KUMA_ENVIRONMENT", &config.environment);
  list.add("mode", "KUMA_MODE", &config.mode);
  add_store(list, config.store);
  add_defaults(list, config.defaults);
  add_metrics(list, config.metrics);
  list.add("reports.enabled", "KUMA_REPORTS_ENABLED", &config.reports_enabled);
  add_dns_server(list, config.dns_server);
  add_access(list, config.access);
  add_experimental(list, config.experimental);
  list.add("proxy.gateway.globalDownstreamMaxConnections", "KUMA_PROXY_GATEWAY_GLOBAL_DOWNSTREAM_MAX_CONNECTIONS",
           &config.proxy_gateway_global_downstream_max_connections);
  add_tracing(list, config.tracing);
  list.add("eventBus.bufferSize", "KUMA_EVENT_BUS_BUFFER_SIZE", &config.event_bus_buffer_size);
}

}  // namespace kuma::config
