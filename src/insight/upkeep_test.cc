#include <gtest/gtest.h>

#include "insight/dataplane_gc.h"
#include "insight/finalizer.h"
#include "insight/subscriptions.h"
#include "insight/testing.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "model/rest.h"
#include "store/memory_store.h"

namespace kuma::insight {
namespace {

using namespace std::chrono_literals;
namespace pb = ::kuma::mesh::v1alpha1;

struct Upkeep : ::testing::Test {
  ManualClock clock;
  testing::SimulatedExecutor executor{clock};
  model::Registry registry{model::core_types()};
  std::unique_ptr<store::Store> store = store::make_memory_store(registry, clock);

  void put(std::string_view document) {
    ASSERT_TRUE(store->create(model::from_rest(registry, parse_json(document).value()).value().resource).ok());
  }
  model::ResourcePtr find(std::string_view type, model::ResourceKey key) const {
    const auto found = store->get(*registry.find(type), key);
    return found.ok() ? *found : nullptr;
  }
};

// ---- idle subscriptions

struct FinalizerTest : Upkeep {
  Finalizer finalizer{registry, *store,
                      clock,    executor,
                      nullptr,  {.types = {"DataplaneInsight", "ZoneInsight", "NoSuchType"}, .idle_timeout = 5min}};

  bool is_open_now(std::string_view name) const {
    return is_online(find("DataplaneInsight", {"m", std::string(name)})->as<pb::DataplaneInsight>().subscriptions());
  }
  void open(std::string_view name) {
    put(fmt::format(R"({{"type": "DataplaneInsight", "mesh": "m", "name": "{}", "subscriptions": [
      {{"id": "0", "connectTime": "2023-01-01T00:00:00Z", "disconnectTime": "2023-01-01T00:00:01Z"}},
      {{"id": "1", "connectTime": "2023-01-01T00:00:00Z", "generation": 1}}]}})",
                    name));
  }
  void raise_generation(std::string_view name) {
    model::Resource resource = *find("DataplaneInsight", {"m", std::string(name)});
    auto insight = std::make_unique<pb::DataplaneInsight>(resource.as<pb::DataplaneInsight>());
    auto& subscription = *insight->mutable_subscriptions(1);
    subscription.set_generation(subscription.generation() + 1);
    resource.message = std::move(insight);
    ASSERT_TRUE(store->update(std::move(resource)).ok());
  }
};

TEST_F(FinalizerTest, Ends_a_subscription_whose_generation_stays_the_same_for_a_period) {
  open("dead");
  open("alive");
  put(R"({"type": "ZoneInsight", "name": "z", "subscriptions": [{"id": "1", "connectTime": "2023-01-01T00:00:00Z"}]})");
  finalizer.start();
  executor.advance(5min);
  EXPECT_TRUE(is_open_now("dead"));
  raise_generation("alive");
  executor.advance(5min);
  EXPECT_FALSE(is_open_now("dead"));
  EXPECT_TRUE(is_open_now("alive"));
  const auto dead = find("DataplaneInsight", {"m", "dead"});
  EXPECT_EQ(to_wall_time(dead->as<pb::DataplaneInsight>().subscriptions(1).disconnect_time()), clock.wall_now());
  EXPECT_EQ(dead->as<pb::DataplaneInsight>().subscriptions(0).disconnect_time().seconds(), 1672531201);
  executor.advance(5min);
  EXPECT_FALSE(is_open_now("alive"));
}

TEST_F(FinalizerTest, Writes_nothing_about_subscriptions_that_ended) {
  put(R"({"type": "DataplaneInsight", "mesh": "m", "name": "d", "subscriptions": [
    {"id": "0", "connectTime": "2023-01-01T00:00:00Z", "disconnectTime": "2023-01-01T00:00:01Z"}]})");
  finalizer.start();
  executor.advance(60min);
  EXPECT_EQ(find("DataplaneInsight", {"m", "d"})->meta.version, 1U);
}

TEST_F(FinalizerTest, Does_nothing_after_it_was_stopped) {
  open("dead");
  finalizer.start();
  executor.advance(5min);
  finalizer.stop();
  executor.advance(60min);
  EXPECT_TRUE(is_open_now("dead"));
}

// ---- dataplanes that are gone

struct DataplaneGcTest : Upkeep {
  std::vector<std::string> removed;
  absl::Status answer;
  DataplaneGc gc{
      registry, *store, clock, executor, nullptr, {.age = 72h, .period = 1min}, [this](const model::ResourceKey& key) {
        removed.push_back(key.mesh + "/" + key.name);
        return answer;
      }};

  void insight(std::string_view name, std::string_view subscriptions) {
    put(fmt::format(R"({{"type": "DataplaneInsight", "mesh": "m", "name": "{}", "subscriptions": [{}]}})", name,
                    subscriptions));
  }
};

TEST_F(DataplaneGcTest, Removes_only_dataplanes_that_are_offline_for_long) {
  // The clock stands at 2023-11-14T22:13:20Z.
  insight("never", "");
  insight("online", R"({"id": "0", "connectTime": "2023-01-01T00:00:00Z", "disconnectTime": "2023-01-02T00:00:00Z"},
                       {"id": "1", "connectTime": "2023-01-03T00:00:00Z"})");
  insight("lately", R"({"id": "0", "connectTime": "2023-01-01T00:00:00Z", "disconnectTime": "2023-11-13T00:00:00Z"})");
  insight("gone", R"({"id": "0", "connectTime": "2023-01-01T00:00:00Z", "disconnectTime": "2023-11-11T22:13:19Z"})");
  gc.start();
  executor.advance(59s);
  EXPECT_TRUE(removed.empty());
  executor.advance(1s);
  EXPECT_EQ(removed, std::vector<std::string>{"m/gone"});
}

TEST_F(DataplaneGcTest, Goes_on_after_a_failure) {
  insight("a", R"({"id": "0", "disconnectTime": "2023-01-01T00:00:00Z"})");
  insight("b", R"({"id": "0", "disconnectTime": "2023-01-01T00:00:00Z"})");
  answer = absl::UnavailableError("disk");
  gc.start();
  executor.advance(1min);
  EXPECT_EQ(removed.size(), 2U);
  executor.advance(1min);
  EXPECT_EQ(removed.size(), 4U);
}

}  // namespace
}  // namespace kuma::insight
