#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;
using testing::ApiHarness;
using testing::error_body;

struct Names : ::testing::Test, ApiHarness {
  Names() : ApiHarness(model::Registry(model::core_types())) {}

  void mesh_with_names() {
    stored(R"({"type": "Mesh", "name": "m"})");
    stored(R"({"type": "Config", "name": "kuma-m-dns-vips", "config": "{\"0:redis_db\": {\"address\": \"240.0.0.0\", \"outbounds\": [{\"Port\": 0, \"TagSet\": {\"kuma.io/service\": \"redis_db\"}, \"Origin\": \"service\"}]}, \"2:v1.web.test\": {\"address\": \"240.0.0.1\", \"outbounds\": [{\"Port\": 8080, \"TagSet\": {\"kuma.io/service\": \"web\", \"version\": \"v1\"}, \"Origin\": \"virtual-outbound:by-version\"}]}}"})");
  }
  std::string compact(const std::string& target) {
    const testing::Answer answer = get(target);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return to_json(parse_json(answer.body).value());
  }
};

constexpr char kRedis[] =
    R"({"names":["redis_db.mesh","redis.db.mesh"],"address":"240.0.0.0","destinations":[{"tags":{"kuma.io/service":"redis_db"},"origin":"service"}]})";
constexpr char kWeb[] =
    R"({"names":["v1.web.test"],"address":"240.0.0.1","destinations":[{"port":8080,"tags":{"kuma.io/service":"web","version":"v1"},"origin":"virtual-outbound:by-version"}]})";

TEST_F(Names, Of_an_unknown_mesh_are_not_found) {
  EXPECT_EQ(get("/meshes/none/_names").body, error_body(404, "Could not retrieve names", "Not found"));
}

TEST_F(Names, Of_a_mesh_without_any_are_none) {
  stored(R"({"type": "Mesh", "name": "m"})");
  EXPECT_EQ(compact("/meshes/m/_names"), R"({"total":0,"items":[],"problems":[]})");
}

TEST_F(Names, Say_where_they_lead_and_who_asked_for_them) {
  mesh_with_names();
  EXPECT_EQ(compact("/meshes/m/_names"), fmt::format(R"({{"total":2,"items":[{},{}],"problems":[]}})", kRedis, kWeb));
  EXPECT_EQ(compact("/meshes/m/_names?name=redis.db"), fmt::format(R"({{"total":1,"items":[{}],"problems":[]}})", kRedis));
  EXPECT_EQ(compact("/meshes/m/_names?name=240.0.0.1"), fmt::format(R"({{"total":1,"items":[{}],"problems":[]}})", kWeb));
}

TEST_F(Names, Come_with_those_that_cannot_be_had) {
  deps_hook = [](ApiDeps& deps) {
    deps.name_problems = [](const std::string& mesh) { return std::vector<std::string>{"no address for x in " + mesh}; };
  };
  mesh_with_names();
  EXPECT_THAT(compact("/meshes/m/_names?name=none"), HasSubstr(R"("problems":["no address for x in m"])"));
}

}  // namespace
}  // namespace kuma::api
