#include "config/validate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "absl/strings/ascii.h"
#include "base/text.h"
#include "boost/url/parse.hpp"
#include "boost/url/url_view.hpp"
#include "config/names.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace kuma::config {
namespace {

constexpr uint32_t kPortMax = 65535;

// TLS cipher suites by the names that users of Go programs know.
constexpr std::string_view kCipherSuites[] = {
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
};

// What is wrong with one section, under a title such as `Store validation failed`.
class Problems {
 public:
  explicit Problems(std::string title = "") : title_(std::move(title)) {}

  template <typename... Args>
  void add_if(bool wrong, fmt::format_string<Args...> format, Args&&... args) {
    if (wrong) {
      texts_.push_back(fmt::format(format, std::forward<Args>(args)...));
    }
  }
  void add(const Problems& section) {
    if (!section.texts_.empty()) {
      texts_.push_back(section.text());
    }
  }
  std::string text() const {
    const std::string all = fmt::format("{}", fmt::join(texts_, "; "));
    return title_.empty() ? all : fmt::format("{}: {}", title_, all);
  }
  bool empty() const { return texts_.empty(); }

 private:
  std::string title_;
  std::vector<std::string> texts_;
};

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) {
    return false;
  }
  const auto is_label = [](std::string_view label) {
    const auto is_good = [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
    };
    return !label.empty() && label.size() <= 63 && label.front() != '-' &&
           std::all_of(label.begin(), label.end(), is_good);
  };
  const std::vector<std::string_view> labels = split(name, '.');
  return std::all_of(labels.begin(), labels.end(), is_label);
}

bool is_cidr(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || !is_ip_address(text.substr(0, slash))) {
    return false;
  }
  const unsigned bits_max = is_ipv6_address(text.substr(0, slash)) ? 128 : 32;
  unsigned bits = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data() + slash + 1, end, bits);
  return failure == std::errc() && rest == end && bits <= bits_max;
}

bool is_url(const std::string& text) { return boost::urls::parse_uri_reference(text).has_value(); }

bool has_certificate(const std::string& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(file.c_str(), "r"), &BIO_free);
  if (bio == nullptr) {
    return false;
  }
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                                &X509_free);
  return certificate != nullptr;
}

bool is_positive(std::chrono::nanoseconds duration) { return duration.count() > 0; }

void check_tls(const TlsServer& tls, Problems& problems) {
  problems.add_if(tls.cert_file.empty() && !tls.key_file.empty(),
                  ".TlsCertFile cannot be empty if TlsKeyFile has been set");
  problems.add_if(tls.key_file.empty() && !tls.cert_file.empty(),
                  ".TlsKeyFile cannot be empty if TlsCertFile has been set");
  for (const std::string& version : {tls.min_version, tls.max_version}) {
    problems.add_if(!version.empty() && version != "TLSv1_2" && version != "TLSv1_3",
                    "unsupported tls version: {} supported versions:[TLSv1_2 TLSv1_3]", version);
  }
  problems.add_if(tls.min_version == "TLSv1_3" && tls.max_version == "TLSv1_2",
                  ".TlsMinVersion cannot be higher than TlsMaxVersion");
  for (const std::string& suite : tls.cipher_suites) {
    problems.add_if(std::find(std::begin(kCipherSuites), std::end(kCipherSuites), suite) == std::end(kCipherSuites),
                    "unsupported tls cipher: {} supported ciphers:[{}]", suite, fmt::join(kCipherSuites, " "));
  }
}

Problems check_global(const MultizoneGlobal& global) {
  Problems kds("KDS validation failed");
  kds.add_if(global.grpc_port > kPortMax, ".GrpcPort must be in the range [0, 65535]");
  kds.add_if(!is_positive(global.refresh_interval), ".RefreshInterval must be positive");
  kds.add_if(!is_positive(global.zone_insight_flush_interval), ".ZoneInsightFlushInterval must be positive");
  check_tls(global.tls, kds);
  kds.add_if(global.max_msg_size <= 0, ".MaxMsgSize must be positive");
  kds.add_if(global.auth_type != "none" && global.auth_type != "cpToken", ".Auth.Type \"{}\" is unknown; it is none or cpToken", global.auth_type);
  const bool polls = is_positive(global.zone_health_check.poll_interval);
  const bool times_out = is_positive(global.zone_health_check.timeout);
  kds.add_if(polls != times_out,
             "invalid zoneHealthCheck config: timeout and pollInterval must both be either set or unset");
  Problems problems("Multizone Global validation failed");
  problems.add(kds);
  return problems;
}

Problems check_zone(const MultizoneZone& zone) {
  Problems problems("Multizone Zone validation failed");
  problems.add_if(zone.name.empty(), "Name is mandatory in Zone mode");
  problems.add_if(!zone.name.empty() && !is_dns_name(zone.name), "Wrong zone name {}", zone.name);
  problems.add_if(zone.global_address.empty(), "GlobalAddress is mandatory in Zone mode");
  if (!zone.global_address.empty()) {
    const auto url = boost::urls::parse_uri(zone.global_address);
    problems.add_if(!url, "unable to parse zone GlobalAddress \"{}\": use grpcs://host:port", zone.global_address);
    problems.add_if(url && url->scheme() != "grpc" && url->scheme() != "grpcs",
                    "unsupported scheme \"{}\" in zone GlobalAddress. Use one of [grpc grpcs]",
                    url ? std::string(url->scheme()) : "");
  }
  problems.add_if(zone.max_msg_size <= 0, "KDS validation failed: .MaxMsgSize must be positive");
  problems.add_if(!zone.root_ca_file.empty() && !has_certificate(zone.root_ca_file),
                  "KDS validation failed: .RootCaFile {} cannot be read as a PEM certificate", zone.root_ca_file);
  return problems;
}

Problems check_xds(const XdsServer& xds) {
  Problems problems("Xds Server validation failed");
  problems.add_if(!is_positive(xds.dataplane_configuration_refresh_interval),
                  "DataplaneConfigurationRefreshInterval must be positive");
  problems.add_if(!is_positive(xds.dataplane_status_flush_interval), "DataplaneStatusFlushInterval must be positive");
  return problems;
}

Problems check_bootstrap(const BootstrapServer& bootstrap) {
  Problems params("Params validation failed");
  params.add_if(bootstrap.admin_address.empty(), "AdminAddress cannot be empty");
  params.add_if(!bootstrap.admin_address.empty() && !is_ip_address(bootstrap.admin_address),
                "AdminAddress should be a valid IP address");
  params.add_if(bootstrap.admin_port > kPortMax, "AdminPort must be in the range [0, 65535]");
  params.add_if(bootstrap.admin_access_log_path.empty(), "AdminAccessLogPath cannot be empty");
  params.add_if(bootstrap.xds_port > kPortMax, "XdsPort must be in the range [0, 65535]");
  params.add_if(bootstrap.xds_connect_timeout.count() < 0, "XdsConnectTimeout cannot be negative");
  Problems problems("Bootstrap Server validation failed");
  problems.add(params);
  return problems;
}

Problems check_mads(const MonitoringAssignmentServer& mads) {
  Problems problems("Monitoring Assignment Server validation failed");
  problems.add_if(mads.port > kPortMax, ".Port must be in the range [0, 65535]");
  problems.add_if(mads.api_versions.empty(), ".ApiVersions must contain at least one version");
  for (const std::string& version : mads.api_versions) {
    problems.add_if(version != "v1", ".ApiVersions contains invalid version {}", version);
  }
  problems.add_if(!is_positive(mads.assignment_refresh_interval), ".AssignmentRefreshInterval must be positive");
  check_tls(mads.tls, problems);
  return problems;
}

void check_postgres_tls(const PostgresStore::Tls& tls, Problems& problems) {
  Problems section("TLS validation failed");
  const bool verifies = tls.mode == "verifyCa" || tls.mode == "verifyFull";
  section.add_if(!verifies && tls.mode != "disable" && tls.mode != "verifyNone", "invalid mode: {}", tls.mode);
  section.add_if(verifies && tls.ca_path.empty(), "CAPath cannot be empty");
  section.add_if(tls.key_path.empty() && !tls.cert_path.empty(), "KeyPath cannot be empty when CertPath is provided");
  section.add_if(tls.cert_path.empty() && !tls.key_path.empty(), "CertPath cannot be empty when KeyPath is provided");
  problems.add(section);
}

Problems check_postgres(const PostgresStore& postgres) {
  Problems problems("Postgres validation failed");
  problems.add_if(postgres.host.empty(), "Host should not be empty");
  problems.add_if(postgres.port < 0, "Port cannot be negative");
  problems.add_if(postgres.user.empty(), "User should not be empty");
  problems.add_if(postgres.password.empty(), "Password should not be empty");
  problems.add_if(postgres.db_name.empty(), "DbName should not be empty");
  problems.add_if(postgres.driver_name != "pgx" && postgres.driver_name != "postgres", "unknown driver name {}",
                  postgres.driver_name);
  check_postgres_tls(postgres.tls, problems);
  problems.add_if(postgres.min_reconnect_interval >= postgres.max_reconnect_interval,
                  "MinReconnectInterval should be less than MaxReconnectInterval");
  problems.add_if(postgres.min_open_connections < 0, "MinOpenConnections should be greater than 0");
  problems.add_if(postgres.max_open_connections > 0 && postgres.min_open_connections > postgres.max_open_connections,
                  "MinOpenConnections should be less than MaxOpenConnections");
  problems.add_if(postgres.max_connection_lifetime_jitter.count() < 0,
                  "MaxConnectionLifetimeJitter cannot be negative");
  problems.add_if(postgres.max_connection_lifetime_jitter > postgres.max_connection_lifetime,
                  "MaxConnectionLifetimeJitter should be less than MaxConnectionLifetime");
  problems.add_if(postgres.read_replica.ratio < 0 || postgres.read_replica.ratio > 100, ".Ratio out of [0-100] range");
  return problems;
}

Problems check_store(const StoreSettings& store) {
  Problems problems("Store validation failed");
  const bool is_postgres = store.type == "postgres";
  const bool is_ours = store.type == "memory" || store.type == "sqlite";
  if (is_postgres) {
    problems.add(check_postgres(store.postgres));
  }
  problems.add_if(!is_ours && !is_postgres && store.type != "kubernetes",
                  "Type should be either postgres, kubernetes or memory (or sqlite, which is the default)");
  problems.add_if(
      (is_postgres || store.type == "kubernetes") && problems.empty(),
      "Type {} is not available in this version yet: use sqlite (the default, a file in the work dir) or memory",
      store.type);
  problems.add_if(store.upsert.conflict_retry_base_backoff.count() < 0,
                  "Upsert: .ConflictRetryBaseBackoff cannot be negative");
  return problems;
}

void check_public_keys(const std::vector<PublicKey>& keys, std::string_view where, Problems& problems) {
  for (size_t i = 0; i < keys.size(); ++i) {
    Problems key(fmt::format("{}[{}]", where, i));
    key.add_if(keys[i].kid.empty(), ".KID is required");
    key.add_if(keys[i].key_file.empty() && keys[i].key.empty(), "either .KeyFile or .Key has to be defined");
    key.add_if(!keys[i].key_file.empty() && !keys[i].key.empty(), "both .KeyFile or .Key cannot be defined");
    problems.add(key);
  }
}

Problems check_api_server(const ApiServer& api) {
  Problems problems("ApiServer validation failed");
  if (api.http.enabled) {
    problems.add_if(api.http.interface.empty(), ".HTTP.Interface cannot be empty");
    problems.add_if(api.http.port > kPortMax, ".HTTP.Port must be in the range [0, 65535]");
  }
  if (api.https.enabled) {
    problems.add_if(api.https.interface.empty(), ".HTTPS.Interface cannot be empty");
    problems.add_if(api.https.port > kPortMax, ".HTTPS.Port must be in the range [0, 65535]");
    check_tls(api.https.tls, problems);
  }
  problems.add_if(api.body_size_max == 0, ".BodySizeMax must be at least 1 byte");
  problems.add_if(!api.root_url.empty() && !is_url(api.root_url), ".RootUrl is not a valid URL: {}", api.root_url);
  problems.add_if(!api.gui.root_url.empty() && !is_url(api.gui.root_url), ".GUI.RootUrl is not a valid URL: {}",
                  api.gui.root_url);
  problems.add_if(api.authn.type != "tokens" && api.authn.type != "adminClientCerts",
                  ".Authn.Type should be either tokens or adminClientCerts");
  check_public_keys(api.authn.tokens.validator_public_keys, ".Authn.Tokens.Validator.PublicKeys", problems);
  return problems;
}

Problems check_dp_server(const DpServer& dp_server) {
  Problems problems("Dp Server validation failed");
  problems.add_if(dp_server.port > kPortMax, ".Port must be in the range [0, 65535]");
  check_tls(dp_server.tls, problems);
  const std::string& type = dp_server.auth.type;
  problems.add_if(!type.empty() && type != "dpToken" && type != "serviceAccountToken" && type != "none",
                  ".Auth.Type should be either dpToken, serviceAccountToken or none");
  const auto check_type = [&](const DpServer::Authn::Proxy& proxy, std::string_view name, std::string_view token) {
    problems.add_if(proxy.type != token && proxy.type != "serviceAccountToken" && proxy.type != "none",
                    ".Authn.{}.Type should be either {}, serviceAccountToken or none", name, token);
    check_public_keys(proxy.token.validator_public_keys, fmt::format(".Authn.{}.Validator.PublicKeys", name), problems);
  };
  check_type(dp_server.authn.dp_proxy, "DpProxy", "dpToken");
  check_type(dp_server.authn.zone_proxy, "ZoneProxy", "zoneToken");
  return problems;
}

Problems check_dns(const DnsServer& dns) {
  Problems problems("DNSServer validation failed");
  problems.add_if(!is_cidr(dns.cidr), "CIDR must be valid");
  problems.add_if(dns.service_vip_port == 0, "port can't be 0");
  problems.add_if(dns.service_vip_port > kPortMax, ".ServiceVipPort must be in the range [1, 65535]");
  return problems;
}

Problems check_inter_cp(const InterCp& inter_cp) {
  Problems problems("InterCp validation failed");
  problems.add_if(!inter_cp.instance_address.empty() && !is_ip_address(inter_cp.instance_address) &&
                      !is_dns_name(inter_cp.instance_address),
                  ".InstanceAddress has to be valid IP or DNS address");
  problems.add_if(inter_cp.port == 0, ".Port cannot be zero");
  problems.add_if(inter_cp.port > kPortMax, ".Port must be in the range [0, 65535]");
  check_tls(inter_cp.tls, problems);
  return problems;
}

Problems check_diagnostics(const Diagnostics& diagnostics) {
  Problems problems("Diagnostics validation failed");
  problems.add_if(diagnostics.server_port > kPortMax, ".ServerPort must be in the range [0, 65535]");
  check_tls(diagnostics.tls, problems);
  return problems;
}

void check_proxies_side(const Config& config, Problems& problems) {
  problems.add_if(config.environment != "kubernetes" && config.environment != "universal",
                  "Environment should be either kubernetes or universal");
  problems.add(check_xds(config.xds_server));
  problems.add(check_bootstrap(config.bootstrap_server));
  problems.add(check_mads(config.monitoring_assignment_server));
  Problems metrics("Metrics validation failed");
  metrics.add_if(config.metrics.dataplane.subscription_limit < 0, "SubscriptionLimit should be positive or equal 0");
  metrics.add_if(!is_positive(config.metrics.dataplane.idle_timeout), ".Dataplane.IdleTimeout must be positive");
  problems.add(metrics);
}

}  // namespace

absl::Status validate_config(const Config& config) {
  Problems problems;
  problems.add_if(config.mode != "standalone" && !config.is_zone() && !config.is_global(),
                  "Mode validation failed: invalid mode. Available modes: standalone, zone, global");
  if (config.is_global()) {
    problems.add(check_global(config.multizone.global));
    problems.add_if(!is_positive(config.metrics.zone.idle_timeout), "Metrics validation failed: .Zone.IdleTimeout must be positive");
  } else {
    check_proxies_side(config, problems);
  }
  if (config.is_zone()) {
    problems.add(check_zone(config.multizone.zone));
  }
  problems.add(check_store(config.store));
  problems.add(check_api_server(config.api_server));
  problems.add(check_dp_server(config.dp_server));
  problems.add(check_dns(config.dns_server));
  problems.add(check_diagnostics(config.diagnostics));
  problems.add(check_inter_cp(config.inter_cp));
  problems.add_if(config.access.type != "static", "Access validation failed: Type should be static");
  return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError(problems.text());
}

}  // namespace kuma::config
