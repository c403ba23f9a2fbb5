#include "api/refusal_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::api {
namespace {

using ::testing::EndsWith;
using ::testing::Optional;
using ::testing::SizeIs;

const net::HttpRequest kRequest{.method = "GET", .target = "/meshes", .peer = {.address = "10.0.0.1"}};

TEST(RefusalLog, Cuts_long_paths) {
  ManualClock clock;
  EXPECT_THAT(RefusalLog(clock).line_for({.method = "GET", .target = std::string(100'000, 'x')}, "token is revoked"),
              Optional(SizeIs(testing::Lt(300u))));
}

TEST(RefusalLog, Says_who_asked_for_what_and_why_it_was_refused) {
  ManualClock clock;
  EXPECT_EQ(RefusalLog(clock).line_for(kRequest, "token is revoked"),
            "the user token of GET /meshes from 10.0.0.1 is refused: token is revoked");
}

TEST(RefusalLog, Writes_one_line_a_second_and_counts_the_others) {
  ManualClock clock;
  RefusalLog log(clock);
  EXPECT_TRUE(log.line_for(kRequest, "a"));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(log.line_for(kRequest, "b"), std::nullopt);
  }
  clock.advance(std::chrono::seconds(1));
  EXPECT_THAT(log.line_for(kRequest, "c"), Optional(EndsWith("refused: c (1000 more since the last line like this)")));
  clock.advance(std::chrono::seconds(1));
  EXPECT_THAT(log.line_for(kRequest, "d"), Optional(EndsWith("refused: d")));
}

}  // namespace
}  // namespace kuma::api
