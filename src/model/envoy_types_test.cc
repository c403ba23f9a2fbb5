#include "model/envoy_types.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kuma::model {
namespace {

TEST(Envoy_types, Finds_nothing_for_what_Envoy_does_not_have) {
  EXPECT_EQ(find_envoy_type(""), nullptr);
  EXPECT_EQ(find_envoy_type("type.googleapis.com/"), nullptr);
  EXPECT_EQ(find_envoy_type("type.googleapis.com/envoy.config.cluster.v3.Clutter"), nullptr);
}

TEST(Envoy_types, Knows_messages_that_no_code_of_ours_is_compiled_against) {
  for (const char* name : {"envoy.config.cluster.v3.Cluster", "envoy.admin.v3.ConfigDump", "google.protobuf.Struct",
                           "envoy.extensions.filters.http.wasm.v3.Wasm", "envoy.extensions.filters.http.cors.v3.Cors"}) {
    const auto* type = find_envoy_type(std::string("type.googleapis.com/") + name);
    ASSERT_NE(type, nullptr) << name;
    EXPECT_EQ(type->full_name(), name);
  }
}

TEST(Envoy_types, Resolves_the_fields_of_every_message) {
  const auto* config = find_envoy_type("envoy.config.bootstrap.v3.Bootstrap");
  ASSERT_NE(config, nullptr);
  const auto* resources = config->FindFieldByName("static_resources");
  ASSERT_NE(resources, nullptr);
  EXPECT_EQ(resources->message_type()->full_name(), "envoy.config.bootstrap.v3.Bootstrap.StaticResources");
  EXPECT_EQ(resources->json_name(), "staticResources");
}

TEST(Envoy_types, Serves_several_threads_at_once) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] { EXPECT_NE(find_envoy_type("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"), nullptr); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace kuma::model
