#include "policy/envoy/names.h"

#include "gtest/gtest.h"

namespace kuma::policy::envoy {
namespace {

TEST(Names, A_destination_with_only_a_service_is_named_after_it) {
  EXPECT_EQ(destination_cluster_name({{"kuma.io/service", "backend"}}), "backend");
}

TEST(Names, More_tags_add_a_hash_and_another_mesh_its_name) {
  EXPECT_EQ(destination_cluster_name({{"kuma.io/service", "backend"}, {"version", "v1"}}), "backend-154693772bc47249");
  std::string other = destination_cluster_name({{"kuma.io/service", "xgw"}, {"kuma.io/mesh", "other"}});
  EXPECT_TRUE(other.starts_with("xgw-"));
  EXPECT_TRUE(other.ends_with("_other"));
}

TEST(Names, An_SNI_has_the_mesh_among_the_sorted_tags) {
  EXPECT_EQ(sni_of({{"kuma.io/service", "backend"}}, "default"), "backend{mesh=default}");
  EXPECT_EQ(sni_of({{"kuma.io/service", "backend"}, {"version", "v2"}}, "default"), "backend{mesh=default,version=v2}");
  EXPECT_EQ(sni_of({{"kuma.io/service", "xgw"}, {"hostname", "xgw.mesh"}, {"kuma.io/zone", "zone-1"}}, "default"),
            "xgw{hostname=xgw.mesh,kuma.io/zone=zone-1,mesh=default}");
}

TEST(Names, The_header_has_all_values_of_all_tags) {
  EXPECT_EQ(tags_header({{{"kuma.io/service", "web"}, {"version", "v1"}}, {{"kuma.io/service", "web-api"}}}),
            "&kuma.io/service=web,web-api&&version=v1&");
  EXPECT_EQ(tags_header({}), "");
}

TEST(Names, Listeners_bracket_IPv6_and_metrics_take_only_plain_characters) {
  EXPECT_EQ(inbound_listener_name("fd00::1", 80), "inbound:[fd00::1]:80");
  EXPECT_EQ(outbound_listener_name("127.0.0.1", 80), "outbound:127.0.0.1:80");
  EXPECT_EQ(sanitize_stat("inbound:[fd00::1]:80"), "inbound__fd00__1__80");
  EXPECT_EQ(sanitize_stat("back-end_1.mesh"), "back-end_1_mesh");
}

}  // namespace
}  // namespace kuma::policy::envoy
