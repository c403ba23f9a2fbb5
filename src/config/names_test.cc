#include "config/names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::config {
namespace {

TEST(Split, Gives_at_least_one_part) {
  EXPECT_THAT(split("", ','), testing::ElementsAre(""));
  EXPECT_THAT(split("a,,b", ','), testing::ElementsAre("a", "", "b"));
}

}  // namespace
}  // namespace kuma::config
