#include "config/validate.h"

#include <functional>

#include "config/load.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

// What validation says of the defaults after a change.
std::string problem(const std::function<void(Config&)>& change) {
  Config config;
  complete_config(config, "/home/me");
  change(config);
  const absl::Status status = validate_config(config);
  return status.ok() ? "fine" : std::string(status.message());
}

std::string zone_problem(const std::function<void(MultizoneZone&)>& change) {
  return problem([&](Config& config) {
    config.mode = "zone";
    config.multizone.zone.name = "east";
    config.multizone.zone.global_address = "grpcs://global:5685";
    change(config.multizone.zone);
  });
}

std::string global_problem(const std::function<void(MultizoneGlobal&)>& change) {
  return problem([&](Config& config) {
    config.mode = "global";
    change(config.multizone.global);
  });
}

TEST(ValidateConfig, Accepts_the_defaults_in_every_mode) {
  EXPECT_EQ(problem([](Config&) {}), "fine");
  EXPECT_EQ(zone_problem([](MultizoneZone&) {}), "fine");
  EXPECT_EQ(global_problem([](MultizoneGlobal&) {}), "fine");
}

TEST(ValidateConfig, Rejects_unknown_modes_and_environments) {
  EXPECT_EQ(problem([](Config& c) { c.mode = "solo"; }),
            "Mode validation failed: invalid mode. Available modes: standalone, zone, global");
  EXPECT_EQ(problem([](Config& c) { c.environment = "mars"; }), "Environment should be either kubernetes or universal");
}

TEST(ValidateConfig, Rejects_a_zone_without_name_or_address) {
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.name = ""; }),
            "Multizone Zone validation failed: Name is mandatory in Zone mode");
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.name = "a/b"; }),
            "Multizone Zone validation failed: Wrong zone name a/b");
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.name = "-a"; }),
            "Multizone Zone validation failed: Wrong zone name -a");
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.name = "a..b"; }),
            "Multizone Zone validation failed: Wrong zone name a..b");
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.global_address = ""; }),
            "Multizone Zone validation failed: GlobalAddress is mandatory in Zone mode");
  EXPECT_EQ(
      zone_problem([](MultizoneZone& z) { z.global_address = "http://global:5685"; }),
      "Multizone Zone validation failed: unsupported scheme \"http\" in zone GlobalAddress. Use one of [grpc grpcs]");
  EXPECT_THAT(zone_problem([](MultizoneZone& z) { z.global_address = "::not an address"; }),
              HasSubstr("unable to parse zone GlobalAddress"));
  EXPECT_THAT(zone_problem([](MultizoneZone& z) { z.root_ca_file = "/no/such/ca.pem"; }),
              HasSubstr(".RootCaFile /no/such/ca.pem cannot be read as a PEM certificate"));
}

TEST(ValidateConfig, Rejects_a_global_with_wrong_KDS_settings) {
  const std::string prefix = "Multizone Global validation failed: KDS validation failed: ";
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.grpc_port = 65536; }),
            prefix + ".GrpcPort must be in the range [0, 65535]");
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.refresh_interval = 0s; }),
            prefix + ".RefreshInterval must be positive");
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.zone_insight_flush_interval = -1s; }),
            prefix + ".ZoneInsightFlushInterval must be positive");
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.zone_health_check.timeout = 1s; }),
            prefix + "invalid zoneHealthCheck config: timeout and pollInterval must both be either set or unset");
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.tls.key_file = ""; }),
            prefix + ".TlsKeyFile cannot be empty if TlsCertFile has been set");
}

TEST(ValidateConfig, Checks_the_side_of_proxies_not_in_a_global) {
  const auto break_xds = [](Config& c) { c.xds_server.dataplane_status_flush_interval = 0s; };
  EXPECT_EQ(problem(break_xds), "Xds Server validation failed: DataplaneStatusFlushInterval must be positive");
  EXPECT_EQ(problem([&](Config& c) {
              break_xds(c);
              c.mode = "global";
            }),
            "fine");
}

TEST(ValidateConfig, Rejects_wrong_settings_of_the_bootstrap) {
  EXPECT_THAT(problem([](Config& c) { c.bootstrap_server.admin_address = ""; }),
              HasSubstr("AdminAddress cannot be empty"));
  EXPECT_THAT(problem([](Config& c) { c.bootstrap_server.admin_address = "localhost"; }),
              HasSubstr("AdminAddress should be a valid IP address"));
  EXPECT_THAT(problem([](Config& c) { c.bootstrap_server.admin_port = 70000; }),
              HasSubstr("AdminPort must be in the range [0, 65535]"));
  EXPECT_THAT(problem([](Config& c) { c.bootstrap_server.admin_access_log_path = ""; }),
              HasSubstr("AdminAccessLogPath cannot be empty"));
  EXPECT_THAT(problem([](Config& c) { c.bootstrap_server.xds_connect_timeout = -1s; }),
              HasSubstr("XdsConnectTimeout cannot be negative"));
}

TEST(ValidateConfig, Rejects_wrong_settings_of_monitoring_and_metrics) {
  EXPECT_THAT(problem([](Config& c) { c.monitoring_assignment_server.port = 65536; }),
              HasSubstr(".Port must be in the range [0, 65535]"));
  EXPECT_THAT(problem([](Config& c) { c.monitoring_assignment_server.api_versions = {}; }),
              HasSubstr(".ApiVersions must contain at least one version"));
  EXPECT_THAT(problem([](Config& c) {
                c.monitoring_assignment_server.api_versions = {"v1", "v2"};
              }),
              HasSubstr(".ApiVersions contains invalid version v2"));
  EXPECT_THAT(problem([](Config& c) { c.monitoring_assignment_server.assignment_refresh_interval = 0s; }),
              HasSubstr(".AssignmentRefreshInterval must be positive"));
  EXPECT_EQ(problem([](Config& c) { c.metrics.dataplane.subscription_limit = -1; }),
            "Metrics validation failed: SubscriptionLimit should be positive or equal 0");
  EXPECT_EQ(problem([](Config& c) { c.metrics.dataplane.idle_timeout = 0s; }),
            "Metrics validation failed: .Dataplane.IdleTimeout must be positive");
}

TEST(ValidateConfig, Rejects_stores_that_do_not_exist_or_not_yet) {
  EXPECT_THAT(problem([](Config& c) { c.store.type = "mysql"; }),
              StartsWith("Store validation failed: Type should be either postgres, kubernetes or memory"));
  EXPECT_EQ(
      problem([](Config& c) { c.store.type = "postgres"; }),
      "Store validation failed: Type postgres is not available in this version yet: use sqlite (the default, a file in "
      "the work dir) or memory");
  EXPECT_THAT(problem([](Config& c) { c.store.type = "kubernetes"; }), HasSubstr("Type kubernetes is not available"));
  EXPECT_EQ(problem([](Config& c) { c.store.type = "memory"; }), "fine");
  EXPECT_THAT(problem([](Config& c) { c.store.upsert.conflict_retry_base_backoff = -1s; }),
              HasSubstr(".ConflictRetryBaseBackoff cannot be negative"));
}

TEST(ValidateConfig, Rejects_wrong_settings_of_postgres_in_the_words_of_the_reference) {
  const auto postgres_problem = [](const std::function<void(PostgresStore&)>& change) {
    return problem([&](Config& config) {
      config.store.type = "postgres";
      change(config.store.postgres);
    });
  };
  const std::string prefix = "Store validation failed: Postgres validation failed: ";
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.host = ""; }), prefix + "Host should not be empty");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.port = -1; }), prefix + "Port cannot be negative");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.driver_name = "odbc"; }), prefix + "unknown driver name odbc");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.tls.mode = "maybe"; }),
            prefix + "TLS validation failed: invalid mode: maybe");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.tls.mode = "verifyCa"; }),
            prefix + "TLS validation failed: CAPath cannot be empty");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.tls.cert_path = "c"; }),
            prefix + "TLS validation failed: KeyPath cannot be empty when CertPath is provided");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.min_reconnect_interval = 2h; }),
            prefix + "MinReconnectInterval should be less than MaxReconnectInterval");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.min_open_connections = 60; }),
            prefix + "MinOpenConnections should be less than MaxOpenConnections");
  EXPECT_EQ(postgres_problem([](PostgresStore& p) { p.read_replica.ratio = 101; }),
            prefix + ".Ratio out of [0-100] range");
}

TEST(ValidateConfig, Rejects_wrong_settings_of_the_API_server) {
  EXPECT_THAT(problem([](Config& c) { c.api_server.http.interface = ""; }),
              HasSubstr(".HTTP.Interface cannot be empty"));
  EXPECT_THAT(problem([](Config& c) { c.api_server.https.port = 65536; }),
              HasSubstr(".HTTPS.Port must be in the range [0, 65535]"));
  EXPECT_THAT(problem([](Config& c) { c.api_server.body_size_max = 0; }), HasSubstr(".BodySizeMax must be at least 1 byte"));
  EXPECT_EQ(problem([](Config& c) {
              c.api_server.https.enabled = false;
              c.api_server.https.port = 65536;
            }),
            "fine");
  EXPECT_THAT(problem([](Config& c) { c.api_server.gui.root_url = "http://[bad"; }), HasSubstr("is not a valid URL"));
  const auto key_problem = [](const PublicKey& key) {
    return problem([&](Config& c) { c.api_server.authn.tokens.validator_public_keys = {key}; });
  };
  EXPECT_THAT(key_problem({.kid = "", .mesh = "", .key_file = "f", .key = ""}), HasSubstr(".KID is required"));
  EXPECT_THAT(key_problem({.kid = "1", .mesh = "", .key_file = "", .key = ""}),
              HasSubstr("either .KeyFile or .Key has to be defined"));
  EXPECT_THAT(key_problem({.kid = "1", .mesh = "", .key_file = "f", .key = "k"}),
              HasSubstr("both .KeyFile or .Key cannot be defined"));
}

TEST(ValidateConfig, Rejects_unknown_kinds_of_authentication) {
  EXPECT_THAT(problem([](Config& c) { c.dp_server.authn.dp_proxy.type = "password"; }),
              HasSubstr(".Authn.DpProxy.Type should be either dpToken, serviceAccountToken or none"));
  EXPECT_THAT(problem([](Config& c) { c.dp_server.authn.zone_proxy.type = "dpToken"; }),
              HasSubstr(".Authn.ZoneProxy.Type should be either zoneToken, serviceAccountToken or none"));
  EXPECT_THAT(problem([](Config& c) { c.api_server.authn.type = "basic"; }),
              HasSubstr(".Authn.Type should be either tokens or adminClientCerts"));
  EXPECT_THAT(problem([](Config& c) { c.access.type = "dynamic"; }), HasSubstr("Type should be static"));
}

TEST(ValidateConfig, Rejects_wrong_DNS_and_inter_CP_settings) {
  for (const char* cidr : {"", "240.0.0.0", "240.0.0.0/33", "x/4", "240.0.0.0/", "240.0.0.0/4x"}) {
    EXPECT_THAT(problem([&](Config& c) { c.dns_server.cidr = cidr; }), HasSubstr("CIDR must be valid")) << cidr;
  }
  EXPECT_EQ(problem([](Config& c) { c.dns_server.cidr = "fd00::/64"; }), "fine");
  EXPECT_THAT(problem([](Config& c) { c.dns_server.service_vip_port = 0; }), HasSubstr("port can't be 0"));
  EXPECT_THAT(problem([](Config& c) { c.dns_server.service_vip_port = 65536; }), HasSubstr(".ServiceVipPort must be in the range [1, 65535]"));
  EXPECT_THAT(problem([](Config& c) { c.inter_cp.instance_address = "a b"; }),
              HasSubstr(".InstanceAddress has to be valid IP or DNS address"));
  EXPECT_THAT(problem([](Config& c) { c.inter_cp.port = 0; }), HasSubstr(".Port cannot be zero"));
}

TEST(ValidateConfig, Rejects_wrong_TLS_settings_of_any_server) {
  EXPECT_THAT(problem([](Config& c) { c.diagnostics.tls.cert_file = ""; }),
              HasSubstr("Diagnostics validation failed: .TlsCertFile cannot be empty if TlsKeyFile has been set"));
  EXPECT_THAT(problem([](Config& c) { c.dp_server.tls.min_version = "SSLv3"; }),
              HasSubstr("unsupported tls version: SSLv3 supported versions:[TLSv1_2 TLSv1_3]"));
  EXPECT_THAT(problem([](Config& c) { c.api_server.https.tls.cipher_suites = {"NULL"}; }),
              HasSubstr("unsupported tls cipher: NULL "));
  EXPECT_EQ(
      problem([](Config& c) { c.api_server.https.tls.cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}; }),
      "fine");
}

TEST(ValidateConfig, Tells_all_that_is_wrong_at_once) {
  EXPECT_EQ(problem([](Config& c) {
              c.dns_server.cidr = "";
              c.inter_cp.port = 0;
            }),
            "DNSServer validation failed: CIDR must be valid; InterCp validation failed: .Port cannot be zero");
}

TEST(ValidateConfig, Rejects_limits_that_let_nothing_through) {
  EXPECT_EQ(global_problem([](MultizoneGlobal& g) { g.max_msg_size = -1; }),
            "Multizone Global validation failed: KDS validation failed: .MaxMsgSize must be positive");
  EXPECT_EQ(zone_problem([](MultizoneZone& z) { z.max_msg_size = 0; }),
            "Multizone Zone validation failed: KDS validation failed: .MaxMsgSize must be positive");
  EXPECT_EQ(problem([](Config& c) {
              c.mode = "global";
              c.metrics.zone.idle_timeout = -1s;
            }),
            "Metrics validation failed: .Zone.IdleTimeout must be positive");
}

TEST(ValidateConfig, Rejects_an_unknown_authentication_of_proxies) {
  EXPECT_EQ(problem([](Config& c) { c.dp_server.auth.type = "magic"; }),
            "Dp Server validation failed: .Auth.Type should be either dpToken, serviceAccountToken or none");
}

}  // namespace
}  // namespace kuma::config
