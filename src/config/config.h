#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/kubernetes_config.h"

namespace kuma::config {

// All settings of kuma-cp as plain data with their defaults, one struct a section of the YAML file. Names follow the
// YAML keys; which key and which environment variable sets a member is in the tables (fields_*.cc). load_config() makes
// one.

// A public key that verifies tokens: exactly one of `key_file` and `key` is set. Empty mesh: all meshes.
struct PublicKey {
  std::string kid;
  std::string mesh;
  std::string key_file;
  std::string key;
  bool operator==(const PublicKey&) const = default;
};

// How a server speaks TLS. After loading the files are never empty where the server has files at all.
struct TlsServer {
  std::string cert_file;
  std::string key_file;
  std::string min_version = "TLSv1_2";
  std::string max_version;
  std::vector<std::string> cipher_suites;
};

struct TokenIssuer {
  bool enable_issuer = true;
  bool validator_use_secrets = true;
  std::vector<PublicKey> validator_public_keys;
};

struct AccessList {
  std::vector<std::string> users;
  std::vector<std::string> groups;
};

struct General {
  std::chrono::nanoseconds dns_cache_ttl = std::chrono::seconds(10);
  TlsServer tls;  // what servers without files of their own use
  std::string work_dir;
};

struct PostgresStore {
  std::string host = "127.0.0.1";
  int32_t port = 15432;
  std::string user = "kuma";
  std::string password = "kuma";
  std::string db_name = "kuma";
  std::string driver_name = "pgx";
  int32_t connection_timeout = 5;  // seconds
  std::chrono::nanoseconds max_connection_lifetime = std::chrono::hours(1);
  std::chrono::nanoseconds max_connection_lifetime_jitter = std::chrono::minutes(1);
  std::chrono::nanoseconds health_check_interval = std::chrono::seconds(30);
  int32_t min_open_connections = 0;
  int32_t max_open_connections = 50;  // 0: no limit
  int32_t max_idle_connections = 50;
  struct Tls {
    std::string mode = "disable";
    std::string cert_path;
    std::string key_path;
    std::string ca_path;
    bool disable_ssl_sni = false;
  } tls;
  std::chrono::nanoseconds min_reconnect_interval = std::chrono::seconds(10);
  std::chrono::nanoseconds max_reconnect_interval = std::chrono::minutes(1);
  int32_t max_list_query_elements = 0;
  struct ReadReplica {
    std::string host;
    int32_t port = 5432;
    int32_t ratio = 100;
  } read_replica;
};

struct StoreSettings {
  std::string type = "sqlite";  // memory, sqlite, postgres, kubernetes
  struct Sqlite {
    std::string path;  // after loading never empty with type sqlite: a file in the work dir, one for each mode and zone
  } sqlite;
  PostgresStore postgres;
  struct Kubernetes {
    std::string system_namespace = "kuma-system";
  } kubernetes;
  struct Cache {
    bool enabled = true;
    std::chrono::nanoseconds expiration_time = std::chrono::seconds(1);
  } cache;
  struct Upsert {
    std::chrono::nanoseconds conflict_retry_base_backoff = std::chrono::milliseconds(200);
    int32_t conflict_retry_max_times = 10;
    int32_t conflict_retry_jitter_percent = 30;
  } upsert;
  bool unsafe_delete = false;
};

struct BootstrapServer {
  std::string admin_address = "127.0.0.1";
  uint32_t admin_port = 9901;
  std::string admin_access_log_path = "/dev/null";
  std::string xds_host;   // empty: the host by which the proxy came
  uint32_t xds_port = 0;  // after loading never 0
  std::chrono::nanoseconds xds_connect_timeout = std::chrono::seconds(1);
};

struct XdsServer {
  std::chrono::nanoseconds dataplane_configuration_refresh_interval = std::chrono::seconds(1);
  std::chrono::nanoseconds dataplane_status_flush_interval = std::chrono::seconds(10);
  std::chrono::nanoseconds dataplane_deregistration_delay = std::chrono::seconds(10);
  std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
};

struct MonitoringAssignmentServer {
  uint32_t port = 5676;
  std::chrono::nanoseconds default_fetch_timeout = std::chrono::seconds(30);
  std::vector<std::string> api_versions{"v1"};
  std::chrono::nanoseconds assignment_refresh_interval = std::chrono::seconds(1);
  bool tls_enabled = false;
  TlsServer tls;
};

struct ApiServer {
  bool read_only = false;
  uint32_t body_size_max = 32 * 1024 * 1024;  // bytes of a request's body; a larger one is refused with 413
  // Nobody by default: together with localhost_is_admin, any page in an operator's browser could act as administrator.
  std::vector<std::string> cors_allowed_domains;
  struct Http {
    bool enabled = true;
    std::string interface = "0.0.0.0";
    uint32_t port = 5681;
  } http;
  struct Https {
    bool enabled = true;
    std::string interface = "0.0.0.0";
    uint32_t port = 5682;
    TlsServer tls;
    bool require_client_cert = false;
    std::string tls_ca_file;
  } https;
  std::string auth_client_certs_dir;
  struct Authn {
    std::string type = "tokens";  // tokens, adminClientCerts
    bool localhost_is_admin = true;
    bool bootstrap_admin_token = true;
    TokenIssuer tokens;
  } authn;
  std::string base_path = "/";
  std::string root_url;
  struct Gui {
    bool enabled = true;
    std::string root_url;
    std::string base_path = "/gui";
  } gui;
};

struct Runtime {
  KubernetesRuntime kubernetes;
  struct Universal {
    std::chrono::nanoseconds dataplane_cleanup_age = std::chrono::hours(72);
  } universal;
};

struct Defaults {
  bool skip_mesh_creation = false;
  bool skip_tenant_resources = false;
};

struct MetricsSettings {
  struct Dataplane {
    int32_t subscription_limit = 2;
    std::chrono::nanoseconds idle_timeout = std::chrono::minutes(5);
  } dataplane;
  struct Zone {
    int32_t subscription_limit = 10;
    std::chrono::nanoseconds idle_timeout = std::chrono::minutes(5);
    bool compact_finished_subscriptions = false;
  } zone;
  struct Mesh {
    std::chrono::nanoseconds min_resync_timeout{};  // old names; when set, loading copies them to the intervals below
    std::chrono::nanoseconds max_resync_timeout{};
    int32_t buffer_size = 1000;
    std::chrono::nanoseconds min_resync_interval = std::chrono::seconds(1);
    std::chrono::nanoseconds full_resync_interval = std::chrono::seconds(20);
    int32_t event_processors = 1;
  } mesh;
  bool control_plane_report_resources_count = true;
};

struct MultizoneGlobal {
  uint32_t grpc_port = 5685;
  std::chrono::nanoseconds refresh_interval = std::chrono::seconds(1);
  std::chrono::nanoseconds zone_insight_flush_interval = std::chrono::seconds(10);
  bool tls_enabled = true;
  TlsServer tls;
  int32_t max_msg_size = 10 * 1024 * 1024;
  std::chrono::nanoseconds msg_send_timeout = std::chrono::minutes(1);
  std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
  bool disable_sotw = false;
  std::chrono::nanoseconds response_backoff{};
  std::string auth_type = "none";  // none, cpToken: zones prove who they are by a zone token of scope `cp`
  struct ZoneHealthCheck {
    std::chrono::nanoseconds poll_interval{};
    std::chrono::nanoseconds timeout{};
  } zone_health_check;
};

struct MultizoneZone {
  std::string name;
  std::string global_address;
  std::chrono::nanoseconds refresh_interval = std::chrono::seconds(1);
  bool tls_skip_verify = false;
  std::string root_ca_file;
  int32_t max_msg_size = 10 * 1024 * 1024;
  std::chrono::nanoseconds msg_send_timeout = std::chrono::minutes(1);
  std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
  std::chrono::nanoseconds response_backoff{};
  std::string auth_cp_token_path;  // file with the token that the global asks for; read at each connection
};

struct DnsServer {
  std::string domain = "mesh";
  std::string cidr = "240.0.0.0/4";
  bool service_vip_enabled = true;
  uint32_t service_vip_port = 80;
};

struct Diagnostics {
  uint32_t server_port = 5680;
  bool debug_endpoints = false;
  bool tls_enabled = false;
  TlsServer tls;
};

struct DpServer {
  uint32_t port = 5678;
  TlsServer tls;
  std::chrono::nanoseconds read_header_timeout = std::chrono::seconds(5);
  struct Auth {  // the old names of what is in `authn`
    std::string type;
    bool use_token_path = false;
  } auth;
  struct Authn {
    struct Proxy {
      std::string type;  // dpToken or zoneToken, serviceAccountToken, none; after loading never empty
      TokenIssuer token;
    };
    Proxy dp_proxy;
    Proxy zone_proxy;
    bool enable_reloadable_tokens = false;
  } authn;
  struct Hds {
    bool enabled = true;
    std::chrono::nanoseconds interval = std::chrono::seconds(5);
    std::chrono::nanoseconds refresh_interval = std::chrono::seconds(10);
    struct CheckDefaults {
      std::chrono::nanoseconds timeout = std::chrono::seconds(2);
      std::chrono::nanoseconds interval = std::chrono::seconds(1);
      std::chrono::nanoseconds no_traffic_interval = std::chrono::seconds(1);
      uint32_t healthy_threshold = 1;
      uint32_t unhealthy_threshold = 1;
    } check_defaults;
  } hds;
};

struct Access {
  std::string type = "static";
  AccessList admin_resources{{"mesh-system:admin"}, {"mesh-system:admin"}};
  AccessList generate_dp_token{{"mesh-system:admin"}, {"mesh-system:admin"}};
  AccessList generate_user_token{{"mesh-system:admin"}, {"mesh-system:admin"}};
  AccessList generate_zone_token{{"mesh-system:admin"}, {"mesh-system:admin"}};
  AccessList view_config_dump{{}, {"mesh-system:unauthenticated", "mesh-system:authenticated"}};
  AccessList view_stats{{}, {"mesh-system:unauthenticated", "mesh-system:authenticated"}};
  AccessList view_clusters{{}, {"mesh-system:unauthenticated", "mesh-system:authenticated"}};
};

struct Experimental {
  bool gateway_api = false;
  bool kube_outbounds_as_vips = true;
  bool kds_delta_enabled = true;
  bool use_tag_first_virtual_outbound_model = false;
  std::vector<std::string> ingress_tag_filters;
  struct KdsEventBasedWatchdog {
    bool enabled = false;
    std::chrono::nanoseconds flush_interval = std::chrono::seconds(5);
    std::chrono::nanoseconds full_resync_interval = std::chrono::minutes(1);
    bool delay_full_resync = false;
  } kds_event_based_watchdog;
  bool auto_reachable_services = false;
  bool kds_sync_name_with_hash_suffix = false;
};

struct InterCp {
  std::string instance_address;
  std::chrono::nanoseconds heartbeat_interval = std::chrono::seconds(5);
  std::chrono::nanoseconds writer_interval = std::chrono::seconds(15);
  uint32_t port = 5683;
  TlsServer tls;  // without files: its certificates are made by the control planes themselves
};

struct Tracing {
  bool open_telemetry_enabled = false;
  std::string open_telemetry_endpoint;
};

struct Config {
  General general;
  std::string environment = "universal";  // universal, kubernetes
  std::string mode = "standalone";        // standalone, zone, global
  StoreSettings store;
  BootstrapServer bootstrap_server;
  XdsServer xds_server;
  MonitoringAssignmentServer monitoring_assignment_server;
  ApiServer api_server;
  Runtime runtime;
  Defaults defaults;
  MetricsSettings metrics;
  bool reports_enabled = false;
  struct Multizone {
    MultizoneGlobal global;
    MultizoneZone zone;
  } multizone;
  DnsServer dns_server;
  Diagnostics diagnostics;
  DpServer dp_server;
  Access access;
  Experimental experimental;
  int32_t proxy_gateway_global_downstream_max_connections = 50000;
  InterCp inter_cp;
  Tracing tracing;
  int32_t event_bus_buffer_size = 100;

  bool is_global() const { return mode == "global"; }
  bool is_zone() const { return mode == "zone"; }
  bool is_kubernetes() const { return environment == "kubernetes"; }
};

}  // namespace kuma::config
