#include "policy/envoy/client_tags.h"

#include "gtest/gtest.h"
#include "model/regex.h"
#include "policy/envoy/names.h"

namespace kuma::policy::envoy {
namespace {

TEST(ClientTags, Name_each_tag_in_order) {
  EXPECT_EQ(client_tags_regex({{"kuma.io/service", "web"}, {"version", "v1.2"}}),
            R"(.*&kuma.io/service=[^&]*web[,&].*&version=[^&]*v1\.2[,&].*)");
  EXPECT_EQ(client_tags_regex({{"kuma.io/service", "*"}}), ".*&kuma.io/service=.*");
}

TEST(ClientTags, Several_clients_are_alternatives) {
  EXPECT_EQ(any_client_tags_regex({{{"a", "b"}}}), ".*&a=[^&]*b[,&].*");
  EXPECT_EQ(any_client_tags_regex({{{"a", "b"}}, {{"c", "*"}}}), "(.*&a=[^&]*b[,&].*|.*&c=.*)");
}

TEST(ClientTags, Find_the_header_of_a_client_that_has_them) {
  const std::string header = tags_header({{{"kuma.io/service", "web"}, {"v", "1"}}, {{"kuma.io/service", "api"}}});
  for (const mesh::Tags& tags : {mesh::Tags{{"kuma.io/service", "web"}}, {{"kuma.io/service", "api"}, {"v", "1"}}, {{"v", "*"}}}) {
    EXPECT_TRUE(model::regex_finds("^(" + client_tags_regex(tags) + ")$", header)) << header;
  }
  for (const mesh::Tags& tags : {mesh::Tags{{"kuma.io/service", "we"}}, {{"v", "2"}}, {{"w", "*"}}}) {
    EXPECT_FALSE(model::regex_finds("^(" + client_tags_regex(tags) + ")$", header)) << header;
  }
}

TEST(ClientTags, Are_text_and_not_a_pattern) {
  const std::string regex = client_tags_regex({{"a(", "b+)"}});
  EXPECT_TRUE(model::check_regex(regex).ok());
  EXPECT_TRUE(model::regex_finds(regex, "&a(=b+)&"));
}

}  // namespace
}  // namespace kuma::policy::envoy
