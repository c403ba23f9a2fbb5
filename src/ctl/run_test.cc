#include "ctl/run.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/status.h"
#include "base/text.h"
#include "ctl/config_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/policy.h"

namespace kuma::ctl {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const model::Registry& registry() {
  static const model::Registry kRegistry = [] {
    std::vector<model::ResourceType> types = model::core_types();
    for (model::ResourceType& type : policy::policy_types()) {
      types.push_back(std::move(type));
    }
    return model::Registry(std::move(types));
  }();
  return kRegistry;
}

// Runs kumactl in an empty home, against answers laid out by "METHOD path".
class KumactlTest : public ::testing::Test {
 protected:
  KumactlTest() {
    home_ = std::filesystem::temp_directory_path() / ("kumactl-test-" + random_uuid());
    std::filesystem::create_directories(home_);
    answers_["GET /"] = {.status = 200, .headers = {}, .body = R"({"tagline":"Kuma","version":"2.5.11"})"};
  }
  ~KumactlTest() override { std::filesystem::remove_all(home_); }

  int kumactl(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out, err;
    const Environment environment{
        .in = in, .out = out, .err = err, .home = home_.string(), .clock = clock_, .registry = registry(),
        .http = [this](net::HttpCall call) -> absl::StatusOr<net::HttpResponse> {
          const std::string path = call.url.substr(call.url.find('/', 8));
          calls_.push_back(call.method + " " + path + (call.body.empty() ? "" : " " + call.body));
          authorization_ = std::string(call.headers.get("authorization"));
          const auto answer = answers_.find(call.method + " " + path);
          if (answer == answers_.end()) {
            return absl::UnavailableError("connection refused");
          }
          return answer->second;
        }};
    const int code = run(arguments, environment);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  void answer(const std::string& call, int status, const std::string& body) {
    answers_[call] = {.status = status, .headers = {}, .body = body};
  }

  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = home_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  std::filesystem::path home_;
  ManualClock clock_{WallTime(std::chrono::seconds(1'700'000'000))};
  std::map<std::string, net::HttpResponse> answers_;
  std::vector<std::string> calls_;
  std::string out_, err_, authorization_;
};

TEST_F(KumactlTest, Says_which_flags_are_missing) {
  EXPECT_EQ(kumactl({"generate", "user-token"}), 1);
  EXPECT_EQ(err_, "Error: required flag(s) \"name\", \"valid-for\" not set\n");
  EXPECT_EQ(kumactl({"apply"}), 1);
  EXPECT_EQ(err_, "Error: required flag(s) \"file\" not set\n");
}

TEST_F(KumactlTest, Says_how_many_arguments_a_command_takes) {
  EXPECT_EQ(kumactl({"get", "mesh"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: accepts 1 arg(s), received 0\n"));
  EXPECT_EQ(kumactl({"delete", "mesh"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: accepts 2 arg(s), received 1\n"));
}

TEST_F(KumactlTest, Names_an_unknown_flag) {
  EXPECT_EQ(kumactl({"get", "meshes", "--frobnicate=1"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: unknown flag: --frobnicate\n"));
  EXPECT_THAT(err_, HasSubstr("Usage: kumactl get meshes [OPTIONS]"));
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"--frobnicate"}, {"get", "--frobnicate"}}) {
    EXPECT_EQ(kumactl(arguments), 1);
    EXPECT_THAT(err_, StartsWith("Error: unknown flag: --frobnicate\n"));
  }
  EXPECT_EQ(kumactl({"get", "meshes", "--size"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: flag needs an argument: --size\n"));
}

TEST_F(KumactlTest, Says_which_command_a_mistyped_one_may_mean) {
  EXPECT_EQ(kumactl({"get", "health-checks"}), 0);
  EXPECT_EQ(err_, "get: there is no command \"health-checks\"; did you mean \"healthchecks\"?\n");
  EXPECT_EQ(kumactl({"xyzzy"}), 0);
  EXPECT_EQ(err_, "kumactl: there is no command \"xyzzy\"\n");
}

TEST_F(KumactlTest, Helps_with_a_command) {
  EXPECT_EQ(kumactl({"help", "get", "mesh"}), 0);
  EXPECT_THAT(out_, HasSubstr("Usage: kumactl get mesh [OPTIONS]"));
  EXPECT_EQ(kumactl({"help"}), 0);
  EXPECT_THAT(out_, HasSubstr("Usage: kumactl [OPTIONS]"));
  EXPECT_TRUE(calls_.empty());
}

TEST_F(KumactlTest, Prints_completion_scripts) {
  EXPECT_EQ(kumactl({"completion", "tcsh"}), 1);
  EXPECT_EQ(err_, "Error: unknown shell \"tcsh\"; it is bash, fish, powershell or zsh\n");
  EXPECT_EQ(kumactl({"completion", "bash"}), 0);
  EXPECT_THAT(out_, HasSubstr("complete -F _kumactl kumactl"));
  EXPECT_THAT(out_, HasSubstr("\" get meshes\""));
}

TEST_F(KumactlTest, Prints_help_and_succeeds_for_a_group_without_a_known_command) {
  EXPECT_EQ(kumactl({"get", "foo"}), 0);
  EXPECT_THAT(out_, HasSubstr("meshtimeouts"));
  EXPECT_EQ(kumactl({}), 0);
  EXPECT_THAT(out_, HasSubstr("apply"));
}

TEST_F(KumactlTest, Prints_errors_of_the_server_in_its_words) {
  answer("GET /meshes/default/dataplanes/x", 400,
         R"({"title":"Could not create a resource","detail":"Mesh is not found","invalid_parameters":[{"field":"mesh","reason":"mesh of name nomesh is not found"}]})");
  EXPECT_EQ(kumactl({"get", "dataplane", "x"}), 1);
  EXPECT_EQ(err_, "Error: Could not create a resource (Mesh is not found)\n* mesh: mesh of name nomesh is not found\n");
}

TEST_F(KumactlTest, Prints_status_and_body_of_other_errors) {
  answer("GET /meshes", 500, "oops");
  EXPECT_EQ(kumactl({"get", "meshes"}), 1);
  EXPECT_EQ(err_, "Error: failed to list Mesh: (500): oops\n");
  answer("GET /meshes", 404, "404 page not found\n");
  EXPECT_EQ(kumactl({"get", "meshes"}), 1);
  EXPECT_EQ(err_, "Error: failed to list Mesh: (404): 404 page not found\n");
}

TEST_F(KumactlTest, Prints_the_servers_hint) {
  answer("GET /meshes/default/dataplanes/x", 500, R"({"title":"Could not update a resource","detail":"Internal Server Error"})");
  answers_["GET /meshes/default/dataplanes/x"].headers.add("kuma-hint", "its tags do not fit");
  EXPECT_EQ(kumactl({"get", "dataplane", "x"}), 1);
  EXPECT_EQ(err_, "Error: Could not update a resource (Internal Server Error)\nits tags do not fit\n");
}

TEST_F(KumactlTest, Warns_of_another_version_and_goes_on) {
  answer("GET /", 200, R"({"tagline":"Kuma","version":"2.4.0"})");
  answer("GET /meshes", 200, R"({"total":0,"items":[],"next":null})");
  EXPECT_EQ(kumactl({"get", "meshes"}), 0);
  EXPECT_EQ(err_, "WARNING: You are using kumactl version 2.5.11 for Kuma, but the server returned version: Kuma 2.4.0\n");
}

TEST_F(KumactlTest, Shows_lists_as_tables_with_ages_and_the_next_offset) {
  answer("GET /meshes/default/dataplanes?size=1", 200,
         R"({"total":2,"items":[{"type":"Dataplane","mesh":"default","name":"web-1","modificationTime":"2023-11-14T22:12:20Z",
             "networking":{"address":"10.0.0.1","inbound":[{"port":80,"tags":{"kuma.io/service":"web","v":"1"}},{"port":81,"tags":{"kuma.io/service":"api"}}]}}],
             "next":"http://localhost:5681/meshes/default/dataplanes?offset=1&size=1"})");
  EXPECT_EQ(kumactl({"get", "dataplanes", "--size", "1"}), 0);
  EXPECT_EQ(out_,
            "MESH      NAME    TAGS                          ADDRESS    AGE\n"
            "default   web-1   kuma.io/service=api,web v=1   10.0.0.1   1m\n"
            "\nRerun command with --offset=1 argument to retrieve more resources\n");
}

TEST_F(KumactlTest, Shows_one_resource_as_yaml_and_json) {
  answer("GET /meshes/default/timeouts/t", 200, R"({"type":"Timeout","mesh":"default","name":"t","conf":{"connectTimeout":"5s"}})");
  EXPECT_EQ(kumactl({"get", "timeout", "t", "-o", "yaml"}), 0);
  EXPECT_EQ(out_, "mesh: default\nname: t\ntype: Timeout\nconf:\n  connectTimeout: 5s\n");
  EXPECT_EQ(kumactl({"get", "timeout", "t", "-ojson"}), 0);
  EXPECT_THAT(out_, HasSubstr("\n  \"conf\": {\n    \"connectTimeout\": \"5s\"\n  }"));
  EXPECT_EQ(kumactl({"get", "timeout", "t", "-o", "xml"}), 1);
  EXPECT_EQ(err_, "Error: unknown output format \"xml\"\n");
}

TEST_F(KumactlTest, Says_that_nothing_was_found) {
  answer("GET /meshes/default/timeouts/t", 404, R"({"title":"Could not retrieve a resource","detail":"Not found"})");
  EXPECT_EQ(kumactl({"get", "timeout", "t"}), 1);
  EXPECT_EQ(err_, "Error: No resources found in default mesh\n");
}

TEST_F(KumactlTest, Refuses_invalid_documents_before_sending_any) {
  const std::string good = "type: Mesh\nname: m1\n";
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, good + "---\ntype: Mesh\nname: m2\nmtls: {enabledBackend: nope}\n"), 1);
  EXPECT_EQ(err_,
            "Error: YAML contains invalid resource: mtls.enabledBackend: has to be set to one of the backends in the mesh\n"
            "in standard input, document 2 (from line 4)\n");
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Foo\nname: m1\n"), 1);
  EXPECT_EQ(err_, "Error: YAML contains invalid resource: invalid resource type \"Foo\"\n");
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Mesh\nname: [\n"), 1);
  EXPECT_THAT(err_, StartsWith("Error: YAML contains invalid resource: line 3, column "));
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Mesh\n"), 1);
  EXPECT_EQ(err_, "Error: name: cannot be empty\n");
  EXPECT_TRUE(calls_.empty());
}

TEST_F(KumactlTest, Refuses_nothing_and_missing_files) {
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, ""), 1);
  EXPECT_EQ(err_, "Error: no resource(s) passed to apply\n");
  EXPECT_EQ(kumactl({"apply", "-f", "/nowhere/x.yaml"}), 1);
  EXPECT_EQ(err_, "Error: error while reading provided file: open /nowhere/x.yaml: no such file or directory\n");
  std::filesystem::create_directories(home_ / "empty");
  EXPECT_EQ(kumactl({"apply", "-f", (home_ / "empty").string()}), 1);
  EXPECT_THAT(err_, HasSubstr("no *.yaml, *.yml or *.json file in the folder"));
}

TEST_F(KumactlTest, Fails_when_a_URL_does_not_answer_200) {
  answer("GET /x.yaml", 404, "");
  EXPECT_EQ(kumactl({"apply", "-f", "http://example.invalid/x.yaml"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: error while retrieving URL"));
}

TEST_F(KumactlTest, Says_which_variables_have_no_value) {
  EXPECT_EQ(kumactl({"apply", "-f", "-", "-v", "a=b"}, "type: Mesh\nname: \"{{ name }}\"\n"), 1);
  EXPECT_EQ(err_, "[WARNING] the file has variables without a value, give them with --var: name\nError: name: cannot be empty\n");
}

TEST_F(KumactlTest, Says_where_a_value_has_the_wrong_kind) {
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Dataplane\nmesh: m\nname: d\nnetworking: {address: 10.0.0.1, inbound: [{port: eighty}]}\n"), 1);
  EXPECT_THAT(err_, StartsWith("Error: YAML contains invalid resource: invalid Dataplane object: '"));
  EXPECT_THAT(err_, HasSubstr("\nnetworking.inbound[0].port: expected a whole number from 0 to 4294967295, got the string \"eighty\"\n"));
}

TEST_F(KumactlTest, Says_which_file_of_a_folder_is_wrong) {
  write("all/a.yaml", "type: Mesh\nname: m1\n");
  const std::string bad = write("all/b.yaml", "type: Foo\nname: m2\n");
  EXPECT_EQ(kumactl({"apply", "-f", (home_ / "all").string()}), 1);
  EXPECT_EQ(err_, "Error: YAML contains invalid resource: invalid resource type \"Foo\"\nin " + bad + "\n");
}

TEST_F(KumactlTest, Says_which_document_the_server_refuses) {
  answer("GET /meshes/m1", 200, "{}");
  answer("PUT /meshes/m1", 200, "");
  answer("GET /meshes/m2", 200, "{}");
  answer("PUT /meshes/m2", 405, R"({"title":"Method not Allowed","detail":"Method not allowed"})");
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Mesh\nname: m1\n---\ntype: Mesh\nname: m2\n"), 1);
  EXPECT_EQ(err_, "Error: Method not Allowed (Method not allowed)\nin standard input, document 2 (from line 4)\n");
}

TEST_F(KumactlTest, Skips_documents_that_have_only_comments) {
  answer("GET /meshes/m1", 200, "{}");
  answer("PUT /meshes/m1", 200, "");
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "# who made this\n---\ntype: Mesh\nname: m1\n---\n# the end\n"), 0) << err_;
  EXPECT_EQ(calls_.size(), 3u);
}

TEST_F(KumactlTest, Warns_of_names_in_the_older_form) {
  answer("GET /meshes/a_b", 200, "{}");
  answer("PUT /meshes/a_b", 200, "");
  EXPECT_EQ(kumactl({"apply", "-f", "-"}, "type: Mesh\nname: a_b\n"), 0);
  EXPECT_THAT(err_, StartsWith("[WARNING] Kuma 2.5.x introduces more strict validation rules for resource name"));
}

TEST_F(KumactlTest, Applies_many_documents_in_order_with_variables) {
  answer("GET /meshes/m1", 404, R"({"title":"Could not retrieve a resource","detail":"Not found"})");
  answer("PUT /meshes/m1", 201, "");
  answer("GET /meshes/m1/timeouts/t", 200, "{}");
  answer("PUT /meshes/m1/timeouts/t", 200, "");
  const std::string text =
      "type: Mesh\nname: {{ mesh }}\n---\ntype: Timeout\nmesh: {{mesh}}\nname: t\n"
      "sources: [{match: {kuma.io/service: \"*\"}}]\ndestinations: [{match: {kuma.io/service: \"*\"}}]\nconf: {connectTimeout: 2s}\n";
  EXPECT_EQ(kumactl({"apply", "-f", "-", "-v", "mesh=m1"}, text), 0) << err_;
  ASSERT_EQ(calls_.size(), 5u);
  EXPECT_EQ(calls_[1], "GET /meshes/m1");
  EXPECT_THAT(calls_[2], StartsWith("PUT /meshes/m1 {\"type\":\"Mesh\",\"name\":\"m1\""));
  EXPECT_THAT(calls_[4], HasSubstr("\"connectTimeout\":\"2s\""));
  EXPECT_EQ(out_, "");
}

TEST_F(KumactlTest, Applies_all_files_of_a_folder) {
  write("all/b.yaml", "type: Mesh\nname: m2\n");
  write("all/a.json", R"({"type":"Mesh","name":"m1"})");
  write("all/readme.txt", "not a resource");
  for (const std::string mesh : {"m1", "m2"}) {
    answer("GET /meshes/" + mesh, 404, "");
    answer("PUT /meshes/" + mesh, 201, "");
  }
  EXPECT_EQ(kumactl({"apply", "-f", (home_ / "all").string()}), 0) << err_;
  ASSERT_EQ(calls_.size(), 5u);
  EXPECT_THAT(calls_[2], HasSubstr("\"name\":\"m1\""));
  EXPECT_THAT(calls_[4], HasSubstr("\"name\":\"m2\""));
}

TEST_F(KumactlTest, Prints_instead_of_sending_on_a_dry_run) {
  EXPECT_EQ(kumactl({"apply", "-f", "-", "--dry-run"}, "type: Mesh\nname: m1\n---\ntype: Mesh\nname: m2\n"), 0) << err_;
  EXPECT_EQ(out_,
            "creationTime: \"0001-01-01T00:00:00Z\"\nmodificationTime: \"0001-01-01T00:00:00Z\"\nname: m1\ntype: Mesh\n---\n"
            "creationTime: \"0001-01-01T00:00:00Z\"\nmodificationTime: \"0001-01-01T00:00:00Z\"\nname: m2\ntype: Mesh\n");
  EXPECT_EQ(calls_, std::vector<std::string>{"GET /"});
}

TEST_F(KumactlTest, Deletes_and_says_so) {
  answer("DELETE /meshes/default/timeouts/t", 200, "");
  answer("DELETE /meshes/m1", 404, R"({"title":"Could not delete a resource","detail":"Not found"})");
  EXPECT_EQ(kumactl({"delete", "timeout", "t"}), 0) << err_;
  EXPECT_EQ(out_, "deleted Timeout \"t\"\n");
  EXPECT_EQ(kumactl({"delete", "mesh", "m1"}), 1);
  EXPECT_EQ(err_, "Error: there is no Mesh with name \"m1\"\n");
  EXPECT_EQ(kumactl({"delete", "foo", "x"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: unknown TYPE: foo. Allowed values: circuit-breaker, dataplane, "));
}

TEST_F(KumactlTest, Adds_switches_and_removes_control_planes) {
  EXPECT_EQ(kumactl({"config", "control-planes", "add", "--name", "demo", "--address", "http://10.0.0.1:5681", "--auth-type",
                     "tokens", "--auth-conf", "token=secret", "--headers", "a=1"}), 0) << err_;
  EXPECT_EQ(out_, "added Control Plane \"demo\"\nswitched active Control Plane to \"demo\"\n");
  EXPECT_EQ(authorization_, "Bearer secret");
  EXPECT_EQ(kumactl({"config", "control-planes", "list"}), 0);
  EXPECT_EQ(out_, "ACTIVE   NAME    ADDRESS\n         local   http://localhost:5681\n*        demo    http://10.0.0.1:5681\n");
  EXPECT_EQ(kumactl({"config", "control-planes", "switch", "--name", "local"}), 0);
  EXPECT_EQ(out_, "switched active Control Plane to \"local\"\n");
  EXPECT_EQ(kumactl({"config", "control-planes", "remove", "--name", "local"}), 0);
  EXPECT_EQ(out_, "removed Control Plane \"local\"\nswitched active Control Plane to \"demo\"\n");
  EXPECT_EQ(kumactl({"config", "control-planes", "remove", "--name", "demo"}), 0);
  EXPECT_THAT(out_, HasSubstr("there is no active Control Plane left"));
  EXPECT_EQ(kumactl({"get", "meshes"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: active Control Plane is not set."));
}

TEST_F(KumactlTest, Refuses_control_planes_that_cannot_be) {
  const std::vector<std::string> add = {"config", "control-planes", "add", "--name", "x", "--address"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = add;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(kumactl(with({"foo"})), 1);
  EXPECT_EQ(err_, "Error: API Server URL is invalid: parse \"foo\": invalid URI for request\n");
  EXPECT_EQ(kumactl(with({"http://a:1", "--client-cert-file", "c.pem"})), 1);
  EXPECT_EQ(err_, "Error: Both --client-cert-file and --client-key-file needs to be specified\n");
  EXPECT_EQ(kumactl(with({"http://a:1", "--auth-type", "x"})), 1);
  EXPECT_EQ(err_, "Error: authentication plugin of type \"x\" is not found\n");
  EXPECT_EQ(kumactl(with({"http://a:1", "--auth-type", "tokens", "--auth-conf", "k=v"})), 1);
  EXPECT_EQ(err_, "Error: --auth-conf is not valid: provide token=YOUR_TOKEN\n");
  EXPECT_EQ(kumactl({"config", "control-planes", "add", "--name", "local", "--address", "http://a:1", "--skip-check"}), 1);
  EXPECT_EQ(err_, "Error: Control Plane with name \"local\" already exists. Use --overwrite to replace an existing one.\n");
  answer("GET /", 200, R"({"tagline":"Other","version":"1"})");
  EXPECT_EQ(kumactl(with({"http://a:1"})), 1);
  EXPECT_THAT(err_, HasSubstr("this CLI is for Kuma but the control plane you're connected to is Other."));
  answers_.clear();
  EXPECT_EQ(kumactl(with({"http://a:1"})), 1);
  EXPECT_EQ(err_, "Error: could not connect to the Control Plane API Server: connection refused\n");
}

TEST_F(KumactlTest, Asks_for_tokens_and_prints_them_without_a_newline) {
  answer("POST /tokens/dataplane", 200, "eyJ");
  EXPECT_EQ(kumactl({"generate", "dataplane-token", "--tag", "kuma.io/service=web,web-api", "--valid-for", "24h"}), 0) << err_;
  EXPECT_EQ(out_, "eyJ");
  EXPECT_EQ(calls_.back(),
            R"(POST /tokens/dataplane {"name":"","mesh":"default","tags":{"kuma.io/service":["web","web-api"]},"type":"","validFor":"24h0m0s"})");
  EXPECT_EQ(kumactl({"generate", "dataplane-token"}), 1);
  EXPECT_EQ(err_, "Error: failed to generate a dataplane token: You must set a token validFor value\n");
  EXPECT_EQ(kumactl({"generate", "zone-token", "--zone", "z", "--valid-for", "1h", "--scope", "x"}), 1);
  EXPECT_EQ(err_, "Error: invalid --scope values: [x] (supported scopes: [ingress egress])\n");
  EXPECT_EQ(kumactl({"generate", "user-token", "--name", "n", "--valid-for", "1h", "--signing-key-path", "k"}), 1);
  EXPECT_EQ(err_, "Error: --kid is required when --signing-key-path is used\n");
}

TEST_F(KumactlTest, Inspects_dataplanes_with_their_state) {
  answer("GET /meshes/default/dataplanes+insights?tag=kuma.io%2Fservice%3Aweb", 200,
         R"({"total":1,"items":[{"mesh":"default","name":"web-1","dataplane":{"networking":{"inbound":[
             {"port":80,"tags":{"kuma.io/service":"web"}},{"port":81,"state":"NotReady","tags":{"kuma.io/service":"web"}}]}},
             "dataplaneInsight":{"subscriptions":[{"connectTime":"2023-11-14T22:13:10Z","status":{"total":{"responsesSent":"8","responsesRejected":"1"},
             "lastUpdateTime":"2023-11-14T22:13:15Z"},"version":{"kumaDp":{"version":"2.5.11"},"envoy":{"version":"1.40.0"}}}]}}],"next":null})");
  EXPECT_EQ(kumactl({"inspect", "dataplanes", "--tag", "kuma.io/service=web"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Partially degraded   10s"));
  EXPECT_THAT(out_, HasSubstr("inbound[port=81,svc=web] is not ready"));
}

TEST_F(KumactlTest, Prints_the_policies_of_a_dataplane_as_a_tree) {
  answer("GET /meshes/default/dataplanes/fe-1/policies", 200,
         R"({"kind":"SidecarDataplane","total":2,"items":[{"type":"dataplane","matchedPolicies":{"MeshHTTPRoute":[{"name":"split"}]}},
             {"type":"inbound","name":"127.0.0.1:25210:25110","service":"frontend","matchedPolicies":{"TrafficPermission":[{"name":"allow-all-default"}]}}]})");
  EXPECT_EQ(kumactl({"inspect", "dataplane", "fe-1"}), 0) << err_;
  EXPECT_EQ(out_,
            "DATAPLANE:\n  MeshHTTPRoute\n    split\n\n"
            "INBOUND 127.0.0.1:25210:25110(frontend):\n  TrafficPermission\n    allow-all-default\n\n");
  EXPECT_EQ(kumactl({"inspect", "dataplane", "fe-1", "--type", "x"}), 1);
  EXPECT_EQ(err_, "Error: invalid inspection type\n");
}

TEST_F(KumactlTest, Says_what_is_left_out_of_a_configuration_and_why) {
  answer("GET /meshes/default/dataplanes/fe-1/policies", 200, R"({"kind":"SidecarDataplane","total":0,"items":[]})");
  answer("GET /meshes/default/dataplanes/fe-1/_problems", 200,
         R"({"error":"no CA","total":1,"items":[{"policy":{"type":"TrafficLog","name":"log"},"message":"no such backend"}]})");
  EXPECT_EQ(kumactl({"inspect", "dataplane", "fe-1"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Problems:\n  no configuration: no CA\n  TrafficLog log: no such backend\n"));
  answer("GET /meshes/default/traffic-logs/log/dataplanes", 200, R"({"total":0,"items":[]})");
  answer("GET /meshes/default/traffic-logs/log/_problems", 200,
         R"({"dataplanes":2,"total":1,"items":[{"message":"no such backend","count":2,"dataplanes":["fe-1","fe-2"]}],"warnings":["it does nothing"]})");
  EXPECT_EQ(kumactl({"inspect", "traffic-log", "log"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Problems:\n  on 2 dataplanes: no such backend\n  it does nothing\n"));
}

TEST_F(KumactlTest, Says_where_an_external_service_or_a_policy_is_left_out_at_an_egress) {
  answer("GET /meshes/m/external-services/bank/_problems", 200,
         R"({"total":2,"items":[{"message":"no such secret","count":1,"dataplanes":["a"],"zoneEgresses":["out","out-2"]},
                                {"message":"nobody reaches it","count":0,"dataplanes":[]}]})");
  EXPECT_EQ(kumactl({"inspect", "external-service", "bank", "-m", "m"}), 0) << err_;
  EXPECT_EQ(out_, "Problems:\n  on 1 dataplanes and the zone egress out and the zone egress out-2: no such secret\n  nobody reaches it\n");
  answer("GET /zoneegresses/out/_problems", 200,
         R"({"total":1,"items":[{"policy":{"type":"RateLimit","name":"r","mesh":"m"},"message":"no such status"}]})");
  EXPECT_EQ(kumactl({"inspect", "zoneegress", "out", "--type", "problems"}), 0) << err_;
  EXPECT_EQ(out_, "Problems:\n  RateLimit r of mesh m: no such status\n");
  answer("GET /meshes/default/meshgatewayroutes/r/_problems", 200, R"({"dataplanes":1,"total":0,"items":[]})");
  EXPECT_EQ(kumactl({"inspect", "meshgatewayroute", "r"}), 0) << err_;
  EXPECT_EQ(out_, "No problems\n");
  EXPECT_EQ(kumactl({"inspect", "external-service", "none"}), 1);
  EXPECT_THAT(err_, HasSubstr("failed to inspect none"));
}

TEST_F(KumactlTest, Zones_that_were_refused_are_told_below_those_that_are_there) {
  answer("GET /zones+insights", 200, R"({"total":1,"items":[{"name":"east","zone":{"enabled":true},"zoneInsight":{"problems":[
      {"time":"2023-11-14T22:13:15Z","count":3,"message":"its clock is off"}]}}],"next":null})");
  EXPECT_EQ(kumactl({"inspect", "zones"}), 0) << err_;
  EXPECT_THAT(out_, EndsWith("Problems:\n  east: its clock is off (3 times, last 5s ago)\n")) << "also of a control plane that knows nothing of refusals";
  answer("GET /zones/_refused", 200, R"({"total":2,"items":[
      {"zone":"wset","message":"wrong token","count":1,"firstTime":"2023-11-14T22:13:10Z","lastTime":"2023-11-14T22:13:10Z"},
      {"zone":"","message":"it gave no name","count":2,"firstTime":"2023-11-14T22:13:10Z","lastTime":"2023-11-14T22:13:10Z"}]})");
  EXPECT_EQ(kumactl({"inspect", "zones"}), 0) << err_;
  EXPECT_THAT(out_, EndsWith("  wset: wrong token (once, last 10s ago)\n  (no name): it gave no name (2 times, last 10s ago)\n"));
  EXPECT_EQ(kumactl({"inspect", "zones", "-o", "json"}), 0) << err_;
  EXPECT_THAT(out_, Not(HasSubstr("wset"))) << "lists stay as they are";
}

TEST(ConfigurationFile, Refuses_unknown_members_and_names_them) {
  EXPECT_EQ(message_of(parse_configuration("controlPlanes:\n- name: a\n  coordinate: {}\n").status()),
            "controlPlanes[0]: unknown field \"coordinate\"");
  EXPECT_FALSE(parse_configuration("[1").ok());
}

TEST(ConfigurationFile, Is_read_back_as_written) {
  Configuration configuration = Configuration::default_configuration();
  ControlPlane cp;
  cp.name = "demo";
  cp.url = "https://cp:5682";
  cp.headers = {{"x", "1"}};
  cp.auth_type = "tokens";
  cp.auth_conf = {{"token", "abc"}};
  ASSERT_TRUE(configuration.add(cp, false).ok());
  const auto back = parse_configuration(to_yaml(configuration));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->control_planes, configuration.control_planes);
  EXPECT_EQ(back->current_context, "demo");
}

TEST_F(KumactlTest, Plans_instead_of_applying_mesh_by_mesh) {
  answer("POST /meshes/m1/_plan", 200, R"({"dataplanes": {"changed": 2, "unchanged": 3, "names": ["a", "b"]}, "differences": [
      {"kind": "listener", "name": "inbound:1", "action": "changed", "changes": [{"path": "x.y", "before": 1, "after": null}], "moreChanges": true,
       "dataplanes": {"total": 3, "names": ["a", "b"]}}], "differencesLeftOut": 1, "policies": [
      {"type": "MeshTimeout", "setting": "idleTimeout", "subset": "", "before": "1s", "after": "2s", "loses": "p", "wins": "q",
       "dataplanes": {"total": 1, "names": ["a"]}}], "warnings": ["beware"]})");
  EXPECT_EQ(kumactl({"apply", "--plan", "-f", "-"}, "type: Mesh\nname: m1\n"), 0) << err_;
  EXPECT_EQ(out_,
            "mesh m1: 2 dataplanes would get another configuration, 3 would not\n"
            "  ~ listener inbound:1 on a, b and 1 more\n"
            "      x.y: 1 -> (none)\n"
            "      …\n"
            "  and 1 more resources\n"
            "policies that lose or win:\n"
            "  MeshTimeout idleTimeout: 1s -> 2s, \"p\" loses to \"q\" on a\n"
            "warning: beware\n");
  EXPECT_THAT(calls_.back(), StartsWith("POST /meshes/m1/_plan {\"items\":[{\"type\":\"Mesh\",\"name\":\"m1\""));
}

TEST_F(KumactlTest, Refuses_to_plan_what_is_of_no_mesh) {
  EXPECT_EQ(kumactl({"apply", "--plan", "-f", "-"}, "type: Zone\nname: z1\n"), 1);
  EXPECT_THAT(err_, HasSubstr("Zone \"z1\" is of no mesh: a plan tells what the proxies of a mesh would get"));
}

TEST_F(KumactlTest, Explains_a_dataplane) {
  EXPECT_EQ(kumactl({"explain", "dataplane", "web-1"}), 1);
  EXPECT_THAT(err_, HasSubstr("to"));
  answer("GET /meshes/default/dataplanes/web-1/_explain?to=backend", 200, R"({"dataplane": "web-1", "service": "backend",
      "addresses": ["127.0.0.1:1"], "warnings": [], "policies": [{"type": "MeshTimeout", "settings": [{"setting": "idleTimeout", "value": "2s",
      "policy": "q", "rule": "to[0]", "lost": [{"policy": "p", "rule": "to[1]", "value": "1s", "reason": "why"}]}],
      "without": [{"policy": "o", "reason": "not here"}]}, {"type": "Timeout", "policy": "t", "lost": [{"policy": "u", "reason": "because"}]}]})");
  EXPECT_EQ(kumactl({"explain", "dataplane", "web-1", "--to", "backend"}), 0) << err_;
  EXPECT_EQ(out_,
            "dataplane web-1 to backend, at 127.0.0.1:1\n"
            "MeshTimeout:\n"
            "  idleTimeout = 2s   by q to[0]\n"
            "    not p (to[1] = 1s): why\n"
            "  not o: not here\n"
            "Timeout: t\n"
            "    not u: because\n");
}

}  // namespace
}  // namespace kuma::ctl
