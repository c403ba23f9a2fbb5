#include "dp/bootstrap.h"

#include "base/text.h"
#include "dp/bootstrap_client.h"
#include "dp/fake_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(BootstrapRequest, Has_the_members_that_control_planes_know) {
  const BootstrapRequest request{.mesh = "default",
                                 .name = "web-1",
                                 .proxy_type = "dataplane",
                                 .token = "tok",
                                 .token_path = "/t",
                                 .resource = "{}",
                                 .envoy = {.build = "b/1.40.0/c", .version = "1.40.0", .compatible = true},
                                 .ca_cert = "pem",
                                 .dynamic_metadata = {{"a", "b"}},
                                 .dns_port = 15054,
                                 .readiness_port = 9902,
                                 .dns_empty_port = 15055,
                                 .memory_bytes_max = 7,
                                 .access_log_path = "/al",
                                 .metrics_path = "/mh",
                                 .metrics_cert_path = "/c",
                                 .metrics_key_path = "/k"};
  EXPECT_EQ(
      to_json(request),
      R"({"mesh":"default","name":"web-1","proxyType":"dataplane","dataplaneToken":"tok","dataplaneTokenPath":"/t",)"
      R"("dataplaneResource":"{}","version":{"kumaDp":{"version":"2.5.11","gitTag":"2.5.11","gitCommit":"unknown",)"
      R"("buildDate":"unknown"},"envoy":{"version":"1.40.0","build":"b/1.40.0/c","kumaDpCompatible":true}},)"
      R"("caCert":"pem","dynamicMetadata":{"a":"b"},"dnsPort":15054,"readinessPort":9902,"emptyDnsPort":15055,)"
      R"("operatingSystem":"linux","features":["feature-tcp-accesslog-via-named-pipe"],)"
      R"("resources":{"maxHeapSizeBytes":7},"accessLogSocketPath":"/al",)"
      R"("metricsResources":{"socketPath":"/mh","certPath":"/c","keyPath":"/k"}})");
}

TEST(BootstrapRequest, Leaves_out_what_is_not_given) {
  const std::string text = to_json(BootstrapRequest{});
  for (const std::string_view member :
       {"dataplaneToken", "dataplaneTokenPath", "dataplaneResource", "dnsPort", "readinessPort", "emptyDnsPort"}) {
    EXPECT_THAT(text, testing::Not(HasSubstr(std::string(member)))) << member;
  }
  EXPECT_THAT(text, HasSubstr(R"("caCert":"")"));
  EXPECT_THAT(text, HasSubstr(R"("maxHeapSizeBytes":0)"));
}

TEST(BootstrapUrl, Refuses_what_is_no_http_url) {
  for (const char* address : {"", "localhost:5678", "ftp://x", "https://", "ht tp://x"}) {
    EXPECT_EQ(bootstrap_url(address).status().message(),
              std::string("the control plane's address has to be a URL such as https://localhost:5678, got \"") +
                  address + "\"");
  }
}

TEST(BootstrapUrl, Replaces_the_path) {
  EXPECT_EQ(*bootstrap_url("https://localhost:5678"), "https://localhost:5678/bootstrap");
  EXPECT_EQ(*bootstrap_url("http://10.0.0.1:5678/x/y?z=1#f"), "http://10.0.0.1:5678/bootstrap");
  EXPECT_EQ(*bootstrap_url("https://[::1]:5678/"), "https://[::1]:5678/bootstrap");
}

TEST(BootstrapRefusal, Of_an_unknown_dataplane_is_worth_another_try) {
  const Refusal refusal = interpret_refusal({.status = 404, .body = ""});
  EXPECT_TRUE(refusal.retry);
  EXPECT_THAT(refusal.message,
              testing::StartsWith("Dataplane entity not found. If you are running on Universal please create "
                                  "a Dataplane entity on kuma-cp before starting kuma-dp or pass it to"));
  EXPECT_THAT(refusal.log, testing::StartsWith("Dataplane entity is not yet found in the Control Plane."));
}

TEST(BootstrapRefusal, Of_the_rest_api_points_to_the_other_port) {
  const Refusal refusal = interpret_refusal({.status = 404, .body = "404: Page Not Found\n"});
  EXPECT_TRUE(refusal.retry);
  EXPECT_THAT(refusal.message, HasSubstr("not HTTP API (5681 by default)"));
}

TEST(BootstrapRefusal, Of_the_request_itself_ends_it) {
  const Refusal refusal = interpret_refusal({.status = 422, .body = "mesh: mesh \"nomesh\" does not exist\n"});
  EXPECT_FALSE(refusal.retry);
  EXPECT_EQ(refusal.message, "Invalid request: mesh: mesh \"nomesh\" does not exist");
  EXPECT_FALSE(interpret_refusal({.status = 404, .body = "404 page not found\n"}).retry);
}

TEST(BootstrapRefusal, By_a_sick_control_plane_is_worth_another_try) {
  EXPECT_TRUE(interpret_refusal({.status = 500, .body = ""}).retry);
  EXPECT_EQ(interpret_refusal({.status = 503, .body = ""}).message, "unexpected status code: 503");
  EXPECT_EQ(interpret_failure("connection refused").message, "request to bootstrap server failed: connection refused");
}

std::string answer_with(std::string_view yaml) {
  return R"({"bootstrap":")" + base64_encode(yaml) +
         R"(","kumaSidecarConfiguration":{"networking":)"
         R"({"isUsingTransparentProxy":true},"metrics":{"aggregate":[{"name":"app","address":"10.0.0.1","port":8080,)"
         R"("path":"/metrics"}]}}})";
}

TEST(BootstrapAnswer, Is_refused_when_it_is_none) {
  EXPECT_THAT(std::string(parse_bootstrap("node: {}").status().message()),
              HasSubstr("could not read the bootstrap answer: line 1"));
  EXPECT_THAT(std::string(parse_bootstrap("{}").status().message()), HasSubstr("bootstrap: expected base64 text"));
  EXPECT_THAT(std::string(parse_bootstrap(R"({"bootstrap":"%%%"})").status().message()),
              HasSubstr("expected base64 text"));
  EXPECT_THAT(std::string(parse_bootstrap(answer_with("a: [")).status().message()),
              HasSubstr("could not read Envoy's bootstrap configuration: line"));
  EXPECT_THAT(
      std::string(
          parse_bootstrap(answer_with("admin: {address: {socketAddress: {portValue: 70000}}}")).status().message()),
      HasSubstr("70000 is no port"));
}

TEST(BootstrapAnswer, Tells_what_the_supervisor_has_to_know) {
  const auto bootstrap =
      parse_bootstrap(answer_with("admin: {address: {socketAddress: {address: 127.0.0.1, portValue: 9901}}}"));
  ASSERT_TRUE(bootstrap.ok()) << bootstrap.status();
  EXPECT_EQ(bootstrap->admin_address, "127.0.0.1");
  EXPECT_EQ(bootstrap->admin_port, 9901);
  EXPECT_TRUE(bootstrap->transparent_proxy);
  ASSERT_EQ(bootstrap->metrics.size(), 1u);
  EXPECT_EQ(bootstrap->metrics[0].name, "app");
  EXPECT_EQ(bootstrap->metrics[0].address, "10.0.0.1");
  EXPECT_EQ(bootstrap->metrics[0].port, 8080u);
  EXPECT_EQ(bootstrap->metrics[0].path, "/metrics");
}

TEST(BootstrapAnswer, May_have_no_admin_and_no_sidecar_part) {
  const auto bootstrap = parse_bootstrap(R"({"bootstrap":")" + base64_encode("node: {id: a}") + "\"}");
  ASSERT_TRUE(bootstrap.ok()) << bootstrap.status();
  EXPECT_EQ(bootstrap->admin_port, 0);
  EXPECT_TRUE(bootstrap->metrics.empty());
}

class BootstrapClientTest : public testing::Test {
 protected:
  void start() {
    client_.start([this](absl::StatusOr<Bootstrap> result) { result_ = std::move(result); });
  }
  void answer(absl::StatusOr<HttpAnswer> answer) {
    ASSERT_TRUE(pending_) << "nobody asked";
    std::exchange(pending_, nullptr)(std::move(answer));
  }
  std::string error() const { return result_ ? std::string(result_->status().message()) : "not ended"; }

  FakeExecutor executor_;
  std::string logged_;
  Log log_{executor_.clock(), Log::Level::Info, [this](std::string_view line) { logged_ += line; }};
  int attempts_ = 0;
  std::function<void(absl::StatusOr<HttpAnswer>)> pending_;
  std::optional<absl::StatusOr<Bootstrap>> result_;
  BootstrapClient client_{executor_,
                          executor_.clock(),
                          log_,
                          {.backoff = 3s, .duration_max = 10s},
                          [this](std::function<void(absl::StatusOr<HttpAnswer>)> done) {
                            ++attempts_;
                            pending_ = std::move(done);
                          }};
};

TEST_F(BootstrapClientTest, Ends_at_once_when_the_request_is_refused) {
  start();
  answer(HttpAnswer{.status = 422, .body = "no"});
  EXPECT_EQ(error(), "Failed to generate Envoy bootstrap config. Invalid request: no");
  executor_.advance(1min);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(BootstrapClientTest, Tries_again_until_the_time_is_over_and_says_why_each_time) {
  start();
  answer(absl::UnavailableError("connection refused"));
  EXPECT_THAT(logged_, HasSubstr("make sure you are not trying to connect to global-cp"));
  EXPECT_THAT(logged_, HasSubstr("connection refused"));
  for (int i = 0; i < 3; ++i) {
    executor_.advance(3s);
    answer(HttpAnswer{.status = 404, .body = ""});
    EXPECT_FALSE(result_);
  }
  executor_.advance(1s);  // the last pause is what is left of ten seconds
  EXPECT_EQ(attempts_, 5);
  answer(HttpAnswer{.status = 404, .body = ""});
  EXPECT_THAT(error(), testing::StartsWith("Failed to generate Envoy bootstrap config. Dataplane entity not found."));
  executor_.advance(1min);
  EXPECT_EQ(attempts_, 5);
}

TEST_F(BootstrapClientTest, Gives_up_when_one_attempt_took_all_the_time) {
  start();
  executor_.advance(11s);
  answer(HttpAnswer{.status = 500, .body = ""});
  EXPECT_EQ(error(), "Failed to generate Envoy bootstrap config. unexpected status code: 500");
}

TEST_F(BootstrapClientTest, Hands_over_the_bootstrap) {
  start();
  answer(HttpAnswer{.status = 500, .body = ""});
  executor_.advance(3s);
  answer(HttpAnswer{.status = 200, .body = answer_with("node: {id: x}")});
  ASSERT_TRUE(result_ && result_->ok());
  EXPECT_EQ((*result_)->yaml, "node: {id: x}");
}

TEST_F(BootstrapClientTest, Repeats_after_an_answer_that_makes_no_sense) {
  start();
  answer(HttpAnswer{.status = 200, .body = "<html>"});
  EXPECT_FALSE(result_);
  executor_.advance(3s);
  EXPECT_EQ(attempts_, 2);
}

TEST_F(BootstrapClientTest, Can_be_cancelled_while_it_waits_for_an_answer) {
  start();
  client_.cancel();
  EXPECT_EQ(error(), "Failed to generate Envoy bootstrap config. context canceled");
  answer(HttpAnswer{.status = 500, .body = ""});  // too late, and nobody cares
  executor_.advance(1min);
  EXPECT_EQ(attempts_, 1);
  client_.cancel();
}

TEST_F(BootstrapClientTest, Can_be_cancelled_during_a_pause) {
  start();
  answer(HttpAnswer{.status = 500, .body = ""});
  client_.cancel();
  EXPECT_THAT(error(), HasSubstr("context canceled"));
  executor_.advance(1min);
  EXPECT_EQ(attempts_, 1);
}

}  // namespace
}  // namespace kuma::dp
