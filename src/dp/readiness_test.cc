#include "dp/readiness.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

TEST(Readiness, Knows_one_path_only) {
  EXPECT_EQ(answer_readiness("GET", "/", false).status, 404);
  EXPECT_EQ(answer_readiness("GET", "/ready/", false).status, 404);
  EXPECT_EQ(answer_readiness("POST", "/ready", false).status, 404);
}

TEST(Readiness, Is_ready_until_the_drain_begins) {
  const auto ready = answer_readiness("GET", "/ready", false);
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, "READY");
  const auto terminating = answer_readiness("GET", "/ready?x=1", true);
  EXPECT_EQ(terminating.status, 503);
  EXPECT_EQ(terminating.body, "TERMINATING");
  EXPECT_THAT(ready.headers.fields(),
              testing::UnorderedElementsAre(testing::Pair("content-type", "text/plain"),
                                            testing::Pair("cache-control", "no-cache, max-age=0"),
                                            testing::Pair("x-powered-by", "kuma-dp")));
}

}  // namespace
}  // namespace kuma::dp
