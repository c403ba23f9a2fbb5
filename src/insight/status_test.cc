#include "insight/status.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "insight/subscriptions.h"

namespace kuma::insight {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

template <typename Message>
Message parse(const std::string& text) {
  Message out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out)) << text;
  return out;
}

constexpr char kConnected[] = "subscriptions { id: '1' connect_time { seconds: 1 } }";
constexpr char kEnded[] = "subscriptions { id: '1' connect_time { seconds: 1 } disconnect_time { seconds: 2 } }";

ProxyStatus status_of(const std::string& networking, const std::string& insight_text) {
  const auto insight = parse<pb::DataplaneInsight>(insight_text);
  return dataplane_status(parse<pb::Dataplane>("networking {" + networking + "}"), &insight);
}

TEST(Dataplane_status, Is_offline_without_an_open_subscription) {
  const auto dataplane = parse<pb::Dataplane>("networking { inbound { port: 80 } }");
  EXPECT_EQ(dataplane_status(dataplane, nullptr), ProxyStatus::Offline);
  EXPECT_EQ(status_of("inbound { port: 80 }", ""), ProxyStatus::Offline);
  EXPECT_EQ(status_of("inbound { port: 80 }", "subscriptions { id: '1' }"), ProxyStatus::Offline);
  EXPECT_EQ(status_of("inbound { port: 80 }", kEnded), ProxyStatus::Offline);
  EXPECT_EQ(status_of("gateway {}", kEnded), ProxyStatus::Offline);
}

TEST(Dataplane_status, Is_online_with_any_open_subscription) {
  EXPECT_EQ(status_of("inbound { port: 80 }", kConnected), ProxyStatus::Online);
  EXPECT_EQ(status_of("inbound { port: 80 }", std::string(kConnected) + kEnded), ProxyStatus::Online);
  EXPECT_EQ(status_of("inbound { health { ready: true } state: Ignored }", kConnected), ProxyStatus::Online);
}

TEST(Dataplane_status, Is_degraded_while_some_inbounds_are_not_ready) {
  EXPECT_EQ(status_of("inbound { health {} } inbound {}", kConnected), ProxyStatus::PartiallyDegraded);
  EXPECT_EQ(status_of("inbound { state: NotReady } inbound {}", kConnected), ProxyStatus::PartiallyDegraded);
}

TEST(Dataplane_status, Is_offline_while_no_inbound_is_ready) {
  EXPECT_EQ(status_of("inbound { health {} } inbound { state: NotReady }", kConnected), ProxyStatus::Offline);
  EXPECT_EQ(status_of("", kConnected), ProxyStatus::Offline);
}

TEST(Dataplane_status, Of_a_gateway_does_not_look_at_inbounds) {
  EXPECT_EQ(status_of("gateway {} inbound { health {} }", kConnected), ProxyStatus::Online);
}

// ---- subscriptions

constexpr WallTime kNow{std::chrono::seconds(100) + std::chrono::nanoseconds(5)};

TEST(Upsert_subscription, Replaces_the_one_of_the_same_id_alone) {
  auto insight = parse<pb::DataplaneInsight>(kConnected);
  upsert_subscription(insight, parse<pb::DiscoverySubscription>("id: '1' connect_time { seconds: 1 } generation: 7"),
                      kNow, 2);
  ASSERT_EQ(insight.subscriptions_size(), 1);
  EXPECT_EQ(insight.subscriptions(0).generation(), 7U);
  EXPECT_FALSE(insight.subscriptions(0).has_disconnect_time());
}

TEST(Upsert_subscription, Ends_former_ones_that_are_open) {
  auto insight =
      parse<pb::DataplaneInsight>(std::string(kEnded) + "subscriptions { id: '2' connect_time { seconds: 3 } }");
  upsert_subscription(insight, parse<pb::DiscoverySubscription>("id: '3' connect_time { seconds: 4 }"), kNow, 9);
  ASSERT_EQ(insight.subscriptions_size(), 3);
  EXPECT_EQ(insight.subscriptions(0).disconnect_time().seconds(), 2);
  EXPECT_EQ(insight.subscriptions(1).disconnect_time().seconds(), 100);
  EXPECT_EQ(insight.subscriptions(1).disconnect_time().nanos(), 5);
  EXPECT_FALSE(insight.subscriptions(2).has_disconnect_time());
}

TEST(Upsert_subscription, Keeps_only_the_newest) {
  pb::DataplaneInsight insight;
  for (const char* id : {"1", "2", "3"}) {
    pb::DiscoverySubscription subscription;
    subscription.set_id(id);
    upsert_subscription(insight, subscription, kNow, 2);
  }
  ASSERT_EQ(insight.subscriptions_size(), 2);
  EXPECT_EQ(insight.subscriptions(0).id(), "2");
  upsert_subscription(insight, pb::DiscoverySubscription(), kNow, 0);
  EXPECT_EQ(insight.subscriptions_size(), 0);
}

TEST(To_timestamp, Goes_there_and_back) {
  EXPECT_EQ(to_wall_time(to_timestamp(kNow)), kNow);
  const WallTime before_1970{std::chrono::nanoseconds(-1)};
  EXPECT_EQ(to_timestamp(before_1970).seconds(), -1);
  EXPECT_EQ(to_timestamp(before_1970).nanos(), 999'999'999);
  EXPECT_EQ(to_wall_time(to_timestamp(before_1970)), before_1970);
}

}  // namespace
}  // namespace kuma::insight
