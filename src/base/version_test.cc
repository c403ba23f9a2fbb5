#include "base/version.h"

#include <gtest/gtest.h>

namespace kuma {
namespace {

TEST(Versions, Of_another_major_or_more_than_two_minors_apart_are_not_compatible) {
  EXPECT_FALSE(compatible_versions("2.5.11", "1.5.11"));
  EXPECT_FALSE(compatible_versions("2.5.11", "3.5.0"));
  EXPECT_FALSE(compatible_versions("2.5.11", "2.2.9"));
  EXPECT_FALSE(compatible_versions("2.5.11", "2.8.0"));
  EXPECT_FALSE(compatible_versions("2.1.0", "2.4.0"));
}

TEST(Versions, At_most_two_minors_apart_are_compatible) {
  for (const char* peer : {"2.3.0", "2.4.7", "2.5.0", "2.5.11", "2.6.1", "2.7.99"}) {
    EXPECT_TRUE(compatible_versions("2.5.11", peer)) << peer;
  }
  EXPECT_TRUE(compatible_versions("2.0.0", "2.0.0"));
}

TEST(Versions, That_are_none_pass) {
  for (const char* peer : {"", "unknown", "dev", "2", "2.", "x.5.0", "0.0.0-preview.1", "2.1.0-preview.v1"}) {
    EXPECT_TRUE(compatible_versions("2.5.11", peer)) << peer;
  }
}

}  // namespace
}  // namespace kuma
