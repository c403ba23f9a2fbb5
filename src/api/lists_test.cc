#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

struct Lists : ::testing::Test, ApiHarness {
  void dataplane(std::string_view mesh, std::string_view name, std::string_view networking) {
    stored(fmt::format(R"({{"type": "Dataplane", "mesh": "{}", "name": "{}", "networking": {}}})", mesh, name,
                       networking));
  }
  void three_dataplanes() {
    dataplane("m", "web-1",
              R"({"address": "10.0.0.1", "inbound": [{"port": 80, "tags": {"kuma.io/service": "web", "version": "v1"}},
                               {"port": 81, "tags": {"kuma.io/service": "web-admin", "version": "v2"}}]})");
    dataplane("m", "kong-1",
              R"({"address": "10.0.0.2", "gateway": {"tags": {"kuma.io/service": "kong", "team": "red"}}})");
    dataplane("b", "edge-1",
              R"({"address": "10.0.0.3", "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}})");
  }
  // The names in a list, in its order, and its total.
  std::string names(std::string target) {
    const Answer answer = get(std::move(target));
    const json::value body = parse_json(answer.body).value();
    const json::value* items = find(body, "items");
    if (items == nullptr) {
      return fmt::format("status {}", answer.status);
    }
    std::string out;
    for (const json::value& item : items->get_array()) {
      out += std::string(find(item, "name")->get_string()) + " ";
    }
    return out + "of " + to_json(*find(body, "total"));
  }
  std::string next(std::string target) {
    return to_json(*find(parse_json(get(std::move(target)).body).value(), "next"));
  }
};

// ---- bad parameters

TEST_F(Lists, Refuse_sizes_and_offsets_that_are_no_numbers) {
  const std::string title = "Could not retrieve resources";
  for (const char* size : {"abc", "1.5", "-x", "99999999999999999999", "1x", "+-1"}) {
    EXPECT_EQ(get(fmt::format("/meshes?size={}", size)).body,
              error_body(400, title, "Invalid page size", {{"size", "invalid format"}}))
        << size;
  }
  EXPECT_EQ(
      get("/meshes?size=1001").body,
      error_body(400, title, "Invalid page size", {{"size", "invalid page size of 1001. Maximum page size is 1000"}}));
  for (const char* offset : {"abc", "1x", "-1"}) {
    EXPECT_EQ(get(fmt::format("/meshes?offset={}", offset)).body,
              error_body(400, title, "Invalid offset", {{"offset", "Invalid format"}}))
        << offset;
  }
}

TEST_F(Lists, Refuse_other_words_for_gateways_under_the_path_s_template) {
  const std::string reason = "shoud use `true`, `false`, 'builtin' or 'delegated' instead of zz";
  for (const auto& [target, path] :
       {std::pair("/meshes/m/dataplanes?gateway=zz", "/meshes/{mesh}/dataplanes"),
        {"/dataplanes?gateway=zz", "/dataplanes"},
        {"/meshes/m/dataplanes+insights?gateway=zz", "/meshes/{mesh}/dataplanes+insights"}}) {
    EXPECT_EQ(get(target).body, error_body(400, "Could not retrieve resources", "Resource is not valid",
                                           {{std::string(path) + ".gateway", reason}}));
  }
}

// ---- pages

TEST_F(Lists, Are_empty_for_an_unknown_mesh) {
  const Answer answer = get("/meshes/none/dataplanes");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\n \"total\": 0,\n \"items\": [],\n \"next\": null\n}\n");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
}

TEST_F(Lists, Are_in_order_of_mesh_and_name) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes"), "edge-1 kong-1 web-1 of 3");
  EXPECT_EQ(names("/meshes/m/dataplanes"), "kong-1 web-1 of 2");
}

TEST_F(Lists, Link_to_the_next_page_with_all_parameters_by_name) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes?size=2"), "edge-1 kong-1 of 3");
  EXPECT_EQ(next("/dataplanes?size=2"), "\"http://localhost:5681/dataplanes?offset=2&size=2\"");
  EXPECT_EQ(names("/dataplanes?size=2&offset=2"), "web-1 of 3");
  EXPECT_EQ(next("/dataplanes?size=2&offset=2"), "null");
  EXPECT_EQ(next("/dataplanes?size=3"), "null");
  EXPECT_EQ(next("/meshes/m/dataplanes?tag=kuma.io/service:k&size=1&name=-1&offset=0&x="), "null");
  EXPECT_EQ(next("/meshes/m/dataplanes?size=1&name=-1"),
            "\"http://localhost:5681/meshes/m/dataplanes?name=-1&offset=1&size=1\"");
}

TEST_F(Lists, Link_by_the_host_and_the_port_that_the_client_came_by) {
  three_dataplanes();
  const Answer answer =
      call({.target = "/dataplanes+insights?size=1", .headers = {{"host", "cp.example.com"}}, .tls = true});
  EXPECT_NE(answer.body.find("\"https://cp.example.com/dataplanes+insights?offset=1&size=1\""), std::string::npos)
      << answer.body;
}

TEST_F(Lists, Show_all_with_size_0_and_none_beyond_the_end) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes?size=0"), "edge-1 kong-1 web-1 of 3");
  EXPECT_EQ(next("/dataplanes?size=0"), "null");
  EXPECT_EQ(names("/dataplanes?offset=3&size=1"), "of 3");
  EXPECT_EQ(next("/dataplanes?offset=3&size=1"), "null");
  EXPECT_EQ(names("/dataplanes?size=-2"), "of 3");
}

// ---- filters

TEST_F(Lists, Keep_names_that_contain_a_text) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes?name=web"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes?name=WEB"), "of 0");
  EXPECT_EQ(names("/dataplanes?name=-1&size=1"), "edge-1 of 3");
}

TEST_F(Lists, Keep_dataplanes_one_of_whose_inbounds_has_all_tags) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes?tag=kuma.io/service:web"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes?tag=kuma.io%2Fservice%3Aadmin"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes?tag=kuma.io/service:web&tag=version:v1"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes?tag=kuma.io/service:admin&tag=version:v1"), "of 0");
  EXPECT_EQ(names("/dataplanes?tag=team:*"), "kong-1 of 1");
  EXPECT_EQ(names("/dataplanes?tag=team:"), "kong-1 of 1");
  EXPECT_EQ(names("/dataplanes?tag=team"), "edge-1 kong-1 web-1 of 3");
  EXPECT_EQ(names("/dataplanes?tag=version:v2&tag=version:v1"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes/_overview?tag=team:red"), "kong-1 of 1");
}

TEST_F(Lists, Keep_gateways) {
  three_dataplanes();
  EXPECT_EQ(names("/dataplanes?gateway=true"), "edge-1 kong-1 of 2");
  EXPECT_EQ(names("/dataplanes?gateway=FALSE"), "web-1 of 1");
  EXPECT_EQ(names("/dataplanes?gateway=builtin"), "edge-1 of 1");
  EXPECT_EQ(names("/dataplanes?gateway=delegated&tag=team:red"), "kong-1 of 1");
  EXPECT_EQ(names("/dataplanes?gateway="), "edge-1 kong-1 web-1 of 3");
}

TEST_F(Lists, Keep_external_services_by_tags) {
  stored(R"({"type": "ExternalService", "mesh": "m", "name": "maps", "tags": {"kuma.io/service": "maps"},
             "networking": {"address": "a.example.com:80"}})");
  EXPECT_EQ(names("/external-services?tag=kuma.io/service:ma"), "maps of 1");
  EXPECT_EQ(names("/external-services?tag=kuma.io/service:x"), "of 0");
  EXPECT_EQ(names("/external-services?gateway=zz"), "maps of 1");
}

}  // namespace
}  // namespace kuma::api
