#include "insight/resyncer.h"

#include <gtest/gtest.h>

#include "insight/testing.h"
#include "mesh/v1alpha1/mesh_insight.pb.h"
#include "mesh/v1alpha1/service_insight.pb.h"
#include "model/rest.h"
#include "store/memory_store.h"

namespace kuma::insight {
namespace {

using namespace std::chrono_literals;
namespace pb = ::kuma::mesh::v1alpha1;

constexpr char kDataplane[] =
    R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
  "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})";

// Refuses writes while it is told to.
class MoodyStore final : public store::Store {
 public:
  explicit MoodyStore(store::Store& real) : real_(real) {}
  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override {
    ++writes;
    return refusal.ok() ? real_.create(std::move(resource)) : refusal;
  }
  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override {
    ++writes;
    return refusal.ok() ? real_.update(std::move(resource)) : refusal;
  }
  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override {
    return real_.remove(type, key);
  }
  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type,
                                         const model::ResourceKey& key) const override {
    return real_.get(type, key);
  }
  store::ListResult list(const store::ListQuery& query) const override { return real_.list(query); }
  std::unique_ptr<store::Subscription> subscribe(
      std::function<void(std::span<const model::Change>)> on_changes) override {
    return real_.subscribe(std::move(on_changes));
  }
  std::string_view kind() const override { return real_.kind(); }

  absl::Status refusal;
  int writes = 0;

 private:
  store::Store& real_;
};

struct ResyncerTest : ::testing::Test {
  ManualClock clock;
  testing::SimulatedExecutor executor{clock};
  model::Registry registry{model::core_types()};
  std::unique_ptr<store::Store> memory = store::make_memory_store(registry, clock);
  MoodyStore store{*memory};
  Resyncer resyncer{registry, store, clock, executor, nullptr, {.interval_min = 1s}};

  void put(std::string_view document, model::Owner owner = {}) {
    model::Resource resource = model::from_rest(registry, parse_json(document).value()).value().resource;
    resource.owner = std::move(owner);
    ASSERT_TRUE(memory->create(std::move(resource)).ok());
  }
  void mesh(std::string_view name) { put(fmt::format(R"({{"type": "Mesh", "name": "{}"}})", name)); }
  model::ResourcePtr find(std::string_view type, model::ResourceKey key) const {
    const auto found = memory->get(*registry.find(type), key);
    return found.ok() ? *found : nullptr;
  }
  // The dataplanes that the MeshInsight of `m` counts; -1 without one.
  int counted() const {
    const auto insight = find("MeshInsight", {"", "m"});
    return insight == nullptr ? -1 : static_cast<int>(insight->as<pb::MeshInsight>().dataplanes().total());
  }
};

TEST_F(ResyncerTest, Writes_nothing_for_meshes_that_do_not_exist) {
  resyncer.start();
  put(R"({"type": "ExternalService", "mesh": "none", "name": "e", "tags": {"kuma.io/service": "e"}, "networking": {"address": "a:80"}})");
  executor.advance(10s);
  EXPECT_EQ(store.writes, 0);
}

TEST_F(ResyncerTest, Tries_again_after_a_failed_write) {
  resyncer.start();
  mesh("m");
  store.refusal = absl::ResourceExhaustedError("disk full");
  executor.advance(1s);
  EXPECT_EQ(counted(), -1);
  EXPECT_EQ(store.writes, 1);
  store.refusal = absl::OkStatus();
  executor.advance(10s);
  EXPECT_EQ(counted(), 0);
}

TEST_F(ResyncerTest, Looks_again_after_a_conflict) {
  resyncer.start();
  mesh("m");
  store.refusal = absl::AbortedError("resource conflict");
  executor.advance(500ms);
  store.refusal = absl::OkStatus();
  executor.advance(1s);
  EXPECT_EQ(counted(), 0);
}

TEST_F(ResyncerTest, Gives_up_when_the_mesh_is_gone) {
  resyncer.start();
  mesh("m");
  store.refusal = absl::NotFoundError("no owner");
  executor.advance(60s);
  EXPECT_EQ(store.writes, 1);
}

TEST_F(ResyncerTest, Counts_what_was_there_before_it_started) {
  mesh("m");
  put(kDataplane);
  resyncer.start();
  executor.advance(100ms);
  EXPECT_EQ(counted(), 1);
  const auto services = find("ServiceInsight", {"m", "all-services-m"});
  ASSERT_NE(services, nullptr);
  EXPECT_TRUE(services->as<pb::ServiceInsight>().services().contains("web"));
  EXPECT_EQ(services->owner, (model::Owner{"Mesh", {"", "m"}}));
}

TEST_F(ResyncerTest, Stores_no_ServiceInsight_for_a_mesh_without_services) {
  resyncer.start();
  mesh("m");
  executor.advance(10s);
  EXPECT_EQ(counted(), 0);
  EXPECT_EQ(find("ServiceInsight", {"m", "all-services-m"}), nullptr);
}

TEST_F(ResyncerTest, Writes_a_burst_of_changes_once_and_at_most_once_an_interval) {
  resyncer.start();
  mesh("m");
  executor.advance(100ms);
  EXPECT_EQ(store.writes, 1);
  for (int i = 0; i < 100; ++i) {
    put(fmt::format(R"({{"type": "Dataplane", "mesh": "m", "name": "d{}", "networking": {{"address": "10.0.0.1",
                        "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "web"}}}}]}}}})",
                    i));
    executor.advance(5ms);
  }
  EXPECT_EQ(store.writes, 1);
  executor.advance(500ms);
  EXPECT_EQ(store.writes, 3);  // one of each insight
  EXPECT_EQ(counted(), 100);
}

TEST_F(ResyncerTest, Writes_nothing_when_nothing_counted_changes) {
  resyncer.start();
  mesh("m");
  put(kDataplane);
  executor.advance(100ms);
  const int writes = store.writes;
  const auto dataplane = find("Dataplane", {"m", "web-1"});
  ASSERT_TRUE(memory->update(*dataplane).ok());
  executor.advance(60s);
  EXPECT_EQ(store.writes, writes);
}

TEST_F(ResyncerTest, Brings_back_an_insight_that_somebody_removed) {
  resyncer.start();
  mesh("m");
  executor.advance(100ms);
  ASSERT_TRUE(memory->remove(*registry.find("MeshInsight"), {"", "m"}).ok());
  executor.advance(2s);
  EXPECT_EQ(counted(), 0);
}

TEST_F(ResyncerTest, Writes_no_insight_of_a_removed_mesh_and_starts_anew_with_the_next_of_its_name) {
  resyncer.start();
  mesh("m");
  put(kDataplane, {"Mesh", {"", "m"}});
  executor.advance(100ms);
  EXPECT_EQ(counted(), 1);
  ASSERT_TRUE(memory->remove(*registry.find("Mesh"), {"", "m"}).ok());
  const int writes = store.writes;
  executor.advance(10s);
  EXPECT_EQ(store.writes, writes);
  EXPECT_EQ(counted(), -1);
  mesh("m");
  executor.advance(100ms);
  EXPECT_EQ(counted(), 0);
}

TEST_F(ResyncerTest, Does_nothing_after_it_was_stopped) {
  resyncer.start();
  mesh("m");
  resyncer.stop();
  mesh("n");
  executor.advance(10s);
  EXPECT_EQ(store.writes, 0);
}

}  // namespace
}  // namespace kuma::insight
