#include "dp/settings.h"

#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

GetEnv env_of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string(name));
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string error_of(const Settings& settings) { return std::string(validate(settings).message()); }

Settings named() {
  Settings settings;
  settings.name = "web-1";
  settings.mesh = "default";
  return settings;
}

TEST(Environment, Refuses_a_duration_without_unit_and_names_the_variable) {
  Settings settings;
  EXPECT_EQ(apply_environment(env_of({{"KUMA_DATAPLANE_DRAIN_TIME", "5"}}), settings).message(),
            "envconfig.Process: assigning DATAPLANE_KUMA_DATAPLANE_DRAIN_TIME to DrainTime: converting '5' to type "
            "types.Duration. details: time: missing unit in duration \"5\"");
}

TEST(Environment, Refuses_numbers_and_switches_that_are_none) {
  Settings settings;
  EXPECT_EQ(
      apply_environment(env_of({{"KUMA_READINESS_PORT", ""}}), settings).message(),
      "envconfig.Process: assigning DATAPLANE_KUMA_READINESS_PORT to ReadinessPort: converting '' to type uint32. "
      "details: strconv.ParseUint: parsing \"\": invalid syntax");
  EXPECT_EQ(apply_environment(env_of({{"KUMA_DNS_ENABLED", "no"}}), settings).message(),
            "envconfig.Process: assigning DNS_KUMA_DNS_ENABLED to Enabled: converting 'no' to type bool. details: "
            "strconv.ParseBool: parsing \"no\": invalid syntax");
}

TEST(Environment, Wins_over_flags) {
  Settings settings;
  settings.name = "b";
  ASSERT_TRUE(apply_environment(env_of({{"KUMA_DATAPLANE_NAME", "a"}}), settings).ok());
  EXPECT_EQ(settings.name, "a");
}

TEST(Environment, Sets_what_has_no_flag) {
  Settings settings;
  ASSERT_TRUE(apply_environment(env_of({{"KUMA_CONTROL_PLANE_CA_CERT", "pem"},
                                        {"KUMA_CONTROL_PLANE_RETRY_BACKOFF", "100ms"},
                                        {"KUMA_CONTROL_PLANE_RETRY_MAX_DURATION", "1m30s"},
                                        {"KUMA_READINESS_PORT", "0"},
                                        {"KUMA_DATAPLANE_RUNTIME_SOCKET_DIR", "/s"},
                                        {"KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES", "8000000000"}}),
                                settings)
                  .ok());
  EXPECT_EQ(settings.ca_cert, "pem");
  EXPECT_EQ(settings.retry_backoff, 100ms);
  EXPECT_EQ(settings.retry_duration_max, 90s);
  EXPECT_EQ(settings.readiness_port, 0u);
  EXPECT_EQ(settings.socket_dir, "/s");
  EXPECT_EQ(settings.memory_bytes_max, 8'000'000'000u);
}

TEST(Environment, Every_variable_reaches_a_setting_of_its_own) {
  std::set<std::string> seen;
  for (const Setting& setting : settings_table()) {
    if (!setting.env.empty()) {
      EXPECT_TRUE(seen.insert(std::string(setting.env)).second) << setting.env;
    }
  }
  EXPECT_EQ(seen.size(), 31u);
}

TEST(PodName, Is_taken_when_the_name_is_missing_or_an_unfilled_template) {
  const GetEnv env = env_of({{"POD_NAME", "web-abc"}, {"POD_NAMESPACE", "shop"}});
  Settings settings;
  apply_pod_name(env, settings);
  EXPECT_EQ(settings.name, "web-abc.shop");
  settings.name = "$(POD_NAME).$(POD_NAMESPACE)";
  apply_pod_name(env, settings);
  EXPECT_EQ(settings.name, "web-abc.shop");
  settings.name = "given";
  apply_pod_name(env, settings);
  EXPECT_EQ(settings.name, "given");
  settings.name = "";
  apply_pod_name(env_of({{"POD_NAME", "web-abc"}}), settings);
  EXPECT_EQ(settings.name, "");
}

TEST(Validate, Asks_for_mesh_and_name_without_a_template) {
  Settings settings;
  EXPECT_EQ(error_of(settings),
            "Invalid configuration: .Dataplane is not valid: .Mesh must be non-empty; .Name must be non-empty");
  settings.mesh = "default";
  EXPECT_EQ(error_of(settings), "Invalid configuration: .Dataplane is not valid: .Name must be non-empty");
  settings.mesh = "";
  settings.name = "in-1";
  settings.proxy_type = "ingress";
  EXPECT_TRUE(validate(settings).ok());
  settings = Settings();
  settings.resource_path = "/x.yaml";
  EXPECT_TRUE(validate(settings).ok());
}

TEST(Validate, Refuses_an_unknown_proxy_type) {
  Settings settings = named();
  settings.proxy_type = "foo";
  EXPECT_EQ(error_of(settings),
            "Invalid configuration: .Dataplane is not valid: .ProxyType is not valid: foo is not a valid proxy type");
}

TEST(Validate, Refuses_times_that_are_not_positive) {
  Settings settings = named();
  settings.drain_time = 0s;
  EXPECT_EQ(error_of(settings), "Invalid configuration: .Dataplane is not valid: .DrainTime must be positive");
  settings = named();
  settings.retry_backoff = -1s;
  EXPECT_EQ(
      error_of(settings),
      "Invalid configuration: .ControlPlane is not valid: .Retry is not valid: .Backoff must be a positive duration");
  settings.retry_duration_max = 0s;
  EXPECT_EQ(
      error_of(settings),
      "Invalid configuration: .ControlPlane is not valid: .Retry is not valid: .Backoff must be a positive duration; "
      ".MaxDuration must be a positive duration");
}

TEST(Validate, Refuses_ports_out_of_range_and_empty_programs) {
  Settings settings = named();
  settings.readiness_port = 65354;
  settings.binary_path = "";
  settings.dns_port = 70000;
  settings.dns_binary_path = "";
  EXPECT_EQ(error_of(settings),
            "Invalid configuration: .Dataplane is not valid: .ReadinessPort has to be in [0, 65353] range; "
            ".DataplaneRuntime is not valid: .BinaryPath must be non-empty; "
            ".DNS is not valid: .CoreDNSPort has to be in [0, 65353] range; .CoreDNSBinaryPath cannot be empty");
  settings = named();
  settings.dns_enabled = false;
  settings.dns_port = 70000;
  EXPECT_TRUE(validate(settings).ok());
}

TEST(EffectiveConfiguration, Shows_everything_but_the_token) {
  Settings settings = named();
  settings.token = "secret";
  settings.resource_vars = {{"a", "1"}};
  EXPECT_EQ(
      to_json(to_json_object(settings)),
      R"({"controlPlane":{"url":"https://localhost:5678","retry":{"backoff":"3s","maxDuration":"5m0s"},"caCert":"",)"
      R"("caCertFile":""},"dataplane":{"mesh":"default","name":"web-1","proxyType":"dataplane","drainTime":"30s",)"
      R"("readinessPort":9902},"dataplaneRuntime":{"binaryPath":"envoy","dataplaneToken":"*****","resourceVars":{"a":"1"},)"
      R"("resources":{},"metrics":{}},"dns":{"enabled":true,"coreDnsPort":15053,"coreDnsEmptyPort":15055,)"
      R"("envoyDnsPort":15054,"coreDnsBinaryPath":"coredns","prometheusPort":19153}})");
}

}  // namespace
}  // namespace kuma::dp
