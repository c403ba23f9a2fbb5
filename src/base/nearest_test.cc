#include "base/nearest.h"

#include "gtest/gtest.h"

namespace kuma {
namespace {

TEST(NearestName, Finds_none_when_all_are_far) {
  EXPECT_EQ(nearest_name("x", {}), "");
  EXPECT_EQ(nearest_name("KUMA_FOO", {"KUMA_STORE_TYPE"}), "");
  EXPECT_EQ(nearest_name(std::string(10'000, 'x'), {"x"}), "");
}

TEST(NearestName, Finds_the_one_that_was_mistyped) {
  EXPECT_EQ(nearest_name("KUMA_STORE_TYP", {"KUMA_MODE", "KUMA_STORE_TYPE"}), "KUMA_STORE_TYPE");
  EXPECT_EQ(nearest_name("mdoe", {"mode", "store"}), "mode");
}

}  // namespace
}  // namespace kuma
