#include "api/measured_handler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;

struct Caught final : net::HttpResponder::Impl {
  explicit Caught(std::vector<int>& statuses_in) : statuses(statuses_in) {}
  void send(net::HttpResponse response) override { statuses.push_back(response.status); }
  std::vector<int>& statuses;
};

class MeasuredHandler : public ::testing::Test {
 protected:
  void call(const std::string& target) {
    handler_({.method = "POST", .target = target}, net::HttpResponder(std::make_unique<Caught>(statuses_)));
  }

  ManualClock clock_;
  observe::Metrics metrics_{{{"zone", "east"}}};
  std::vector<int> statuses_;
  std::vector<net::HttpResponder> waiting_;
  net::HttpHandler handler_ = measured([this](net::HttpRequest, net::HttpResponder responder) { waiting_.push_back(std::move(responder)); }, metrics_,
                                       "dp_server", "/bootstrap", clock_);
};

TEST_F(MeasuredHandler, Counts_what_is_dropped_as_no_longer_under_way) {
  call("/bootstrap");
  EXPECT_THAT(metrics_.to_text(), HasSubstr("dp_server_http_requests_inflight{zone=\"east\",handler=\"/bootstrap\",service=\"\"} 1"));
  waiting_.clear();
  EXPECT_THAT(metrics_.to_text(), HasSubstr("dp_server_http_requests_inflight{zone=\"east\",handler=\"/bootstrap\",service=\"\"} 0"));
}

TEST_F(MeasuredHandler, Counts_answers_by_path_and_not_by_those_that_clients_make_up) {
  for (const char* target : {"/bootstrap", "/bootstrap?x=1", "/etc/passwd"}) {
    call(target);
    waiting_.back().send({.status = 200});
  }
  EXPECT_THAT(statuses_, testing::ElementsAre(200, 200, 200));
  EXPECT_THAT(metrics_.to_text(), HasSubstr("dp_server_http_request_duration_seconds_count{zone=\"east\",code=\"200\",handler=\"/bootstrap\",method=\"POST\",service=\"\"} 2"));
  EXPECT_THAT(metrics_.to_text(), HasSubstr("handler=\"\",method=\"POST\",service=\"\"} 1"));
  EXPECT_THAT(metrics_.to_text(), testing::Not(HasSubstr("passwd")));
}

}  // namespace
}  // namespace kuma::api
