#include "dp/wait.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

class WaitTest : public testing::Test {
 protected:
  absl::Status wait(std::vector<absl::StatusOr<HttpAnswer>> answers) {
    size_t next = 0;
    const WaitActions actions{
        .get = [&](const std::string&,
                   std::chrono::nanoseconds) { return answers[std::min(next++, answers.size() - 1)]; },
        .pause = [this](std::chrono::nanoseconds time) { clock_.advance(time); }};
    const absl::Status status = wait_until_ready(command_, actions, clock_, log_);
    asked_ = next;
    return status;
  }
  WaitCommand command_;
  ManualClock clock_;
  Log log_{clock_, Log::Level::Off, [](std::string_view) {}};
  size_t asked_ = 0;
};

TEST_F(WaitTest, Gives_up_after_the_timeout_and_says_what_the_last_answer_was) {
  command_.timeout = 3s;
  EXPECT_EQ(wait({HttpAnswer{.status = 503, .body = ""}}).message(),
            "http://localhost:9901/ready was not ready within 3s: it answered 503");
  EXPECT_EQ(asked_, 4u);
  EXPECT_THAT(std::string(wait({absl::UnavailableError("connection refused")}).message()),
              testing::EndsWith("connection refused"));
}

TEST_F(WaitTest, Ends_with_the_first_200) {
  EXPECT_TRUE(
      wait({absl::UnavailableError("x"), HttpAnswer{.status = 404, .body = ""}, HttpAnswer{.status = 200, .body = ""}})
          .ok());
  EXPECT_EQ(asked_, 3u);
}

}  // namespace
}  // namespace kuma::dp
