#include "xds/server/session.h"

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "observe/metrics.h"
#include "xds/server/session_testing.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::discovery::v3::DiscoveryRequest;
using testing::Answer;
using testing::Wanted;
using Texts = std::vector<std::string>;

// A proxy that speaks the state-of-the-world protocol. What it gets is kept until the test answers.
class SessionTest : public ::testing::Test {
 protected:
  void want(const Wanted& wanted, PropagationPtr propagation = nullptr) {
    session_->set_snapshot(wanted.snapshot(), propagation == nullptr ? std::vector<PropagationPtr>() : std::vector{std::move(propagation)});
  }

  // A request with the nonce and the version of the last response; `names` stay what they were when not given.
  DiscoveryRequest request(XdsType type) {
    DiscoveryRequest out;
    out.set_type_url(std::string(type_url(type)));
    out.set_response_nonce(nonces_[type]);
    out.set_version_info(accepted_[type]);
    for (const std::string& name : names_[type]) {
      out.add_resource_names(name);
    }
    return out;
  }
  void subscribe(XdsType type, const Texts& names = {}) {
    names_[type] = names;
    session_->on_request(request(type));
  }
  void reconnect() {
    session_ = std::make_unique<AdsSession>(options_, clock_);
    nonces_.clear();
  }
  void ack(XdsType type) {
    accepted_[type] = versions_[type];
    session_->on_request(request(type));
  }
  void nack(XdsType type) {
    DiscoveryRequest out = request(type);
    out.mutable_error_detail()->set_message("no good");
    session_->on_request(out);
  }

  // What was sent since the last call, and takes note of nonces and versions.
  Texts sent() {
    Texts out;
    for (const net::GrpcMessage& message : session_->take_responses()) {
      const Answer answer = testing::read_answer(message, options_.protocol);
      nonces_[*find_xds_type(answer.type_url)] = answer.nonce;
      versions_[*find_xds_type(answer.type_url)] = answer.version;
      out.push_back(answer.text);
    }
    return out;
  }

  // Envoy's way through a first configuration, with everything acknowledged.
  void settle(const Wanted& wanted) {
    want(wanted);
    subscribe(XdsType::Cluster);
    subscribe(XdsType::Endpoint, wanted.endpoints);
    subscribe(XdsType::Listener);
    ack_all();
    ASSERT_TRUE(session_->is_settled());
  }
  void ack_all() {
    for (int rounds = 0; rounds < 10; ++rounds) {
      const Texts texts = sent();
      if (texts.empty()) {
        return;
      }
      for (const XdsType type : {XdsType::Cluster, XdsType::Endpoint, XdsType::Listener, XdsType::Route, XdsType::Secret}) {
        if (std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.starts_with(testing::short_name(type_url(type))); })) {
          ack(type);
        }
      }
    }
    FAIL() << "the session never has enough";
  }

  ManualClock clock_;
  AdsSession::Options options_{.protocol = AdsSession::Protocol::StateOfTheWorld, .control_plane_id = "cp-1", .nack_backoff = 5s};
  std::unique_ptr<AdsSession> session_ = std::make_unique<AdsSession>(options_, clock_);
  std::map<XdsType, std::string> nonces_, versions_, accepted_;
  std::map<XdsType, Texts> names_;
};

// ---------------------------------------------------------------- bad and odd requests

TEST_F(SessionTest, Never_answers_a_type_that_is_not_served) {
  want({.clusters = {"a"}});
  DiscoveryRequest request;
  request.set_type_url("type.googleapis.com/envoy.config.route.v3.VirtualHost");
  session_->on_request(request);
  session_->on_request(DiscoveryRequest());
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, Ignores_a_request_with_a_stale_nonce) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  DiscoveryRequest stale = request(XdsType::Endpoint);
  want({.clusters = {"a"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
  stale.add_resource_names("b");
  session_->on_request(stale);
  EXPECT_FALSE(session_->is_idle());  // the response is still unanswered
  EXPECT_EQ(sent(), Texts());
  ack(XdsType::Endpoint);
  EXPECT_TRUE(session_->is_idle());
}

TEST_F(SessionTest, Ignores_a_stale_rejection) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  session_->take_events();
  DiscoveryRequest stale = request(XdsType::Cluster);
  stale.mutable_error_detail()->set_message("late");
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l"}});
  session_->on_request(stale);
  for (const AdsSession::Event& event : session_->take_events()) {
    EXPECT_EQ(event.kind, AdsSession::Event::Kind::Sent);
  }
  EXPECT_FALSE(session_->retry_at());
}

TEST_F(SessionTest, Takes_the_nonce_of_an_earlier_stream_for_a_first_request) {
  want({.clusters = {"a"}});
  nonces_[XdsType::Cluster] = "42";
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a"}));
}

TEST_F(SessionTest, Subscribing_twice_is_answered_once) {
  want({.clusters = {"a"}, .endpoints = {"a"}});
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a"}));
  ack(XdsType::Cluster);
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, Answers_when_there_is_something_to_say_not_before) {
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts());
  want({});
  EXPECT_EQ(sent(), Texts());  // nothing is there, and that is what the proxy has
  want({.clusters = {"a"}, .endpoints = {"a"}});
  EXPECT_EQ(sent(), Texts({"CDS a", "EDS a"}));
}

TEST_F(SessionTest, Names_that_are_not_there_are_answered_once_they_are) {
  want({.clusters = {"a"}, .endpoints = {"a"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts({"EDS a"}));
  ack(XdsType::Endpoint);
  want({.clusters = {"a"}, .endpoints = {"a", "b", "c"}});
  EXPECT_EQ(sent(), Texts({"EDS b"}));
}

// ---------------------------------------------------------------- subscriptions

TEST_F(SessionTest, A_further_name_brings_just_that_one) {
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts({"EDS a"}));
  ack(XdsType::Endpoint);
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts({"EDS b"}));
}

TEST_F(SessionTest, A_name_that_was_given_up_comes_again_when_it_is_asked_for_again) {
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  ack_all();
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts());
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts({"EDS b"}));
}

TEST_F(SessionTest, Is_quiet_about_names_that_were_given_up) {
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  ack_all();
  subscribe(XdsType::Endpoint, {"a"});
  want({.endpoints = {"a", "b:2"}});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, From_all_to_some_and_back) {
  want({.clusters = {"a", "b"}});
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a b"}));
  ack(XdsType::Cluster);
  subscribe(XdsType::Cluster, {"a"});
  EXPECT_EQ(sent(), Texts());
  want({.clusters = {"a:2", "b:2"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));
  ack(XdsType::Cluster);
  subscribe(XdsType::Cluster, {"*"});
  EXPECT_EQ(sent(), Texts({"CDS a:2 b:2"}));
  ack(XdsType::Cluster);
}

TEST_F(SessionTest, No_names_after_some_means_none) {
  want({.clusters = {"a", "b"}});
  subscribe(XdsType::Cluster, {"a"});
  EXPECT_EQ(sent(), Texts({"CDS a"}));
  ack(XdsType::Cluster);
  subscribe(XdsType::Cluster, {});
  want({.clusters = {"a:2", "b:2"}});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, Endpoints_are_by_name_only) {
  want({.endpoints = {"a"}});
  subscribe(XdsType::Endpoint, {});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, Endpoints_asked_for_anew_with_an_acknowledged_nonce_are_sent_again) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  session_->on_request(request(XdsType::Endpoint));
  EXPECT_EQ(sent(), Texts({"EDS a"}));
}

// ---------------------------------------------------------------- order

TEST_F(SessionTest, Clusters_then_endpoints_then_listeners_then_routes) {
  subscribe(XdsType::Route, {"r"});
  subscribe(XdsType::Listener);
  subscribe(XdsType::Endpoint, {"a"});
  subscribe(XdsType::Cluster);
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}, .routes = {"r"}});
  EXPECT_EQ(sent(), Texts({"CDS a", "EDS a"}));
  ack(XdsType::Endpoint);
  EXPECT_EQ(sent(), Texts());
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"LDS l"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"RDS r"}));
}

TEST_F(SessionTest, A_changed_cluster_brings_its_endpoints_again) {
  settle({.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l"}});
  want({.clusters = {"a:2", "b"}, .endpoints = {"a", "b"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2 b", "EDS a"}));
}

TEST_F(SessionTest, Endpoints_on_their_way_when_their_cluster_changes_come_again_after_it) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
  want({.clusters = {"a:2"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));
  nonces_[XdsType::Endpoint] = "2";
  session_->on_request([&] {
    DiscoveryRequest acknowledged = request(XdsType::Endpoint);
    acknowledged.set_response_nonce(std::to_string(std::stoi(nonces_[XdsType::Cluster]) - 1));
    return acknowledged;
  }());
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
}

TEST_F(SessionTest, Changes_meanwhile_are_merged_into_the_next_response) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
  want({.clusters = {"a"}, .endpoints = {"a:3"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a:4"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts());
  ack(XdsType::Endpoint);
  EXPECT_EQ(sent(), Texts({"EDS a:4"}));
}

TEST_F(SessionTest, A_cluster_goes_after_the_listener_that_used_it) {
  settle({.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l", "m"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"LDS l"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"CDS a"}));
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts());
  EXPECT_TRUE(session_->is_settled());
}

TEST_F(SessionTest, A_new_cluster_goes_out_with_the_old_one_that_listeners_still_use) {
  settle({.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l:b"}});
  names_[XdsType::Endpoint] = {"a", "c"};
  want({.clusters = {"a", "c"}, .endpoints = {"a", "c"}, .listeners = {"l:c"}});
  EXPECT_EQ(sent(), Texts({"CDS a b c"}));
  ack(XdsType::Endpoint);  // Envoy asks for the endpoints of the new cluster
  EXPECT_EQ(sent(), Texts({"EDS c"}));
  ack(XdsType::Endpoint);
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"LDS l:c"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"CDS a c"}));
}

TEST_F(SessionTest, A_cluster_stays_while_the_listeners_that_do_without_it_are_refused) {
  settle({.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l:b"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:a"}});
  EXPECT_EQ(sent(), Texts({"LDS l:a"}));
  nack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts());
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l:a"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2 b", "EDS a"}));  // with what the kept listener refers to
  ack(XdsType::Cluster);
  ack(XdsType::Endpoint);
  EXPECT_EQ(sent(), Texts());
  clock_.advance(5s);
  session_->on_timer();
  EXPECT_EQ(sent(), Texts({"LDS l:a"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));
}

TEST_F(SessionTest, A_cluster_stays_while_routes_are_unanswered) {
  want({.clusters = {"a", "b"}, .listeners = {"l"}, .routes = {"r:b"}});
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Listener);
  subscribe(XdsType::Route, {"r"});
  ack_all();
  want({.clusters = {"a"}, .listeners = {"l"}, .routes = {"r:a"}});
  EXPECT_EQ(sent(), Texts({"RDS r:a"}));
  ack(XdsType::Route);
  EXPECT_EQ(sent(), Texts({"CDS a"}));
}

TEST_F(SessionTest, The_last_cluster_and_the_last_listener_go_too) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({});
  EXPECT_EQ(sent(), Texts({"LDS"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"CDS"}));
}

// ---------------------------------------------------------------- refusals

TEST_F(SessionTest, What_was_refused_is_sent_again_after_the_back_off_and_not_before) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:bad"}});
  EXPECT_EQ(sent(), Texts({"LDS l:bad"}));
  nack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts());
  ASSERT_TRUE(session_->retry_at());
  EXPECT_EQ(*session_->retry_at() - clock_.monotonic_now(), 5s);
  clock_.advance(4s);
  session_->on_timer();
  EXPECT_EQ(sent(), Texts());
  clock_.advance(1s);
  session_->on_timer();
  EXPECT_EQ(sent(), Texts({"LDS l:bad"}));
  EXPECT_FALSE(session_->retry_at());
  nack(XdsType::Listener);
  EXPECT_EQ(*session_->retry_at() - clock_.monotonic_now(), 5s);
}

TEST_F(SessionTest, Something_else_is_sent_at_once_after_a_refusal) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:bad"}});
  EXPECT_EQ(sent(), Texts({"LDS l:bad"}));
  nack(XdsType::Listener);
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:good"}});
  EXPECT_EQ(sent(), Texts({"LDS l:good"}));
  ack(XdsType::Listener);
  EXPECT_FALSE(session_->retry_at());
}

TEST_F(SessionTest, Going_back_to_what_the_proxy_has_needs_no_response_after_a_refusal) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:bad"}});
  EXPECT_EQ(sent(), Texts({"LDS l:bad"}));
  nack(XdsType::Listener);
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, A_refusal_is_of_what_was_sent_not_of_what_is_wanted_by_then) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:bad"}});
  EXPECT_EQ(sent(), Texts({"LDS l:bad"}));
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:good"}});
  nack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"LDS l:good"}));
}

TEST_F(SessionTest, Another_type_goes_on_while_one_is_refused) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a:bad"}, .endpoints = {"a:2"}, .listeners = {"l:2"}});
  EXPECT_EQ(sent(), Texts({"CDS a:bad", "EDS a:2"}));
  nack(XdsType::Cluster);
  ack(XdsType::Endpoint);
  EXPECT_EQ(sent(), Texts({"LDS l:2"}));
}

TEST_F(SessionTest, Tells_what_happened) {
  using Kind = AdsSession::Event::Kind;
  want({.clusters = {"a"}});
  subscribe(XdsType::Cluster);
  sent();
  nack(XdsType::Cluster);
  nack(XdsType::Cluster);  // once more: not counted twice
  const std::vector<AdsSession::Event> events = session_->take_events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, Kind::Sent);
  EXPECT_EQ(events[1].kind, Kind::Rejected);
  EXPECT_EQ(events[1].type, XdsType::Cluster);
  EXPECT_EQ(events[1].message, "no good");
}

// ---------------------------------------------------------------- coming back

TEST_F(SessionTest, A_proxy_that_comes_back_with_all_of_it_is_sent_nothing) {
  const Wanted wanted{.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l"}};
  settle(wanted);
  reconnect();
  want(wanted);
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Endpoint, {"a", "b"});
  subscribe(XdsType::Listener);
  EXPECT_EQ(sent(), Texts());
  EXPECT_TRUE(session_->is_settled());
}

TEST_F(SessionTest, What_it_says_that_it_has_counts_also_before_the_first_snapshot) {
  const Wanted wanted{.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}};
  settle(wanted);
  reconnect();
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Endpoint, {"a"});
  subscribe(XdsType::Listener);
  EXPECT_EQ(sent(), Texts());
  want(wanted);
  EXPECT_EQ(sent(), Texts());
  want({.clusters = {"a"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
}

TEST_F(SessionTest, What_changed_while_it_was_away_is_sent) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  reconnect();
  want({.clusters = {"a"}, .endpoints = {"a:2"}, .listeners = {"l"}});
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Endpoint, {"a"});
  subscribe(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"EDS a:2"}));
}

TEST_F(SessionTest, All_is_taken_away_from_a_proxy_that_comes_back_to_nothing) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  reconnect();
  want({});
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS"}));
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, A_name_that_was_never_answered_does_not_count_as_held) {
  want({.endpoints = {"a"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  ack_all();
  reconnect();
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts({"EDS a b"}));
}

TEST_F(SessionTest, A_proxy_that_has_some_of_the_endpoints_is_known_by_their_version) {
  want({.endpoints = {"a", "b", "c"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  ack_all();
  reconnect();
  want({.endpoints = {"a", "b", "c:2"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(SessionTest, A_proxy_that_comes_back_with_a_cluster_kept_for_refused_listeners_has_it_taken_away) {
  settle({.clusters = {"a", "b"}, .endpoints = {"a", "b"}, .listeners = {"l:b"}});
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l:a"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2 b", "EDS a"}));
  ack(XdsType::Cluster);
  reconnect();
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l:a"}});
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));
}

TEST_F(SessionTest, Endpoints_of_a_cluster_that_is_on_its_way_come_again_to_a_proxy_that_comes_back) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  reconnect();
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l"}});
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts({"CDS a:2", "EDS a"}));
}

// ---------------------------------------------------------------- how long it took

class PropagationTest : public SessionTest {
 protected:
  PropagationPtr propagation() { return std::make_shared<Propagation>(clock_.monotonic_now(), seconds_); }
  std::string observed() const {
    const std::string text = metrics_.to_text();
    const size_t at = text.find("seconds_count ");
    const size_t sum = text.find("seconds_sum ");
    return text.substr(at + 14, text.find('\n', at) - at - 14) + " in " + text.substr(sum + 12, text.find('\n', sum) - sum - 12);
  }
  observe::Metrics metrics_;
  observe::Histogram seconds_ = metrics_.histogram("seconds", "");
};

TEST_F(PropagationTest, A_change_is_through_when_the_last_type_is_acknowledged) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l:2"}}, propagation());
  clock_.advance(1s);
  ack_all();
  EXPECT_EQ(observed(), "1 in 1");
}

TEST_F(PropagationTest, A_stream_that_ends_acknowledges_nothing) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a:2"}, .endpoints = {"a"}, .listeners = {"l"}}, propagation());
  session_.reset();
  EXPECT_EQ(observed(), "0 in 0");
}

TEST_F(PropagationTest, A_refusal_is_no_acknowledgement) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l:bad"}}, propagation());
  sent();
  nack(XdsType::Listener);
  EXPECT_EQ(observed(), "0 in 0");
}

TEST_F(PropagationTest, Holds_on_to_so_many_changes_of_a_proxy_that_does_not_answer) {
  settle({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  std::vector<std::weak_ptr<Propagation>> all;
  for (size_t i = 0; i < kPropagationsMax + 10; ++i) {
    PropagationPtr one = propagation();
    all.push_back(one);
    want({.clusters = {"a"}, .endpoints = {"a:" + std::to_string(i + 2)}, .listeners = {"l"}}, std::move(one));
  }
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& one) { return !one.expired(); }), static_cast<ptrdiff_t>(kPropagationsMax));
}

}  // namespace
}  // namespace kuma::xds
