#include "dp/launch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/status.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kDataplane = R"(type: Dataplane
mesh: "{{ mesh }}"
name: {{ name }}
networking:
  address: 127.0.0.1
  inbound:
  - port: 8080
    tags: {kuma.io/service: web}
)";

TEST(ProxyResource, Refuses_what_is_no_resource) {
  EXPECT_EQ(parse_proxy_resource("type: Foo\n").status().message(), "invalid resource type \"Foo\"");
  EXPECT_EQ(parse_proxy_resource("name: x\n").status().message(), "invalid resource type \"\"");
  EXPECT_THAT(std::string(parse_proxy_resource("a: [").status().message()), HasSubstr("line 1"));
}

TEST(ProxyResource, Says_where_a_value_has_the_wrong_kind) {
  const auto parsed = parse_proxy_resource("type: Dataplane\nmesh: m\nname: d\nnetworking: {address: 10.0.0.1, inbound: [{port: eighty}]}");
  EXPECT_THAT(std::string(message_of(parsed.status())),
              HasSubstr("\nnetworking.inbound[0].port: expected a whole number from 0 to 4294967295, got the string \"eighty\""));
}

TEST(ProxyResource, Is_validated_as_the_control_plane_will) {
  EXPECT_EQ(parse_proxy_resource("type: Dataplane\nmesh: default\nname: web-1\nnetworking: {}\n").status().message(),
            "networking: has to contain at least one inbound interface or gateway; networking.address: address can't "
            "be empty");
}

TEST(ProxyResource, Names_follow_the_strict_rule_or_the_old_one_with_a_warning) {
  const auto with_name = [](const std::string& name) {
    std::string text(kDataplane);
    text.replace(text.find("{{ name }}"), 10, name).replace(text.find("{{ mesh }}"), 10, "default");
    return parse_proxy_resource(text);
  };
  EXPECT_EQ(with_name("web-1")->warning, "");
  EXPECT_THAT(with_name("web_1")->warning, StartsWith("[WARNING] Kuma 2.5.x introduces more strict validation rules"));
  EXPECT_THAT(std::string(with_name("Web*1").status().message()), HasSubstr("name"));
}

TEST(ProxyResource, Becomes_the_form_that_the_bootstrap_carries) {
  const auto resource = parse_proxy_resource(
      R"({"type":"Dataplane","mesh":"default","name":"web-1","networking":{"address":"127.0.0.1","inbound":[{"port":80,"tags":{"kuma.io/service":"web"}}]}})");
  ASSERT_TRUE(resource.ok()) << resource.status();
  EXPECT_EQ(resource->type, "Dataplane");
  EXPECT_EQ(resource->mesh, "default");
  EXPECT_EQ(resource->name, "web-1");
  EXPECT_EQ(resource->json,
            R"({"type":"Dataplane","mesh":"default","name":"web-1","creationTime":"0001-01-01T00:00:00Z",)"
            R"("modificationTime":"0001-01-01T00:00:00Z","networking":{"address":"127.0.0.1","inbound":[{"port":80,)"
            R"("tags":{"kuma.io/service":"web"}}]}})");
}

TEST(ProxyResource, Type_belongs_to_a_proxy_type) {
  EXPECT_EQ(*resource_type_of("dataplane"), "Dataplane");
  EXPECT_EQ(*resource_type_of("ingress"), "ZoneIngress");
  EXPECT_EQ(*resource_type_of("egress"), "ZoneEgress");
  EXPECT_EQ(resource_type_of("foo").status().message(), "invalid proxy type \"foo\"");
}

class LaunchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_ + "/tmp");
    file("template.yaml", std::string(kDataplane));
    file("token", "\n" + base64url_encode(R"({"alg":"RS256"})") + "." + base64url_encode("{}") + ".c2ln\n");
    fake_envoy("echo; echo 'envoy  version: sha/1.40.0/Clean/RELEASE/BoringSSL'");
    settings_.resource_path = dir_ + "/template.yaml";
    settings_.resource_vars = {{"mesh", "default"}, {"name", "web-1"}};
    settings_.binary_path = dir_ + "/bin/envoy";
    settings_.dns_enabled = false;
    env_ = {{"TMPDIR", dir_ + "/tmp"}, {"PATH", "/usr/bin:/bin"}};
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string file(const std::string& name, const std::string& content) {
    const std::string path = dir_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << content;
    return path;
  }
  void fake_envoy(const std::string& body) {
    std::filesystem::permissions(file("bin/envoy", "#!/bin/sh\n" + body + "\n"), std::filesystem::perms::owner_all);
  }
  absl::StatusOr<Launch> launch() {
    const World world{.env =
                          [this](std::string_view name) {
                            const auto found = env_.find(std::string(name));
                            return found == env_.end() ? std::nullopt : std::optional(found->second);
                          },
                      .out = out_,
                      .err = err_,
                      .clock = system_clock(),
                      .working_directory = dir_,
                      .own_directory = dir_ + "/own"};
    auto plan = make_plan(settings_, "info", world, log_);
    return plan.ok() ? prepare_launch(*std::move(plan), world, log_) : plan.status();
  }
  std::string error() {
    const auto result = launch();
    return result.ok() ? "no error" : std::string(result.status().message());
  }

  std::string dir_ =
      testing::TempDir() + "kuma-dp-launch-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  Settings settings_;
  std::map<std::string, std::string> env_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::string logged_;
  Log log_{system_clock(), Log::Level::Info, [this](std::string_view line) { logged_ += line; }};
};

TEST_F(LaunchTest, Says_that_the_template_cannot_be_read) {
  settings_.resource_path = "/none/dp.yaml";
  EXPECT_EQ(error(), "error while reading provided file: open /none/dp.yaml: no such file or directory");
}

TEST_F(LaunchTest, Compares_the_template_with_the_proxy_type) {
  settings_.proxy_type = "ingress";
  EXPECT_EQ(error(), "invalid proxy resource type \"Dataplane\", expected ZoneIngress");
  settings_.proxy_type = "foo";
  EXPECT_EQ(error(), "invalid proxy type \"foo\"");
}

TEST_F(LaunchTest, Takes_name_and_mesh_from_one_place_only) {
  settings_.name = "other";
  EXPECT_EQ(
      error(),
      "--name and --mesh cannot be specified when a dataplane definition is provided, mesh and name will be read from "
      "the dataplane definition");
}

TEST_F(LaunchTest, An_empty_template_is_none) {
  file("template.yaml", "");
  EXPECT_EQ(error(),
            "Invalid configuration: .Dataplane is not valid: .Mesh must be non-empty; .Name must be non-empty");
}

TEST_F(LaunchTest, An_unclosed_tag_names_its_line) {
  file("template.yaml", "type: Dataplane\nname: {{ name\n");
  EXPECT_THAT(error(), HasSubstr("line 2"));
}

TEST_F(LaunchTest, Says_which_variables_of_the_template_have_no_value) {
  file("template.yaml", "type: Dataplane\nmesh: {{ mesh }}\nname: \"{{ name }}\"\nnetworking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}\n");
  settings_.resource_vars.clear();
  EXPECT_EQ(error(), "name: cannot be empty; mesh: cannot be empty");
  EXPECT_THAT(logged_, HasSubstr("[WARNING] the template has variables without a value, give them with --dataplane-var: mesh, name"));
}

TEST_F(LaunchTest, Says_what_is_wrong_with_address_ca_and_token) {
  settings_.cp_address = "localhost:5678";
  EXPECT_THAT(error(), HasSubstr("has to be a URL such as https://localhost:5678"));
  settings_.cp_address = "https://localhost:5678";
  settings_.ca_cert_file = "/none/ca.pem";
  EXPECT_EQ(error(), "could not read certificate file /none/ca.pem: open /none/ca.pem: no such file or directory");
  settings_.ca_cert_file = "";
  settings_.token_path = "/none/token";
  EXPECT_THAT(error(), HasSubstr("could not read file /none/token: stat /none/token: no such file or directory"));
}

TEST_F(LaunchTest, Says_in_one_line_that_there_is_no_envoy) {
  settings_.binary_path = "no-such-envoy";
  EXPECT_EQ(error(),
            "failed to get Envoy version: could not find executable binary in any of the following paths: "
            "[no-such-envoy " +
                dir_ + "/envoy " + dir_ + "/own/envoy]");
}

TEST_F(LaunchTest, Refuses_a_program_that_is_no_envoy) {
  fake_envoy("echo hello");
  EXPECT_EQ(error(), "failed to get Envoy version: wrong Envoy build format: hello");
  fake_envoy("exit 3");
  EXPECT_EQ(error(), "failed to get Envoy version: " + dir_ + "/bin/envoy: exit status 3");
}

TEST_F(LaunchTest, Mentions_an_untested_envoy_and_goes_on) {
  fake_envoy("echo 'envoy  version: sha/1.99.0/Clean/RELEASE/BoringSSL'");
  const auto result = launch();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->request.envoy.compatible);
  EXPECT_THAT(logged_,
              HasSubstr("Envoy version incompatible\t{\"expected\": \">=1.28.7 <1.41.0\", \"current\": \"1.99.0\"}"));
}

TEST_F(LaunchTest, Puts_the_request_together) {
  settings_.token_path = dir_ + "/token";
  settings_.metrics_cert_path = "/mc";
  settings_.memory_bytes_max = 77;
  file("ca.pem", "PEM");
  settings_.ca_cert_file = dir_ + "/ca.pem";
  const auto result = launch();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->request.mesh, "default");
  EXPECT_EQ(result->request.name, "web-1");
  EXPECT_EQ(result->request.proxy_type, "dataplane");
  EXPECT_THAT(result->request.token, testing::EndsWith(".c2ln"));
  EXPECT_EQ(result->request.token_path, dir_ + "/token");
  EXPECT_THAT(result->request.resource, HasSubstr("\"name\":\"web-1\""));
  EXPECT_EQ(result->request.ca_cert, "PEM");
  EXPECT_EQ(result->request.dns_port, 15054u);
  EXPECT_EQ(result->request.readiness_port, 9902u);
  EXPECT_EQ(result->request.memory_bytes_max, 77u);
  EXPECT_EQ(result->request.metrics_cert_path, "/mc");
  const std::string temp = result->temp_dir.path();
  EXPECT_THAT(temp, StartsWith(dir_ + "/tmp/kuma-dp-"));
  EXPECT_EQ(result->settings.config_dir, temp);
  EXPECT_EQ(result->request.access_log_path, temp + "/kuma-al-web-1-default.sock");
  EXPECT_EQ(result->request.metrics_path, temp + "/kuma-mh-web-1-default.sock");
  EXPECT_EQ(result->envoy_path, dir_ + "/bin/envoy");
  EXPECT_EQ(result->settings.envoy_log_level, "info");
}

TEST_F(LaunchTest, Writes_an_inline_token_where_only_its_owner_reads_it) {
  settings_.token = base64url_encode(R"({"alg":"RS256"})") + "." + base64url_encode("{}") + ".c2ln";
  const auto result = launch();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->request.token_path, result->temp_dir.path() + "/web-1");
  EXPECT_EQ(*read_file(result->request.token_path), settings_.token);
  EXPECT_EQ(logged_.find(settings_.token), std::string::npos);
}

TEST_F(LaunchTest, Leaves_no_directory_behind_when_it_fails) {
  settings_.token = "no token";
  EXPECT_THAT(error(), HasSubstr("not valid JWT token"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ + "/tmp"));
}

TEST_F(LaunchTest, Needs_no_temporary_directory_when_all_are_given) {
  settings_.config_dir = dir_ + "/c";
  settings_.dns_config_dir = dir_ + "/d";
  const auto result = launch();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->temp_dir.path(), "");
  EXPECT_EQ(result->request.access_log_path, "kuma-al-web-1-default.sock");
}

TEST_F(LaunchTest, Warns_of_an_unverified_control_plane_and_of_a_template_without_effect) {
  settings_.dns_enabled = true;
  settings_.dns_config_template_path = "Corefile.tmpl";
  ASSERT_TRUE(launch().ok());
  EXPECT_THAT(logged_,
              HasSubstr("[WARNING] The data plane proxy cannot verify the identity of the control plane because"));
  EXPECT_THAT(logged_, HasSubstr("[WARNING] --dns-coredns-config-template-path has no effect"));
  logged_.clear();
  env_["KUMA_CONTROL_PLANE_CA_CERT"] = "PEM";
  env_["KUMA_DNS_ENABLED"] = "false";
  ASSERT_TRUE(launch().ok());
  EXPECT_EQ(logged_.find("WARNING"), std::string::npos);
}

}  // namespace
}  // namespace kuma::dp
