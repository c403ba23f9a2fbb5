#include "xds/server/insight_writer.h"

#include "gtest/gtest.h"
#include "insight/testing.h"
#include "manager/testing.h"

namespace kuma::xds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using namespace std::chrono_literals;
using Event = AdsSession::Event;

// One dataplane in a mesh without anything else, and time that moves by hand.
class InsightWriterTest : public ::testing::Test {
 protected:
  InsightWriterTest() {
    store_ = store::make_memory_store(registry_, clock_);
    manager_ = std::make_unique<manager::ResourceManager>(
        manager::ResourceManager::Parts{.registry = registry_, .store = *store_, .keys = keys_, .pending = pending_, .clock = clock_},
        manager::Options{});
    writer_ = std::make_unique<InsightWriter>(
        InsightWriter::Options{.control_plane_id = "cp-1", .flush_interval = 10s, .generation_interval = 150s, .subscription_limit = 2},
        registry_, *manager_, clock_, executor_);
    put("type: Mesh\nname: default\n");
    put("type: Dataplane\nmesh: default\nname: web-1\nnetworking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}\n");
  }

  void put(const std::string& yaml) {
    auto parsed = model::from_rest(registry_, *parse_yaml(yaml));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_TRUE(store_->create(parsed->resource).ok());
  }

  pb::DataplaneInsight insight() {
    const auto stored = store_->get(*registry_.find("DataplaneInsight"), kProxy);
    return stored.ok() ? (*stored)->as<pb::DataplaneInsight>() : pb::DataplaneInsight();
  }

  // A stream that has been sent one response and has acknowledged it.
  uint64_t connect() {
    const uint64_t id = writer_->open(*registry_.find("Dataplane"), kProxy, {});
    writer_->on_events(id, {{Event::Kind::Sent, XdsType::Cluster, ""}, {Event::Kind::Acknowledged, XdsType::Cluster, ""}}, true);
    return id;
  }

  CertificateInfo certificate(WallTime issued_at) {
    return {.issued_at = issued_at, .expires_at = issued_at + 24h, .issued_backend = "ca-1", .supported_backends = {"ca-1"}};
  }

  const model::ResourceKey kProxy{"default", "web-1"};
  ManualClock clock_;
  insight::testing::SimulatedExecutor executor_{clock_};
  const model::Registry registry_ = manager::testing::all_types();
  std::unique_ptr<store::Store> store_;
  security::KeyPool keys_{executor_, {.ready_count = 0}};
  manager::PendingSecrets pending_;
  std::unique_ptr<manager::ResourceManager> manager_;
  std::unique_ptr<InsightWriter> writer_;
};

TEST_F(InsightWriterTest, Writes_nothing_before_the_first_acknowledgements) {
  const uint64_t id = writer_->open(*registry_.find("Dataplane"), kProxy, {});
  writer_->on_events(id, {{Event::Kind::Sent, XdsType::Cluster, ""}}, false);
  executor_.advance(1s);
  EXPECT_EQ(insight().subscriptions_size(), 0);
}

TEST_F(InsightWriterTest, Writes_at_once_after_them_and_then_once_an_interval) {
  const uint64_t id = connect();
  executor_.run();
  EXPECT_EQ(insight().subscriptions(0).status().total().responses_acknowledged(), 1u);
  writer_->on_events(id, {{Event::Kind::Sent, XdsType::Endpoint, ""}}, false);
  executor_.advance(9s);
  EXPECT_EQ(insight().subscriptions(0).status().eds().responses_sent(), 0u);
  executor_.advance(1s);
  EXPECT_EQ(insight().subscriptions(0).status().eds().responses_sent(), 1u);
}

TEST_F(InsightWriterTest, Raises_the_generation_of_a_quiet_stream_so_that_it_is_not_taken_for_dead) {
  connect();
  executor_.run();
  EXPECT_EQ(insight().subscriptions(0).generation(), 0u);
  executor_.advance(150s);
  EXPECT_EQ(insight().subscriptions(0).generation(), 1u);
  executor_.advance(150s);
  EXPECT_EQ(insight().subscriptions(0).generation(), 2u);
}

TEST_F(InsightWriterTest, Keeps_the_certificate_of_a_proxy_that_is_away) {
  writer_->set_certificate(kProxy, certificate(clock_.wall_now()));
  const uint64_t id = connect();
  executor_.run();
  EXPECT_EQ(insight().mtls().issuedbackend(), "ca-1");
  writer_->forget_certificate(kProxy);
  writer_->close(id);
  executor_.run();
  EXPECT_TRUE(insight().subscriptions(0).has_disconnect_time());
  EXPECT_EQ(insight().mtls().issuedbackend(), "ca-1");
}

TEST_F(InsightWriterTest, Takes_the_certificate_away_when_the_proxy_needs_none) {
  writer_->set_certificate(kProxy, certificate(clock_.wall_now()));
  connect();
  executor_.run();
  writer_->set_certificate(kProxy, std::nullopt);
  executor_.advance(10s);
  EXPECT_FALSE(insight().has_mtls());
}

TEST_F(InsightWriterTest, Counts_each_new_certificate_once_over_restarts) {
  const WallTime first = clock_.wall_now();
  writer_->set_certificate(kProxy, certificate(first));
  connect();
  executor_.advance(10s);
  EXPECT_EQ(insight().mtls().certificate_regenerations(), 1u);
  InsightWriter another({.control_plane_id = "cp-2"}, registry_, *manager_, clock_, executor_);
  another.set_certificate(kProxy, certificate(first + 1h));
  const uint64_t id = another.open(*registry_.find("Dataplane"), kProxy, {});
  another.on_events(id, {{Event::Kind::Acknowledged, XdsType::Cluster, ""}}, true);
  executor_.run();
  EXPECT_EQ(insight().mtls().certificate_regenerations(), 2u);
  EXPECT_EQ(insight().subscriptions_size(), 2);
}

TEST_F(InsightWriterTest, Writes_what_is_pending_when_it_stops) {
  const uint64_t id = connect();
  executor_.run();
  writer_->close(id);
  writer_->stop();
  EXPECT_TRUE(insight().subscriptions(0).has_disconnect_time());
}

TEST_F(InsightWriterTest, Does_not_bring_back_the_insight_of_a_dataplane_that_is_gone) {
  const uint64_t id = connect();
  executor_.run();
  ASSERT_TRUE(store_->remove(*registry_.find("Dataplane"), kProxy).ok());
  writer_->close(id);
  executor_.run();
  EXPECT_EQ(insight().subscriptions_size(), 0);
}

}  // namespace
}  // namespace kuma::xds
