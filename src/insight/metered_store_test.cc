#include "insight/metered_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "store/memory_store.h"

namespace kuma::insight {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct MeteredStoreTest : ::testing::Test {
  MeteredStoreTest() : store(store::make_memory_store(registry, clock), clock, metrics) {}
  model::Resource mesh(std::string_view name) {
    return std::move(model::from_rest(registry, parse_json(fmt::format(R"({{"type": "Mesh", "name": "{}"}})", name)).value())->resource);
  }

  ManualClock clock;
  model::Registry registry{model::core_types()};
  observe::Metrics metrics;
  MeteredStore store;
  const model::ResourceType& type = *registry.find("Mesh");
};

TEST_F(MeteredStoreTest, Counts_resources_as_they_come_and_go) {
  EXPECT_THAT(metrics.to_text(), Not(HasSubstr("resources_count{")));
  ASSERT_TRUE(store.create(mesh("a")).ok());
  ASSERT_TRUE(store.create(mesh("b")).ok());
  ASSERT_TRUE(store.remove(type, {"", "a"}).ok());
  EXPECT_EQ(metrics.gauge("resources_count", "", {{"resource_type", "Mesh"}, {"tenant", ""}}).value(), 1);
}

TEST_F(MeteredStoreTest, Measures_each_operation_by_type) {
  ASSERT_TRUE(store.create(mesh("a")).ok());
  (void)store.get(type, {"", "a"});
  (void)store.get(type, {"", "none"});
  (void)store.list({.type = &type});
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr(R"(store_count{operation="create",resource_type="Mesh"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(store_count{operation="get",resource_type="Mesh"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(store_count{operation="list",resource_type="Mesh"} 1)"));
}

TEST_F(MeteredStoreTest, A_stale_write_is_a_conflict) {
  model::Resource first = **store.create(mesh("a"));
  model::Resource second = first;
  ASSERT_TRUE(store.update(std::move(first)).ok());
  EXPECT_EQ(store.update(std::move(second)).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(metrics.counter("store_conflicts", "", {{"resource_type", "Mesh"}}).value(), 1);
}

}  // namespace
}  // namespace kuma::insight
