#include "dp/envoy.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

TEST(EnvoyVersion, Is_read_from_the_programs_own_words) {
  const auto version =
      parse_envoy_version("\n/opt/envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL\n\n");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version, "1.40.0");
  EXPECT_EQ(version->build, "9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL");
  EXPECT_TRUE(version->compatible);
}

TEST(EnvoyVersion, Refuses_any_other_form) {
  EXPECT_EQ(parse_envoy_version("envoy version: abc/1.40.0/Clean\n").status().message(),
            "wrong Envoy build format: abc/1.40.0/Clean");
  EXPECT_EQ(parse_envoy_version("hello\n").status().message(), "wrong Envoy build format: hello");
  EXPECT_EQ(parse_envoy_version("").status().message(), "wrong Envoy build format: ");
}

bool compatible(const std::string& version) {
  return parse_envoy_version("envoy version: sha/" + version + "/Clean/RELEASE/BoringSSL")->compatible;
}

TEST(EnvoyVersion, Is_compatible_within_the_tested_range_only) {
  EXPECT_FALSE(compatible("1.28.6"));
  EXPECT_TRUE(compatible("1.28.7"));
  EXPECT_TRUE(compatible("1.40.9"));
  EXPECT_TRUE(compatible("1.40.0-dev"));
  EXPECT_FALSE(compatible("1.41.0"));
  EXPECT_FALSE(compatible("2.0.0"));
  EXPECT_FALSE(compatible("1.40"));
  EXPECT_FALSE(compatible("x.y.z"));
}

ProgramSearch search_with(std::set<std::string> programs) {
  return {
      .path_variable = "/bin:/usr/bin",
      .working_directory = "/cwd",
      .own_directory = "/own",
      .is_executable = [programs = std::move(programs)](const std::string& path) { return programs.contains(path); }};
}

TEST(FindProgram, Names_all_places_when_it_is_nowhere) {
  EXPECT_EQ(find_program("envoy", "envoy", search_with({})).status().message(),
            "could not find executable binary in any of the following paths: [envoy /cwd/envoy /own/envoy]");
  EXPECT_EQ(find_program("/x/my-envoy", "envoy", search_with({})).status().message(),
            "could not find executable binary in any of the following paths: [/x/my-envoy /cwd/envoy /own/envoy]");
}

TEST(FindProgram, Takes_the_configured_path_then_the_working_directory_then_its_own) {
  EXPECT_EQ(*find_program("/x/e", "envoy", search_with({"/x/e", "/cwd/envoy"})), "/x/e");
  EXPECT_EQ(*find_program("envoy", "envoy", search_with({"/usr/bin/envoy", "/cwd/envoy"})), "/usr/bin/envoy");
  EXPECT_EQ(*find_program("envoy", "envoy", search_with({"/cwd/envoy", "/own/envoy"})), "/cwd/envoy");
  EXPECT_EQ(*find_program("/x/e", "envoy", search_with({"/own/envoy"})), "/own/envoy");
}

TEST(EnvoyArguments, Come_in_their_order) {
  EXPECT_THAT(envoy_arguments({.config_path = "/c/bootstrap.yaml",
                               .drain_seconds = 30,
                               .log_level = "info",
                               .component_log_level = "",
                               .concurrency = 0}),
              testing::ElementsAre("--config-path", "/c/bootstrap.yaml", "--drain-time-s", "30",
                                   "--disable-hot-restart", "--log-level", "info", "--cpuset-threads"));
  EXPECT_THAT(envoy_arguments({.config_path = "/b",
                               .drain_seconds = 1,
                               .log_level = "off",
                               .component_log_level = "http:debug",
                               .concurrency = 2}),
              testing::ElementsAre("--config-path", "/b", "--drain-time-s", "1", "--disable-hot-restart", "--log-level",
                                   "off", "--component-log-level", "http:debug", "--concurrency", "2"));
}

}  // namespace
}  // namespace kuma::dp
