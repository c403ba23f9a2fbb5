#include "dp/metrics_hijacker.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using testing::HasSubstr;

TEST(EnvoyStatsQuery, Adds_the_format_and_sorts) {
  EXPECT_EQ(envoy_stats_query("/"), "format=prometheus&text_readouts=");
  EXPECT_EQ(envoy_stats_query("/?filter=http2_act.*&usedonly"),
            "filter=http2_act.%2A&format=prometheus&text_readouts=&usedonly=");
  EXPECT_EQ(envoy_stats_query("/x?filter=a%20b%zz+c&&format=json"),
            "filter=a+b%25zz+c&format=prometheus&text_readouts=");
}

class HijackerTest : public testing::Test {
 protected:
  MetricsHijacker make(std::string envoy_url, std::vector<AggregateTarget> applications) {
    return {log_, std::move(envoy_url), std::move(applications),
            [this](std::string url, net::Headers headers,
                   std::function<void(absl::StatusOr<MetricsHijacker::Fetched>)> done) {
              asked_.push_back(url);
              headers_ = std::move(headers);
              pending_[url] = std::move(done);
            }};
  }
  void scrape(MetricsHijacker& hijacker, const std::string& target = "/") {
    net::Headers headers;
    headers.add("accept", "text/plain");
    headers.add("cookie", "secret");
    hijacker.handle(target, headers, [this](MetricsAnswer answer) { answer_ = std::move(answer); });
  }

  std::string logged_;
  Log log_{system_clock(), Log::Level::Info, [this](std::string_view line) { logged_ += line; }};
  std::vector<std::string> asked_;
  net::Headers headers_;
  std::map<std::string, std::function<void(absl::StatusOr<MetricsHijacker::Fetched>)>> pending_;
  std::optional<MetricsAnswer> answer_;
};

TEST_F(HijackerTest, Asks_all_at_once_and_answers_in_their_order) {
  auto hijacker =
      make("http://127.0.0.1:9901/stats", {{.name = "app", .address = "::1", .port = 80, .path = "metrics?x=1"}});
  scrape(hijacker, "/?usedonly");
  EXPECT_THAT(asked_, testing::ElementsAre("http://[::1]:80/metrics",
                                           "http://127.0.0.1:9901/stats?format=prometheus&text_readouts=&usedonly="));
  EXPECT_EQ(headers_.fields().size(), 1u);
  pending_[asked_[1]](MetricsHijacker::Fetched{.content_type = "text/plain",
                                               .body = "e{envoy_cluster_name=\"a-0123456789abcdef\"} 1\n"});
  EXPECT_FALSE(answer_);
  pending_[asked_[0]](MetricsHijacker::Fetched{.content_type = "text/plain",
                                               .body = "a{envoy_cluster_name=\"a-0123456789abcdef\"} 1\n"});
  ASSERT_TRUE(answer_);
  EXPECT_EQ(
      answer_->body,
      "a{envoy_cluster_name=\"a-0123456789abcdef\"} 1\ne{envoy_cluster_name=\"a\",kuma_io_mesh_traffic=\"true\"} 1\n");
}

TEST_F(HijackerTest, Leaves_out_a_target_that_fails) {
  auto hijacker = make("http://e/stats", {{.name = "app", .address = "a", .port = 80, .path = "/m"}});
  scrape(hijacker);
  pending_[asked_[0]](absl::UnavailableError("connection refused"));
  pending_[asked_[1]](MetricsHijacker::Fetched{.content_type = "text/plain", .body = "x 1\n"});
  EXPECT_EQ(answer_->body, "x 1\n");
  EXPECT_THAT(logged_, HasSubstr("{\"name\": \"app\", \"error\": \"connection refused\"}"));
}

TEST_F(HijackerTest, Leaves_out_an_envoy_that_makes_no_sense) {
  auto hijacker = make("http://e/stats", {});
  scrape(hijacker);
  pending_[asked_[0]](MetricsHijacker::Fetched{.content_type = "text/html", .body = "<html>\n"});
  EXPECT_EQ(answer_->body, "\n");
  EXPECT_THAT(logged_, HasSubstr("not a metric"));
}

TEST_F(HijackerTest, Answers_with_nothing_to_ask) {
  auto hijacker = make("", {});
  scrape(hijacker);
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->body, "\n");
}

TEST(ClearSocketPath, Removes_what_was_left_and_says_when_it_cannot) {
  const std::string dir = testing::TempDir() + "kuma-dp-clear";
  std::filesystem::create_directories(dir);
  const std::string path = dir + "/mh.sock";
  EXPECT_TRUE(clear_socket_path(path).ok());
  std::ofstream(path) << "x";
  EXPECT_TRUE(clear_socket_path(path).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::create_directories(path + "/in/use");
  EXPECT_EQ(clear_socket_path(path).message(),
            "file " + path + " exists and probably opened by another kuma-dp instance");
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace kuma::dp
