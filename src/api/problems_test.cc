#include "api/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/policy.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;
using testing::Answer;
using testing::ApiHarness;

model::Registry real_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

struct Problems : ::testing::Test, ApiHarness {
  Problems() : ApiHarness(real_types()) {
    stored(R"({"type": "Mesh", "name": "m"})");
    for (int i = 1; i <= 3; ++i) {
      stored(fmt::format(R"({{"type": "Dataplane", "mesh": "m", "name": "web-{}", "networking": {{"address": "10.0.0.{}",
          "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "web"}}}}]}}}})", i, i));
    }
  }
  void log_of(std::string_view name, std::string_view service, std::string_view backend = "nowhere") {
    stored(fmt::format(R"({{"type": "TrafficTrace", "mesh": "m", "name": "{}",
        "selectors": [{{"match": {{"kuma.io/service": "{}"}}}}], "conf": {{"backend": "{}"}}}})", name, service, backend));
  }
  json::value body(const std::string& path) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse_json(answer.body).value();
  }
};

TEST_F(Problems, A_dataplane_without_any_says_so) {
  EXPECT_EQ(body("/meshes/m/dataplanes/web-1/_problems"), parse_json(R"({"total": 0, "items": []})").value());
}

TEST_F(Problems, Are_readable_on_the_dataplane_with_their_policy) {
  log_of("traces", "web");
  EXPECT_EQ(body("/meshes/m/dataplanes/web-1/_problems"),
            parse_json(R"({"total": 1, "items": [{"policy": {"type": "TrafficTrace", "name": "traces"},
                                                  "message": "conf.backend: the mesh has no backend \"nowhere\""}]})")
                .value());
}

TEST_F(Problems, Are_readable_on_the_policy_with_their_dataplanes) {
  log_of("traces", "web");
  EXPECT_EQ(body("/meshes/m/traffic-traces/traces/_problems"),
            parse_json(R"({"dataplanes": 3, "total": 1, "items": [{"message": "conf.backend: the mesh has no backend \"nowhere\"",
                "count": 3, "dataplanes": ["web-1", "web-2", "web-3"]}]})")
                .value());
}

TEST_F(Problems, A_policy_for_nobody_tells_that_it_selects_no_dataplane) {
  log_of("lonely", "missing");
  EXPECT_EQ(body("/meshes/m/traffic-traces/lonely/_problems"),
            parse_json(R"({"dataplanes": 0, "total": 0, "items": []})").value());
}

TEST_F(Problems, What_is_not_there_is_404_and_named) {
  for (const char* path : {"/meshes/none/dataplanes/web-1/_problems", "/meshes/m/dataplanes/none/_problems",
                           "/meshes/m/traffic-traces/none/_problems"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_THAT(answer.body, HasSubstr("Could not tell the problems")) << path;
  }
}

}  // namespace
}  // namespace kuma::api
