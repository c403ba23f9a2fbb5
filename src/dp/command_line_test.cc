#include "dp/command_line.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string usage_error_of(std::vector<std::string> arguments) {
  const CommandLine line = parse_command_line(arguments);
  const auto* error = std::get_if<UsageError>(&line.command);
  return error == nullptr ? "no error" : error->text;
}

Settings settings_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "run");
  const CommandLine line = parse_command_line(arguments);
  if (const auto* error = std::get_if<UsageError>(&line.command)) {
    ADD_FAILURE() << error->text;
    return {};
  }
  return std::get<RunCommand>(line.command).settings;
}

std::string printed(std::vector<std::string> arguments) {
  const CommandLine line = parse_command_line(arguments);
  const auto* print = std::get_if<PrintCommand>(&line.command);
  return print == nullptr ? "nothing" : print->text;
}

TEST(CommandLine, Names_an_unknown_flag_and_shows_usage) {
  EXPECT_THAT(usage_error_of({"run", "--nonsense=1"}), StartsWith("Error: unknown flag: --nonsense\n"));
  EXPECT_THAT(usage_error_of({"run", "--nonsense", "1"}), HasSubstr("--cp-address"));
  EXPECT_THAT(usage_error_of({"run", "-x"}), StartsWith("Error: unknown shorthand flag: 'x' in -x\n"));
}

TEST(CommandLine, Names_an_unknown_command_and_how_to_get_help) {
  EXPECT_EQ(usage_error_of({"fly"}),
            "Error: unknown command \"fly\" for \"kuma-dp\"\nRun 'kuma-dp --help' for usage.\n");
}

TEST(CommandLine, Refuses_an_unknown_log_level) {
  EXPECT_THAT(usage_error_of({"run", "--log-level", "foo"}), StartsWith("Error: unknown log level \"foo\"\n"));
  EXPECT_THAT(usage_error_of({"--log-level=foo", "version"}), StartsWith("Error: unknown log level \"foo\"\n"));
}

TEST(CommandLine, Refuses_values_of_the_wrong_kind_and_names_the_flag) {
  EXPECT_THAT(
      usage_error_of({"run", "--drain-time", "5"}),
      StartsWith("Error: invalid argument \"5\" for \"--drain-time\" flag: time: missing unit in duration \"5\"\n"));
  EXPECT_THAT(usage_error_of({"run", "--concurrency", "-1"}), StartsWith("Error: "));
  EXPECT_THAT(usage_error_of({"run", "--concurrency=x"}),
              StartsWith("Error: invalid argument \"x\" for \"--concurrency\" flag: strconv.ParseUint: parsing \"x\": "
                         "invalid syntax\n"));
  EXPECT_THAT(usage_error_of({"run", "--dns-coredns-port=99999999999"}), HasSubstr("value out of range"));
  EXPECT_THAT(usage_error_of({"run", "--dns-enabled=maybe"}),
              StartsWith("Error: invalid argument \"maybe\" for \"--dns-enabled\" flag: strconv.ParseBool: parsing "
                         "\"maybe\": invalid syntax\n"));
  EXPECT_THAT(
      usage_error_of({"run", "-v", "x"}),
      StartsWith("Error: invalid argument \"x\" for \"-v, --dataplane-var\" flag: x must be formatted as key=value\n"));
  EXPECT_THAT(usage_error_of({"run", "--log-max-size=x"}),
              HasSubstr("strconv.ParseInt: parsing \"x\": invalid syntax"));
  EXPECT_THAT(usage_error_of({"wait", "--timeout=x"}),
              HasSubstr("for \"--timeout\" flag: time: invalid duration \"x\""));
}

TEST(CommandLine, Says_which_flag_lacks_its_value) {
  EXPECT_THAT(usage_error_of({"run", "--name"}), StartsWith("Error: flag needs an argument: --name\n"));
}

TEST(CommandLine, Reads_every_flag_of_run) {
  const Settings settings = settings_of({"--cp-address=https://cp:5678",
                                         "--ca-cert-file",
                                         "/ca",
                                         "--name=n",
                                         "--mesh=m",
                                         "--proxy-type=ingress",
                                         "--drain-time=5s",
                                         "--binary-path=/envoy",
                                         "--config-dir=/c",
                                         "--concurrency=3",
                                         "--dataplane-token-file=/t",
                                         "--dataplane-token=tok",
                                         "--dataplane=---\ntype: Dataplane",
                                         "-d",
                                         "-",
                                         "--envoy-log-level=debug",
                                         "--envoy-component-log-level=http:debug",
                                         "--metrics-cert-path=/mc",
                                         "--metrics-key-path=/mk",
                                         "--dns-enabled=false",
                                         "--dns-coredns-port=1",
                                         "--dns-envoy-port=2",
                                         "--dns-coredns-empty-port=3",
                                         "--dns-prometheus-port=4",
                                         "--dns-coredns-path=/cd",
                                         "--dns-coredns-config-template-path=/ct",
                                         "--dns-server-config-dir=/dc"});
  EXPECT_EQ(settings.cp_address, "https://cp:5678");
  EXPECT_EQ(settings.ca_cert_file, "/ca");
  EXPECT_EQ(settings.name, "n");
  EXPECT_EQ(settings.mesh, "m");
  EXPECT_EQ(settings.proxy_type, "ingress");
  EXPECT_EQ(settings.drain_time, 5s);
  EXPECT_EQ(settings.binary_path, "/envoy");
  EXPECT_EQ(settings.config_dir, "/c");
  EXPECT_EQ(settings.concurrency, 3u);
  EXPECT_EQ(settings.token_path, "/t");
  EXPECT_EQ(settings.token, "tok");
  EXPECT_EQ(settings.resource, "---\ntype: Dataplane");
  EXPECT_EQ(settings.resource_path, "-");
  EXPECT_EQ(settings.envoy_log_level, "debug");
  EXPECT_EQ(settings.envoy_component_log_level, "http:debug");
  EXPECT_EQ(settings.metrics_cert_path, "/mc");
  EXPECT_EQ(settings.metrics_key_path, "/mk");
  EXPECT_FALSE(settings.dns_enabled);
  EXPECT_EQ(settings.dns_port, 1u);
  EXPECT_EQ(settings.dns_envoy_port, 2u);
  EXPECT_EQ(settings.dns_empty_port, 3u);
  EXPECT_EQ(settings.dns_prometheus_port, 4u);
  EXPECT_EQ(settings.dns_binary_path, "/cd");
  EXPECT_EQ(settings.dns_config_template_path, "/ct");
  EXPECT_EQ(settings.dns_config_dir, "/dc");
}

TEST(CommandLine, Takes_the_last_of_a_repeated_flag_and_all_variables) {
  const Settings settings =
      settings_of({"--name=a", "--name=b", "-v", "x=1", "--dataplane-var", "y=2,z=3", "-v", "w=a,b"});
  EXPECT_EQ(settings.name, "b");
  EXPECT_EQ(settings.resource_vars,
            (std::map<std::string, std::string>{{"w", "a,b"}, {"x", "1"}, {"y", "2"}, {"z", "3"}}));
}

TEST(CommandLine, Switches_stand_alone_or_with_a_value) {
  EXPECT_TRUE(settings_of({"--dns-enabled"}).dns_enabled);
  EXPECT_TRUE(settings_of({}).dns_enabled);
  EXPECT_FALSE(settings_of({"--dns-enabled=0"}).dns_enabled);
}

TEST(CommandLine, Takes_global_flags_before_and_after_the_command) {
  const CommandLine before = parse_command_line({"--log-level=debug", "run"});
  EXPECT_EQ(std::get<RunCommand>(before.command).log.level, "debug");
  const CommandLine after = parse_command_line({"run", "--log-level", "off", "--log-output-path=/l"});
  EXPECT_EQ(std::get<RunCommand>(after.command).log.level, "off");
  EXPECT_EQ(std::get<RunCommand>(after.command).log.path, "/l");
}

TEST(CommandLine, Warns_of_the_deprecated_flag) {
  EXPECT_EQ(parse_command_line({"run", "--bootstrap-version=3"}).warnings,
            "Flag --bootstrap-version has been deprecated, Envoy API v3 is used and can not be changed\n");
  EXPECT_EQ(parse_command_line({"run"}).warnings, "");
}

TEST(CommandLine, Prints_versions) {
  EXPECT_EQ(printed({"version"}), "Kuma: 2.5.11\n");
  EXPECT_THAT(printed({"version", "-a"}), StartsWith("Product:       Kuma\nVersion:       2.5.11\nGit Tag:       "));
  EXPECT_EQ(printed({"version", "--detailed"}), printed({"version", "-a"}));
}

TEST(CommandLine, Helps) {
  EXPECT_THAT(printed({}), HasSubstr("run"));
  EXPECT_THAT(printed({"--help"}), HasSubstr("completion"));
  EXPECT_THAT(printed({"run", "--help"}), HasSubstr("KUMA_CONTROL_PLANE_URL"));
  EXPECT_THAT(printed({"help", "run"}), HasSubstr("--dataplane-file"));
}

TEST(CommandLine, Has_completion_for_four_shells) {
  EXPECT_THAT(printed({"completion", "bash"}), HasSubstr("--dataplane-file"));
  EXPECT_THAT(printed({"completion", "zsh"}), StartsWith("#compdef"));
  EXPECT_THAT(printed({"completion", "fish"}), HasSubstr("complete -c kuma-dp"));
  EXPECT_THAT(printed({"completion", "powershell"}), HasSubstr("Register-ArgumentCompleter"));
}

TEST(CommandLine, Reads_wait) {
  const CommandLine line = parse_command_line({"wait", "--url=http://x/", "--timeout=1s"});
  const auto& wait = std::get<WaitCommand>(line.command);
  EXPECT_EQ(wait.url, "http://x/");
  EXPECT_EQ(wait.timeout, 1s);
  EXPECT_EQ(wait.check_frequency, 1s);
  EXPECT_EQ(wait.request_timeout, 500ms);
}

}  // namespace
}  // namespace kuma::dp
