#include "gtest/gtest.h"
#include "xds/server/session.h"
#include "xds/server/session_testing.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using testing::Answer;
using testing::Wanted;
using Texts = std::vector<std::string>;

// A proxy that speaks the incremental protocol.
class DeltaSessionTest : public ::testing::Test {
 protected:
  void want(const Wanted& wanted) { session_.set_snapshot(wanted.snapshot()); }

  void subscribe(XdsType type, const Texts& names = {}, const std::map<std::string, std::string>& has = {}) {
    change(type, names, {}, has);
  }
  void unsubscribe(XdsType type, const Texts& names) { change(type, {}, names); }
  void change(XdsType type, const Texts& more, const Texts& less, const std::map<std::string, std::string>& has = {}) {
    DeltaDiscoveryRequest request;
    request.set_type_url(std::string(type_url(type)));
    for (const std::string& name : more) {
      request.add_resource_names_subscribe(name);
    }
    for (const std::string& name : less) {
      request.add_resource_names_unsubscribe(name);
    }
    for (const auto& [name, version] : has) {
      (*request.mutable_initial_resource_versions())[name] = version;
    }
    session_.on_request(request);
  }
  void answer(XdsType type, const std::string& nonce, const std::string& error = "") {
    DeltaDiscoveryRequest request;
    request.set_type_url(std::string(type_url(type)));
    request.set_response_nonce(nonce);
    if (!error.empty()) {
      request.mutable_error_detail()->set_message(error);
    }
    session_.on_request(request);
  }
  void ack(XdsType type) { answer(type, nonces_[type]); }
  void nack(XdsType type) { answer(type, nonces_[type], "no good"); }

  Texts sent() {
    Texts out;
    for (const net::GrpcMessage& message : session_.take_responses()) {
      const Answer one = testing::read_answer(message, AdsSession::Protocol::Delta);
      nonces_[*find_xds_type(one.type_url)] = one.nonce;
      out.push_back(one.text);
    }
    return out;
  }

  ManualClock clock_;
  AdsSession session_{{.protocol = AdsSession::Protocol::Delta, .control_plane_id = "cp-1", .nack_backoff = 5s}, clock_};
  std::map<XdsType, std::string> nonces_;
};

TEST_F(DeltaSessionTest, Sends_what_changed_and_names_what_is_gone) {
  want({.clusters = {"a", "b"}});
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a b"}));
  ack(XdsType::Cluster);
  want({.clusters = {"b:2", "c"}});
  EXPECT_EQ(sent(), Texts({"CDS b:2 c -a"}));
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts());
}

TEST_F(DeltaSessionTest, A_stale_nonce_confirms_nothing_but_its_subscriptions_count) {
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts({"EDS a"}));
  DeltaDiscoveryRequest request;
  request.set_type_url(std::string(type_url(XdsType::Endpoint)));
  request.set_response_nonce("77");
  request.add_resource_names_subscribe("b");
  session_.on_request(request);
  EXPECT_FALSE(session_.is_idle());
  ack(XdsType::Endpoint);
  EXPECT_EQ(sent(), Texts({"EDS b"}));
}

TEST_F(DeltaSessionTest, Never_answers_a_type_that_is_not_served) {
  want({.clusters = {"a"}});
  DeltaDiscoveryRequest request;
  request.set_type_url("type.googleapis.com/nothing");
  session_.on_request(request);
  EXPECT_EQ(sent(), Texts());
}

TEST_F(DeltaSessionTest, Subscribing_again_asks_for_it_again) {
  want({.endpoints = {"a"}});
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts({"EDS a"}));
  ack(XdsType::Endpoint);
  subscribe(XdsType::Endpoint, {"a"});
  EXPECT_EQ(sent(), Texts({"EDS a"}));
}

TEST_F(DeltaSessionTest, Says_nothing_more_of_what_was_given_up) {
  want({.endpoints = {"a", "b"}});
  subscribe(XdsType::Endpoint, {"a", "b"});
  EXPECT_EQ(sent(), Texts({"EDS a b"}));
  ack(XdsType::Endpoint);
  unsubscribe(XdsType::Endpoint, {"a", "nothing-known"});
  want({.endpoints = {"b"}});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(DeltaSessionTest, From_all_to_some) {
  want({.clusters = {"a", "b"}});
  subscribe(XdsType::Cluster, {"*"});
  EXPECT_EQ(sent(), Texts({"CDS a b"}));
  ack(XdsType::Cluster);
  change(XdsType::Cluster, {"a"}, {"*"});
  EXPECT_EQ(sent(), Texts({"CDS a"}));  // asked for by name: sent, though the wildcard had brought it
  ack(XdsType::Cluster);
  want({.clusters = {"a:2"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));  // nothing of b
}

TEST_F(DeltaSessionTest, What_the_wildcard_still_covers_comes_again_when_its_name_is_given_up) {
  want({.clusters = {"a", "b"}});
  subscribe(XdsType::Cluster, {"*", "a"});
  EXPECT_EQ(sent(), Texts({"CDS a b"}));
  ack(XdsType::Cluster);
  unsubscribe(XdsType::Cluster, {"a"});
  EXPECT_EQ(sent(), Texts({"CDS a"}));
}

TEST_F(DeltaSessionTest, A_proxy_that_comes_back_is_sent_what_it_has_not_got) {
  subscribe(XdsType::Cluster, {}, {{"a", "1"}, {"b", "1"}, {"gone", "1"}});
  want({.clusters = {"a", "b:2", "c"}});
  EXPECT_EQ(sent(), Texts({"CDS b:2 c -gone"}));
}

TEST_F(DeltaSessionTest, A_proxy_that_comes_back_with_all_of_it_is_sent_nothing) {
  want({.clusters = {"a"}, .endpoints = {"a"}, .listeners = {"l"}});
  subscribe(XdsType::Cluster, {}, {{"a", "1"}});
  subscribe(XdsType::Endpoint, {"a"}, {{"a", "1"}});
  subscribe(XdsType::Listener, {}, {{"l", "1"}});
  EXPECT_EQ(sent(), Texts());
  EXPECT_TRUE(session_.is_settled());
}

TEST_F(DeltaSessionTest, What_it_has_beyond_its_subscription_is_its_own_affair) {
  want({.endpoints = {"a"}});
  subscribe(XdsType::Endpoint, {"a"}, {{"a", "1"}, {"old", "1"}});
  EXPECT_EQ(sent(), Texts());
}

TEST_F(DeltaSessionTest, Endpoints_of_a_cluster_that_is_on_its_way_come_again_to_a_proxy_that_comes_back) {
  want({.clusters = {"a:2", "b"}, .endpoints = {"a", "b"}});
  subscribe(XdsType::Cluster, {}, {{"a", "1"}, {"b", "1"}});
  subscribe(XdsType::Endpoint, {"a", "b"}, {{"a", "1"}, {"b", "1"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2", "EDS a"}));
}

TEST_F(DeltaSessionTest, A_cluster_is_named_as_gone_only_after_the_listener_that_used_it) {
  want({.clusters = {"a", "b"}, .listeners = {"l:b"}});
  subscribe(XdsType::Cluster);
  subscribe(XdsType::Listener);
  sent();
  ack(XdsType::Cluster);
  sent();
  ack(XdsType::Listener);
  want({.clusters = {"a:2"}, .listeners = {"l:a"}});
  EXPECT_EQ(sent(), Texts({"CDS a:2"}));
  ack(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"LDS l:a"}));
  nack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts());
  clock_.advance(5s);
  session_.on_timer();
  EXPECT_EQ(sent(), Texts({"LDS l:a"}));
  ack(XdsType::Listener);
  EXPECT_EQ(sent(), Texts({"CDS -b"}));
}

TEST_F(DeltaSessionTest, The_same_is_not_sent_again_before_the_back_off_is_over) {
  want({.clusters = {"a:bad", "b"}});
  subscribe(XdsType::Cluster);
  EXPECT_EQ(sent(), Texts({"CDS a:bad b"}));
  nack(XdsType::Cluster);
  want({.clusters = {"a:bad", "b"}});
  EXPECT_EQ(sent(), Texts());
  want({.clusters = {"a:good", "b"}});
  EXPECT_EQ(sent(), Texts({"CDS a:good b"}));
}

}  // namespace
}  // namespace kuma::xds
