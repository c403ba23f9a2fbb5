#include "dp/supervisor.h"

#include <csignal>

#include "dp/fake_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SupervisorTest : public testing::Test, public SupervisorActions {
 protected:
  void begin_terminating() override { did_.push_back("terminating"); }
  void fail_health_check(std::function<void(absl::Status)> done) override {
    did_.push_back("fail health check");
    asked_ = std::move(done);
  }
  void stop_components() override { did_.push_back("stop components"); }
  void signal_child(int signal) override { did_.push_back(signal == SIGTERM ? "SIGTERM" : "SIGKILL"); }
  void ended(absl::Status result) override {
    did_.push_back("ended");
    result_ = std::move(result);
  }

  // What was done since the last look.
  std::vector<std::string> did() { return std::exchange(did_, {}); }

  FakeExecutor executor_;
  std::string logged_;
  Log log_{executor_.clock(), Log::Level::Info, [this](std::string_view line) { logged_ += line; }};
  std::vector<std::string> did_;
  std::function<void(absl::Status)> asked_;
  absl::Status result_ = absl::InternalError("not ended");
  Supervisor supervisor_{executor_, log_, {.drain = 30s, .kill = 5s}, *this};
};

TEST_F(SupervisorTest, Drains_then_terminates_then_ends_well) {
  supervisor_.on_signal();
  EXPECT_THAT(did(), ElementsAre("terminating", "fail health check"));
  asked_(absl::OkStatus());
  EXPECT_THAT(logged_, HasSubstr("waiting for connections to be drained\t{\"waitTime\": \"30s\"}"));
  executor_.advance(29s);
  EXPECT_THAT(did(), ElementsAre());
  executor_.advance(1s);
  EXPECT_THAT(did(), ElementsAre("stop components", "SIGTERM"));
  supervisor_.on_child_exit({});
  EXPECT_THAT(did(), ElementsAre("ended"));
  EXPECT_TRUE(result_.ok());
  executor_.advance(1min);
  EXPECT_THAT(did(), ElementsAre());
}

TEST_F(SupervisorTest, Does_not_wait_when_draining_could_not_be_asked_for) {
  supervisor_.on_signal();
  asked_(absl::UnavailableError("connection refused"));
  EXPECT_THAT(did(), ElementsAre("terminating", "fail health check", "stop components", "SIGTERM"));
  EXPECT_THAT(logged_, HasSubstr("could not drain connections"));
}

TEST_F(SupervisorTest, Second_signal_ends_the_wait) {
  supervisor_.on_signal();
  asked_(absl::OkStatus());
  did();
  supervisor_.on_signal();
  EXPECT_THAT(did(), ElementsAre("stop components", "SIGTERM"));
  executor_.advance(4s);
  EXPECT_THAT(did(), ElementsAre());
}

TEST_F(SupervisorTest, Second_signal_does_not_wait_for_the_admin_api_either) {
  supervisor_.on_signal();
  supervisor_.on_signal();
  EXPECT_THAT(did(), ElementsAre("terminating", "fail health check", "stop components", "SIGTERM"));
  asked_(absl::OkStatus());  // too late
  executor_.advance(4s);
  EXPECT_THAT(did(), ElementsAre());
}

TEST_F(SupervisorTest, Third_signal_ends_everything_at_once) {
  supervisor_.on_signal();
  supervisor_.on_signal();
  did();
  supervisor_.on_signal();
  EXPECT_THAT(did(), ElementsAre("SIGKILL", "ended"));
  EXPECT_EQ(result_.message(), "force exit");
  supervisor_.on_signal();
  supervisor_.on_child_exit({.code = 0, .signal = SIGKILL});
  asked_(absl::OkStatus());
  EXPECT_THAT(did(), ElementsAre());
}

TEST_F(SupervisorTest, Kills_a_child_that_ignores_SIGTERM) {
  supervisor_.on_signal();
  asked_(absl::OkStatus());
  executor_.advance(30s);
  did();
  executor_.advance(5s);
  EXPECT_THAT(did(), ElementsAre("SIGKILL"));
  supervisor_.on_child_exit({.code = 0, .signal = SIGKILL});
  EXPECT_THAT(did(), ElementsAre("ended"));
  EXPECT_TRUE(result_.ok());
}

TEST_F(SupervisorTest, A_child_that_fails_ends_everything_with_its_status) {
  supervisor_.on_child_exit({.code = 1, .signal = 0});
  EXPECT_THAT(did(), ElementsAre("stop components", "ended"));
  EXPECT_EQ(result_.message(), "exit status 1");
  EXPECT_THAT(logged_, HasSubstr("Envoy terminated with an error\t{\"error\": \"exit status 1\"}"));
}

TEST_F(SupervisorTest, A_child_that_is_killed_from_outside_is_an_error) {
  supervisor_.on_child_exit({.code = 0, .signal = SIGKILL});
  EXPECT_EQ(result_.message(), "signal: killed");
}

TEST_F(SupervisorTest, A_child_that_ends_by_itself_with_status_0_ends_everything_well) {
  supervisor_.on_child_exit({});
  EXPECT_THAT(did(), ElementsAre("stop components", "ended"));
  EXPECT_TRUE(result_.ok());
}

TEST_F(SupervisorTest, A_child_that_ends_while_it_is_drained_ends_the_wait) {
  supervisor_.on_signal();
  asked_(absl::OkStatus());
  did();
  supervisor_.on_child_exit({});
  EXPECT_THAT(did(), ElementsAre("stop components", "ended"));
  executor_.advance(1min);
  EXPECT_THAT(did(), ElementsAre());
}

TEST_F(SupervisorTest, A_failed_helper_ends_everything_with_its_error) {
  supervisor_.on_component_failed("readiness", absl::UnavailableError("address in use"));
  EXPECT_THAT(did(), ElementsAre("stop components", "SIGTERM"));
  supervisor_.on_component_failed("other", absl::UnavailableError("later"));
  supervisor_.on_child_exit({});
  EXPECT_THAT(did(), ElementsAre("ended"));
  EXPECT_EQ(result_.message(), "address in use");
}

}  // namespace
}  // namespace kuma::dp
