#include "dp/connection_watch.h"
#include "dp/fake_executor.h"
#include "dp/stream_watch.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view kPrefix =
    "[2026-01-02 03:04:05.678][7][warning][config] [source/extensions/config_subscription/grpc/grpc_stream.h:226] "
    "StreamAggregatedResources gRPC config stream to ads_cluster ";

class StreamWatchTest : public testing::Test {
 protected:
  std::string say(std::string_view rest) {
    const auto advice = watch_.observe(std::string(kPrefix) + std::string(rest));
    return advice ? advice->message : "";
  }
  FakeExecutor executor_;
  StreamWatch watch_{executor_.clock(),
                     {.type = "dataplane", .mesh = "default", .name = "web-1", .cp_address = "https://cp:5678"}};
};

TEST_F(StreamWatchTest, Ignores_everything_else) {
  EXPECT_FALSE(watch_.observe("[info] all clusters initialized"));
  EXPECT_FALSE(watch_.observe(""));
  EXPECT_FALSE(watch_.observe("gRPC config stream to ads_cluster closed"));
  EXPECT_FALSE(watch_.observe("gRPC config stream to ads_cluster closed: x"));
}

TEST_F(StreamWatchTest, Explains_a_refused_token_and_keeps_the_reason) {
  const auto advice = watch_.observe(std::string(kPrefix) + "closed: 16, authentication failed: token is revoked");
  ASSERT_TRUE(advice);
  EXPECT_THAT(advice->message, HasSubstr("refuses the token of this proxy"));
  EXPECT_THAT(advice->message, HasSubstr("kumactl generate dataplane-token --mesh default --name web-1"));
  EXPECT_EQ(advice->reason, "authentication failed: token is revoked");
}

TEST_F(StreamWatchTest, Leaves_out_what_Envoy_adds_to_the_reason) {
  EXPECT_EQ(watch_.observe(std::string(kPrefix) + "closed: 16, authentication failed{via_upstream}")->reason,
            "authentication failed");
}

TEST_F(StreamWatchTest, Heeds_the_stream_of_health_checks_but_for_a_lost_connection) {
  constexpr std::string_view prefix =
      "[warning][upstream] [source/common/upstream/health_discovery_service.cc:349] StreamHealthCheck gRPC config "
      "stream closed: ";
  EXPECT_FALSE(watch_.observe(std::string(prefix) + "14, upstream connect error or disconnect/reset before headers"));
  EXPECT_TRUE(watch_.observe(std::string(prefix) + "16, authentication failed: token is expired{via_upstream}"));
}

TEST_F(StreamWatchTest, Knows_a_refused_token_by_its_words_when_the_code_is_another) {
  EXPECT_THAT(say("closed: 2, authentication failed: token is expired"), HasSubstr("refuses the token"));
  executor_.advance(1min);
  EXPECT_THAT(
      say("closed: 2, could not register proxy passed in kuma-dp run: you are trying to override existing proxy to "
          "which you don't have an access.: x"),
      HasSubstr("refuses the token"));
}

TEST_F(StreamWatchTest, Tells_the_causes_apart) {
  EXPECT_THAT(say("closed: 16, resource \"default.web-1\" not found; create a Dataplane in Kuma CP first"),
              HasSubstr("does not know web-1"));
  EXPECT_THAT(say("closed: 3, could not register proxy passed in kuma-dp run: mesh missing"),
              HasSubstr("could not register"));
  EXPECT_THAT(
      say("closed since 31s ago: 14, upstream connect error: TLS_error:|268435581:SSL routines:OPENSSL_internal:"
          "CERTIFICATE_VERIFY_FAILED:TLS_error_end"),
      HasSubstr("--ca-cert-file"));
  EXPECT_THAT(say("closed since 31s ago: 14, upstream connect error or disconnect/reset before headers"),
              HasSubstr("https://cp:5678 cannot be reached. Envoy works on"));
  EXPECT_THAT(say("closed: 13, internal"), HasSubstr("ended the configuration stream"));
}

TEST_F(StreamWatchTest, Speaks_once_a_minute_for_each_cause_and_counts_the_rest) {
  EXPECT_NE(say("closed: 16, a"), "");
  for (int i = 0; i < 59; ++i) {
    executor_.advance(1s);
    EXPECT_EQ(say("closed: 16, a"), "");
  }
  EXPECT_NE(say("closed: 14, b"), "");  // another cause is news
  executor_.advance(1s);
  const auto advice = watch_.observe(std::string(kPrefix) + "closed: 16, c");
  ASSERT_TRUE(advice);
  EXPECT_EQ(advice->repeated, 59u);
  EXPECT_EQ(advice->reason, "c");
}

TEST_F(StreamWatchTest, Names_the_right_token_for_zone_proxies) {
  StreamWatch watch(executor_.clock(),
                    {.type = "ingress", .mesh = "", .name = "in-1", .cp_address = "https://cp:5678"});
  EXPECT_THAT(watch.observe(std::string(kPrefix) + "closed: 16, x")->message,
              HasSubstr("kumactl generate zone-token --scope ingress"));
}

class ConnectionWatchTest : public testing::Test {
 protected:
  void answer(absl::StatusOr<HttpAnswer> value) {
    ASSERT_TRUE(pending_);
    std::exchange(pending_, nullptr)(std::move(value));
  }
  void state(int value) {
    answer(HttpAnswer{.status = 200, .body = "control_plane.connected_state: " + std::to_string(value) + "\n"});
  }
  std::string logged() { return std::exchange(logged_, ""); }

  FakeExecutor executor_;
  std::string logged_;
  Log log_{executor_.clock(), Log::Level::Info, [this](std::string_view line) { logged_ += line; }};
  std::function<void(absl::StatusOr<HttpAnswer>)> pending_;
  ConnectionWatch watch_{executor_, log_, "https://cp:5678",
                         [this](std::function<void(absl::StatusOr<HttpAnswer>)> done) { pending_ = std::move(done); }};
};

TEST_F(ConnectionWatchTest, Says_when_the_control_plane_comes_and_goes) {
  watch_.start();
  executor_.advance(1s);
  state(0);
  EXPECT_EQ(logged(), "");
  executor_.advance(1s);
  state(1);
  EXPECT_THAT(logged(), HasSubstr("connected to the control plane\t"));
  executor_.advance(5s);
  state(1);
  EXPECT_EQ(logged(), "");
  executor_.advance(5s);
  state(0);
  EXPECT_THAT(logged(), HasSubstr("lost the connection to the control plane. Envoy works on"));
  executor_.advance(1s);
  state(1);
  EXPECT_THAT(logged(), HasSubstr("connected to the control plane again"));
}

TEST_F(ConnectionWatchTest, Waits_for_an_admin_api_that_is_not_there_yet) {
  watch_.start();
  executor_.advance(1s);
  answer(absl::UnavailableError("connection refused"));
  executor_.advance(1s);
  answer(HttpAnswer{.status = 503, .body = ""});
  executor_.advance(1s);
  answer(HttpAnswer{.status = 200, .body = ""});
  executor_.advance(1s);
  EXPECT_EQ(logged(), "");
  EXPECT_TRUE(pending_);
}

TEST_F(ConnectionWatchTest, Is_silent_after_stop) {
  watch_.start();
  executor_.advance(1s);
  watch_.stop();
  state(1);
  EXPECT_EQ(logged(), "");
  executor_.advance(1min);
  EXPECT_FALSE(pending_);
}

}  // namespace
}  // namespace kuma::dp
