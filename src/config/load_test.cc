#include "config/load.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::chrono_literals;

class LoadConfig : public testing::Test {
 protected:
  LoadConfig() {
    std::string name = (std::filesystem::temp_directory_path() / "kuma-config-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~LoadConfig() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) {
    const std::filesystem::path file = folder_ / "kuma-cp.conf.yaml";
    std::ofstream(file) << text;
    return file.string();
  }
  // What loading says when it fails.
  std::string error_of(const std::string& yaml, const Environment& environment = {}) {
    const auto loaded = load_config(yaml.empty() ? "" : write(yaml), environment);
    return loaded.ok() ? "no error" : std::string(loaded.status().message());
  }
  LoadedConfig load(const std::string& yaml, const Environment& environment = {}) {
    auto loaded = load_config(yaml.empty() ? "" : write(yaml), environment);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : LoadedConfig{};
  }

  std::filesystem::path folder_;
};

TEST_F(LoadConfig, Rejects_a_file_that_is_not_there) {
  EXPECT_EQ(load_config("/no/such/file.yaml", {}).status().message(),
            "Failed to access configuration file \"/no/such/file.yaml\"");
  EXPECT_EQ(load_config(folder_.string(), {}).status().message(),
            "Failed to access configuration file \"" + folder_.string() + "\"");
}

TEST_F(LoadConfig, Rejects_malformed_YAML_and_names_the_line) {
  EXPECT_THAT(error_of("mode: standalone\nstore: {type: memory\n"),
              testing::AllOf(StartsWith("Failed to parse configuration file \""), HasSubstr("line ")));
}

TEST_F(LoadConfig, Rejects_a_file_that_is_no_map) {
  EXPECT_THAT(error_of("just words"), HasSubstr("expected settings such as `mode: standalone`"));
  EXPECT_THAT(error_of("store: memory"), HasSubstr("store: expected a map of settings"));
  EXPECT_THAT(error_of("store: [1]"), HasSubstr("store: expected a map of settings"));
}

TEST_F(LoadConfig, Rejects_a_file_without_end) {
  EXPECT_THAT(error_of(std::string(2 * 1024 * 1024, '#')), HasSubstr("is larger than 1048576 bytes"));
}

TEST_F(LoadConfig, Rejects_wrong_types_in_the_file_and_names_the_setting) {
  EXPECT_THAT(error_of("apiServer: {http: {port: many}}"),
              HasSubstr("apiServer.http.port: expected a whole number from 0 to 4294967295, got \"many\""));
  EXPECT_THAT(error_of("apiServer: {http: {port: -1}}"), HasSubstr("apiServer.http.port: expected a whole number"));
  EXPECT_THAT(error_of("apiServer: {http: {port: 1.5}}"), HasSubstr("apiServer.http.port: expected a whole number"));
  EXPECT_THAT(error_of("apiServer: {http: {port: [1]}}"), HasSubstr("expected a single value, got a list"));
  EXPECT_THAT(error_of("apiServer: {readOnly: maybe}"),
              HasSubstr("apiServer.readOnly: expected true or false, got \"maybe\""));
  EXPECT_THAT(error_of("xdsServer: {nackBackoff: 5 seconds}"),
              HasSubstr("xdsServer.nackBackoff: expected a duration such as 500ms or 1h30m, got \"5 seconds\""));
  EXPECT_THAT(error_of("xdsServer: {nackBackoff: true}"), HasSubstr("xdsServer.nackBackoff: expected a duration"));
  EXPECT_THAT(error_of("apiServer: {corsAllowedDomains: all}"),
              HasSubstr("apiServer.corsAllowedDomains: expected a list, got \"all\""));
  EXPECT_THAT(error_of("apiServer: {corsAllowedDomains: [a, [b]]}"),
              HasSubstr("apiServer.corsAllowedDomains: [1]: expected a single value, got a list"));
  EXPECT_THAT(error_of("runtime: {kubernetes: {injector: {exceptions: {labels: [a]}}}}"), HasSubstr("expected a map"));
  EXPECT_THAT(error_of("apiServer: {authn: {tokens: {validator: {publicKeys: [secret]}}}}"),
              HasSubstr("publicKeys: [0]: expected a map with kid and keyFile or key, got \"secret\""));
}

TEST_F(LoadConfig, Rejects_wrong_values_in_the_environment_and_names_the_variable) {
  EXPECT_EQ(error_of("", {{"KUMA_DP_SERVER_PORT", "x"}}),
            "environment variable KUMA_DP_SERVER_PORT: expected a whole number from 0 to 4294967295, got \"x\"");
  EXPECT_EQ(error_of("", {{"KUMA_DP_SERVER_PORT", ""}}),
            "environment variable KUMA_DP_SERVER_PORT: expected a whole number from 0 to 4294967295, got \"\"");
  EXPECT_THAT(error_of("", {{"KUMA_API_SERVER_READ_ONLY", "yes"}}), HasSubstr("expected true or false, got \"yes\""));
  EXPECT_THAT(error_of("", {{"KUMA_XDS_SERVER_NACK_BACKOFF", "5"}}),
              HasSubstr("got \"5\" (time: missing unit in duration \"5\")"));
  EXPECT_THAT(error_of("", {{"KUMA_RUNTIME_KUBERNETES_EXCEPTIONS_LABELS", "a:b,c"}}),
              HasSubstr("expected key1:value1,key2:value2, got \"c\""));
  EXPECT_THAT(error_of("", {{"KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_INBOUND_PORTS", "80,x"}}),
              HasSubstr("got \"x\""));
}

TEST_F(LoadConfig, Warns_of_unknown_settings_with_the_nearest_known_one) {
  const LoadedConfig loaded = load("apiServer: {htp: {port: 1}, http: {prt: 7}}\nfoo: 1\nxdsServr: {nackBackoff: 1s}");
  EXPECT_THAT(
      loaded.warnings,
      ElementsAre("the setting apiServer.htp in the configuration file is unknown and has no effect; did you mean "
                  "apiServer.http?",
                  "the setting apiServer.http.prt in the configuration file is unknown and has no effect; did you "
                  "mean apiServer.http.port?",
                  "the setting foo in the configuration file is unknown and has no effect",
                  "the setting xdsServr in the configuration file is unknown and has no effect; did you mean "
                  "xdsServer?"));
}

TEST_F(LoadConfig, Warns_of_unknown_variables_but_not_of_those_of_other_programs) {
  const LoadedConfig loaded = load("", {{"KUMA_STORE_TYP", "memory"},
                                        {"KUMA_SOMETHING_ELSE_ENTIRELY", "1"},
                                        {"KUMA_CONTROL_PLANE_SERVICE_HOST", "10.0.0.1"},
                                        {"KUMA_DATAPLANE_NAME", "web"},
                                        {"OTHER", "1"}});
  EXPECT_THAT(loaded.warnings,
              ElementsAre("the environment variable KUMA_SOMETHING_ELSE_ENTIRELY is unknown and has no effect",
                          "the environment variable KUMA_STORE_TYP is unknown and has no effect; did you mean "
                          "KUMA_STORE_TYPE?"));
}

TEST_F(LoadConfig, Warns_of_settings_that_have_no_effect_here) {
  const LoadedConfig loaded = load("", {{"KUMA_TRACING_OPENTELEMETRY_ENDPOINT", "collector:4317"},
                                        {"KUMA_DIAGNOSTICS_DEBUG_ENDPOINTS", "true"},
                                        {"KUMA_REPORTS_ENABLED", "true"},
                                        {"KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR", "/certs"}});
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("tracing.openTelemetry.endpoint has no effect"),
                                           HasSubstr("diagnostics.debugEndpoints has no effect"),
                                           HasSubstr("reports.enabled has no effect"),
                                           HasSubstr("apiServer.auth.clientCertsDir has no effect")));
  EXPECT_THAT(load("", {{"KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR", "/certs"}, {"KUMA_API_SERVER_AUTHN_TYPE", "adminClientCerts"}}).warnings,
              IsEmpty());
}

TEST_F(LoadConfig, Lets_the_environment_win_over_the_file_and_the_file_over_defaults) {
  const LoadedConfig loaded =
      load("mode: global\ndpServer: {port: 1234}\napiServer: {http: {port: 99}}", {{"KUMA_DP_SERVER_PORT", "4321"}});
  EXPECT_EQ(loaded.config.mode, "global");
  EXPECT_EQ(loaded.config.dp_server.port, 4321U);
  EXPECT_EQ(loaded.config.api_server.http.port, 99U);
  EXPECT_EQ(loaded.config.api_server.https.port, 5682U);
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST_F(LoadConfig, Reads_every_kind_of_value_from_the_file) {
  const Config config =
      load(
          "APISERVER: {ReadOnly: true}\n"
          "apiServer:\n"
          "  corsAllowedDomains: [a.test, 'b.test']\n"
          "  authn: {tokens: {validator: {publicKeys: [{kid: '1', key: PEM}, {kid: 2, keyFile: f, mesh: m}]}}}\n"
          "xdsServer: {nackBackoff: 1m30s, dataplaneStatusFlushInterval: 500000000}\n"
          "store: {type: memory, postgres: {password: 1234, port: '5432'}, cache: null, upsert: "
          "{conflictRetryMaxTimes: ~}}\n"
          "runtime: {kubernetes: {injector: {sidecarContainer: {envVars: {A: b, C: 1}},\n"
          "  sidecarTraffic: {excludeInboundPorts: [80, 81]}, exceptions: {labels: {x: y}}}}}\n")
          .config;
  EXPECT_TRUE(config.api_server.read_only);
  EXPECT_THAT(config.api_server.cors_allowed_domains, ElementsAre("a.test", "b.test"));
  EXPECT_THAT(config.api_server.authn.tokens.validator_public_keys,
              ElementsAre(PublicKey{.kid = "1", .mesh = "", .key_file = "", .key = "PEM"},
                          PublicKey{.kid = "2", .mesh = "m", .key_file = "f", .key = ""}));
  EXPECT_EQ(config.xds_server.nack_backoff, 90s);
  EXPECT_EQ(config.xds_server.dataplane_status_flush_interval, 500ms);
  EXPECT_EQ(config.store.postgres.password, "1234");
  EXPECT_EQ(config.store.postgres.port, 5432);
  EXPECT_EQ(config.store.upsert.conflict_retry_max_times, 10);
  const Injector& injector = config.runtime.kubernetes.injector;
  EXPECT_THAT(injector.sidecar_container.env_vars, ElementsAre(std::pair("A", "b"), std::pair("C", "1")));
  EXPECT_THAT(injector.exclude_inbound_ports, ElementsAre(80, 81));
  EXPECT_EQ(injector.exception_labels.size(), 3U);
}

TEST_F(LoadConfig, Reads_every_kind_of_value_from_the_environment) {
  const Config config = load("", {{"KUMA_API_SERVER_READ_ONLY", "T"},
                                  {"KUMA_API_SERVER_CORS_ALLOWED_DOMAINS", "a.test,b.test"},
                                  {"KUMA_ACCESS_STATIC_ADMIN_RESOURCES_USERS", ""},
                                  {"KUMA_API_SERVER_HTTP_INTERFACE", "127.0.0.1"},
                                  {"KUMA_XDS_SERVER_NACK_BACKOFF", "1h0m0.5s"},
                                  {"KUMA_METRICS_MESH_BUFFER_SIZE", "0x10"},
                                  {"KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_OUTBOUND_PORTS", "1,2"},
                                  {"KUMA_RUNTIME_KUBERNETES_EXCEPTIONS_LABELS", "a:b:c,d:"}})
                            .config;
  EXPECT_TRUE(config.api_server.read_only);
  EXPECT_THAT(config.api_server.cors_allowed_domains, ElementsAre("a.test", "b.test"));
  EXPECT_THAT(config.access.admin_resources.users, IsEmpty());
  EXPECT_EQ(config.api_server.http.interface, "127.0.0.1");
  EXPECT_EQ(config.xds_server.nack_backoff, 1h + 500ms);
  EXPECT_EQ(config.metrics.mesh.buffer_size, 16);
  EXPECT_THAT(config.runtime.kubernetes.injector.exclude_outbound_ports, ElementsAre(1, 2));
  EXPECT_THAT(config.runtime.kubernetes.injector.exception_labels,
              ElementsAre(std::pair("a", "b:c"), std::pair("d", "")));
}

TEST_F(LoadConfig, Derives_paths_from_the_work_dir) {
  const Config home = load("", {{"HOME", "/home/me"}}).config;
  EXPECT_EQ(home.general.work_dir, "/home/me/.kuma");
  EXPECT_EQ(home.general.tls.cert_file, "/home/me/.kuma/kuma-cp.crt");
  EXPECT_EQ(home.store.sqlite.path, "/home/me/.kuma/kuma.db");
  EXPECT_EQ(home.dp_server.tls.key_file, "/home/me/.kuma/kuma-cp.key");

  const Config global = load("", {{"KUMA_GENERAL_WORK_DIR", "/w"}, {"KUMA_MODE", "global"}}).config;
  EXPECT_EQ(global.store.sqlite.path, "/w/kuma-global.db");
  EXPECT_EQ(global.multizone.global.tls.cert_file, "/w/kuma-cp.crt");
  const Config zone = load("", {{"KUMA_GENERAL_WORK_DIR", "/w"},
                                {"KUMA_MODE", "zone"},
                                {"KUMA_MULTIZONE_ZONE_NAME", "east"},
                                {"KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS", "grpcs://global:5685"}})
                          .config;
  EXPECT_EQ(zone.store.sqlite.path, "/w/kuma-zone-east.db");
  EXPECT_EQ(load("", {{"KUMA_STORE_SQLITE_PATH", "/data/x.db"}}).config.store.sqlite.path, "/data/x.db");
}

TEST_F(LoadConfig, Keeps_a_server_certificate_that_is_its_own) {
  const Config config = load("", {{"KUMA_GENERAL_TLS_CERT_FILE", "/g.crt"},
                                  {"KUMA_GENERAL_TLS_KEY_FILE", "/g.key"},
                                  {"KUMA_DP_SERVER_TLS_CERT_FILE", "/dp.crt"},
                                  {"KUMA_DP_SERVER_TLS_KEY_FILE", "/dp.key"}})
                            .config;
  EXPECT_EQ(config.dp_server.tls.cert_file, "/dp.crt");
  EXPECT_EQ(config.api_server.https.tls.cert_file, "/g.crt");
  EXPECT_EQ(config.inter_cp.tls.cert_file, "");
}

TEST_F(LoadConfig, Lets_general_TLS_settings_win_over_those_of_a_server) {
  const Environment mine{{"KUMA_DP_SERVER_TLS_MIN_VERSION", "TLSv1_3"}};
  EXPECT_EQ(load("", mine).config.dp_server.tls.min_version, "TLSv1_2");
  Environment without_general = mine;
  without_general["KUMA_GENERAL_TLS_MIN_VERSION"] = "";
  EXPECT_EQ(load("", without_general).config.dp_server.tls.min_version, "TLSv1_3");
}

TEST_F(LoadConfig, Derives_authentication_from_the_environment_and_from_old_names) {
  const DpServer universal = load("").config.dp_server;
  EXPECT_EQ(universal.auth.type, "dpToken");
  EXPECT_EQ(universal.authn.dp_proxy.type, "dpToken");
  EXPECT_EQ(universal.authn.zone_proxy.type, "zoneToken");
  const DpServer kubernetes = load("", {{"KUMA_ENVIRONMENT", "kubernetes"}}).config.dp_server;
  EXPECT_EQ(kubernetes.authn.dp_proxy.type, "serviceAccountToken");
  EXPECT_EQ(kubernetes.authn.zone_proxy.type, "serviceAccountToken");
  const DpServer none =
      load("", {{"KUMA_DP_SERVER_AUTH_TYPE", "none"}, {"KUMA_DP_SERVER_AUTH_USE_TOKEN_PATH", "true"}}).config.dp_server;
  EXPECT_EQ(none.authn.dp_proxy.type, "none");
  EXPECT_EQ(none.authn.zone_proxy.type, "none");
  EXPECT_TRUE(none.authn.enable_reloadable_tokens);
}

TEST_F(LoadConfig, Derives_the_port_of_the_bootstrap_and_intervals_from_old_names) {
  const Config config = load("", {{"KUMA_DP_SERVER_PORT", "7000"},
                                  {"KUMA_METRICS_MESH_MIN_RESYNC_TIMEOUT", "3s"},
                                  {"KUMA_METRICS_MESH_MAX_RESYNC_TIMEOUT", "4s"}})
                            .config;
  EXPECT_EQ(config.bootstrap_server.xds_port, 7000U);
  EXPECT_EQ(config.metrics.mesh.min_resync_interval, 3s);
  EXPECT_EQ(config.metrics.mesh.full_resync_interval, 4s);
}

TEST(SanitizedConfig, Is_one_line_sorted_at_every_level_without_passwords) {
  Config config;
  complete_config(config, "/home/me");
  const std::string text = to_sanitized_json(config);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find("\"kuma\",\"port\""), std::string::npos);
  EXPECT_THAT(text, StartsWith("{\"access\":{\"static\":{\"adminResources\":{\"groups\":[\"mesh-system:admin\"],"
                               "\"users\":[\"mesh-system:admin\"]},"));
  EXPECT_THAT(text, HasSubstr("\"diagnostics\":{\"debugEndpoints\":false,\"serverPort\":5680,"));
  EXPECT_THAT(text, HasSubstr("\"fullResyncInterval\":\"1m0s\""));
  EXPECT_THAT(text, HasSubstr("\"password\":\"*****\""));
  EXPECT_THAT(text, HasSubstr("\"allowedUsers\":null"));
  EXPECT_THAT(text, HasSubstr("\"ingressTagFilters\":[]"));
  EXPECT_THAT(text, HasSubstr("\"workDir\":\"/home/me/.kuma\""));
  const auto parsed = parse_json(text);
  ASSERT_TRUE(parsed.ok());
  const std::function<void(const json::value&)> check_sorted = [&](const json::value& value) {
    if (!value.is_object()) {
      return;
    }
    std::string last;
    for (const auto& [name, member] : value.get_object()) {
      EXPECT_LT(last, std::string(name));
      last = name;
      check_sorted(member);
    }
  };
  check_sorted(*parsed);
}

TEST(SanitizedConfig, Hides_a_password_of_any_length) {
  Config config;
  config.store.postgres.password = "";
  EXPECT_THAT(to_sanitized_json(config), HasSubstr("\"password\":\"*****\""));
}

}  // namespace
}  // namespace kuma::config
