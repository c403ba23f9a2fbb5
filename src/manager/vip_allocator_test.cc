#include "manager/vip_allocator.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "insight/testing.h"
#include "manager/testing.h"
#include "model/rest.h"
#include "store/sqlite_store.h"
#include "system/v1alpha1/config.pb.h"

namespace kuma::manager {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A control plane's allocator on a store that outlives it.
class VipAllocatorTest : public ::testing::Test {
 protected:
  VipAllocatorTest() { restart(); }
  ~VipAllocatorTest() override { allocator->stop(); }

  void restart(const std::string& cidr = "240.0.0.0/4") {
    allocator.reset();
    allocator = std::make_unique<VipAllocator>(
        VipAllocator::Parts{.registry = registry, .store = failing, .clock = clock, .executor = executor, .workers = executor},
        VipAllocatorOptions{.range = *mesh::VipRange::parse(cidr)});
    allocator->start();
    executor.advance(1s);
  }

  void put(const std::string& yaml) {
    auto read = model::from_rest(registry, *parse_yaml(yaml));
    ASSERT_TRUE(read.ok()) << read.status();
    if (!read->resource.meta.mesh.empty()) {
      read->resource.owner = {"Mesh", {"", read->resource.meta.mesh}};
    }
    auto stored = store->get(*read->resource.type, read->resource.meta.key());
    if (stored.ok()) {
      read->resource.meta.version = (*stored)->meta.version;
      ASSERT_TRUE(store->update(std::move(read->resource)).ok());
    } else {
      ASSERT_TRUE(store->create(std::move(read->resource)).ok());
    }
  }
  void put_service(const std::string& service, const std::string& more = "") {
    put(fmt::format("{{type: Dataplane, mesh: m, name: {0}, networking: {{address: 10.0.0.1, inbound: [{{port: 80{1}, tags: "
                    "{{kuma.io/service: {0}}}}}]}}}}",
                    service, more));
  }
  void remove(std::string_view type, const model::ResourceKey& key) { ASSERT_TRUE(store->remove(*registry.find(type), key).ok()); }

  model::ResourcePtr config(const std::string& mesh = "m") {
    auto found = store->get(*registry.find("Config"), {"", "kuma-" + mesh + "-dns-vips"});
    return found.ok() ? *found : nullptr;
  }
  std::vector<std::string> addresses(const std::string& mesh = "m") {
    std::vector<std::string> all;
    auto stored = config(mesh);
    if (stored != nullptr) {
      const mesh::VipTable table = *mesh::parse_vip_table(stored->as<system::v1alpha1::Config>().config());
      for (const auto& [key, entry] : table) {
        all.push_back(key.name + "=" + entry.address);
      }
    }
    return all;
  }
  void replace_config(const std::string& text) {
    model::Resource resource = *config();
    auto spec = std::make_unique<system::v1alpha1::Config>();
    spec->set_config(text);
    resource.message = std::move(spec);
    ASSERT_TRUE(store->update(std::move(resource)).ok());
  }

  const model::Registry registry = testing::all_types();
  ManualClock clock;
  insight::testing::SimulatedExecutor executor{clock};
  std::unique_ptr<store::Store> store = store::make_memory_store(registry, clock);
  testing::FailingStore failing{*store};
  std::unique_ptr<VipAllocator> allocator;
};

TEST_F(VipAllocatorTest, A_name_has_an_address_soon_after_its_first_instance_came) {
  put("{type: Mesh, name: m}");
  executor.advance(1s);
  EXPECT_EQ(config(), nullptr) << "nothing to say";
  put_service("web");
  executor.advance(49ms);
  EXPECT_EQ(config(), nullptr);
  executor.advance(1ms);
  EXPECT_THAT(addresses(), ElementsAre("web=240.0.0.0"));
  EXPECT_EQ(config()->owner.type, "Mesh");
}

TEST_F(VipAllocatorTest, A_burst_of_changes_is_one_write_and_no_change_is_none) {
  put("{type: Mesh, name: m}");
  for (int i = 0; i < 100; ++i) {
    put_service(fmt::format("s-{}", i));
  }
  executor.advance(10s);
  EXPECT_EQ(config()->meta.version, 1);
  put_service("s-7", ", health: {ready: false}");
  put("{type: Mesh, name: m, metrics: {}}");
  executor.advance(10s);
  EXPECT_EQ(config()->meta.version, 1);
}

TEST_F(VipAllocatorTest, A_freed_address_is_nobody_elses_for_a_minute_and_its_own_name_gets_it_back) {
  put("{type: Mesh, name: m}");
  put_service("a");
  put_service("b");
  executor.advance(1s);
  remove("Dataplane", {"m", "a"});
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("b=240.0.0.1"));
  put_service("c");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("b=240.0.0.1", "c=240.0.0.2"));
  put_service("a");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0", "b=240.0.0.1", "c=240.0.0.2"));
  remove("Dataplane", {"m", "a"});
  executor.advance(61s);
  put_service("d");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("b=240.0.0.1", "c=240.0.0.2", "d=240.0.0.0"));
}

TEST_F(VipAllocatorTest, Addresses_outlive_a_restart_and_what_happened_meanwhile) {
  put("{type: Mesh, name: m}");
  put_service("b");
  executor.advance(1s);
  put_service("a");
  executor.advance(1s);
  allocator->stop();
  remove("Dataplane", {"m", "b"});
  put_service("c");
  restart();
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.1", "c=240.0.0.0"));
  const uint64_t version = config()->meta.version;
  restart();
  EXPECT_EQ(config()->meta.version, version) << "a start alone writes nothing";
}

TEST_F(VipAllocatorTest, A_new_range_moves_all_names) {
  put("{type: Mesh, name: m}");
  put_service("a");
  executor.advance(1s);
  restart("fd00::/64");
  EXPECT_THAT(addresses(), ElementsAre("a=fd00::"));
}

TEST_F(VipAllocatorTest, A_used_up_range_and_one_that_overlaps_are_said) {
  restart("10.0.0.0/30");
  put("{type: Mesh, name: m}");
  for (const char* service : {"a", "b", "c", "d"}) {
    put_service(service);
  }
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=10.0.0.0", "b=10.0.0.2", "c=10.0.0.3"));
  EXPECT_THAT(allocator->problems("m"),
              ElementsAre(HasSubstr("the range of VIPs, 10.0.0.0/30 (KUMA_DNS_SERVER_CIDR), has addresses of 1 dataplane(s) in it, such as 10.0.0.1"),
                          HasSubstr("1 name(s) have no address, \"d\" is the first")));
  remove("Dataplane", {"m", "a"});
  executor.advance(62s);
  put_service("d", ", state: NotReady");
  remove("Dataplane", {"m", "b"});
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("c=10.0.0.3", "d=10.0.0.0"));
  EXPECT_THAT(allocator->problems("m"), ElementsAre(HasSubstr("has addresses of 1 dataplane(s)")));
}

TEST_F(VipAllocatorTest, A_failed_write_is_tried_again) {
  put("{type: Mesh, name: m}");
  put_service("a");
  failing.writes_left = 0;
  executor.advance(1s);
  EXPECT_THAT(addresses(), IsEmpty());
  failing.writes_left = 100;
  executor.advance(5s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0"));
}

TEST_F(VipAllocatorTest, A_table_that_somebody_removed_spoilt_or_changed_is_put_right) {
  put("{type: Mesh, name: m}");
  put_service("a");
  executor.advance(1s);
  remove("Config", {"", "kuma-m-dns-vips"});
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0"));
  replace_config("{");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0"));
  EXPECT_THAT(allocator->problems("m"), ElementsAre(HasSubstr("the stored table could not be read, names get new addresses: line 1")));
  replace_config(R"({"0:a":{"address":"240.0.0.9","outbounds":[{"Port":0,"TagSet":{"kuma.io/service":"a"},"Origin":"service"}]},)"
                 R"("0:x":{"address":"240.0.0.1","outbounds":[]}})");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.9")) << "another control plane gave it that address";
  EXPECT_THAT(allocator->problems("m"), IsEmpty());
}

TEST_F(VipAllocatorTest, Two_control_planes_come_to_the_same_table) {
  VipAllocator second({.registry = registry, .store = *store, .clock = clock, .executor = executor, .workers = executor},
                      {.range = *mesh::VipRange::parse("240.0.0.0/4")});
  second.start();
  put("{type: Mesh, name: m}");
  put_service("a");
  executor.advance(1s);
  put_service("b");
  executor.advance(10s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0", "b=240.0.0.1"));
  EXPECT_EQ(config()->meta.version, 2);
  second.stop();
}

TEST_F(VipAllocatorTest, Meshes_come_and_go_with_dataplanes_before_and_after_them) {
  put("{type: Mesh, name: m}");
  put_service("a");
  put("{type: Mesh, name: n}");
  put("{type: MeshGateway, mesh: n, name: g, selectors: [{match: {kuma.io/service: gate}}], conf: {listeners: [{port: 80, protocol: HTTP, "
      "crossMesh: true, hostname: gate.test}]}}");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("a=240.0.0.0", "gate.test=240.0.0.1"));
  EXPECT_THAT(addresses("n"), ElementsAre("gate.test=240.0.0.0")) << "each mesh has the whole range";
  remove("Mesh", {"", "m"});
  executor.advance(1s);
  EXPECT_EQ(config(), nullptr);
  put("{type: Mesh, name: m}");
  put_service("b");
  executor.advance(1s);
  EXPECT_THAT(addresses(), ElementsAre("b=240.0.0.0", "gate.test=240.0.0.1"));
}

TEST_F(VipAllocatorTest, Nothing_is_written_after_a_stop) {
  put("{type: Mesh, name: m}");
  put_service("a");
  allocator->stop();
  executor.advance(10s);
  EXPECT_EQ(config(), nullptr);
}

TEST(VipAllocatorOnDisk, Addresses_outlive_the_process) {
  const model::Registry registry = testing::all_types();
  ManualClock clock;
  const auto directory = std::filesystem::temp_directory_path() / ("vips-" + random_uuid());
  std::filesystem::create_directories(directory);
  std::string first;
  for (int start = 0; start < 2; ++start) {
    insight::testing::SimulatedExecutor executor{clock};
    auto store = *store::open_sqlite_store(registry, clock, directory / "kuma.db");
    VipAllocator allocator({.registry = registry, .store = *store, .clock = clock, .executor = executor, .workers = executor},
                           {.range = *mesh::VipRange::parse("240.0.0.0/4")});
    allocator.start();
    auto put = [&](const std::string& yaml) { ASSERT_TRUE(store->create(model::from_rest(registry, *parse_yaml(yaml))->resource).ok()); };
    if (start == 0) {
      put("{type: Mesh, name: m}");
      for (const char* service : {"z", "y", "x"}) {
        put(fmt::format("{{type: Dataplane, mesh: m, name: {0}, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{kuma.io/service: {0}}}}}]}}}}",
                        service));
        executor.advance(1s);
      }
    }
    executor.advance(1s);
    auto config = store->get(*registry.find("Config"), {"", "kuma-m-dns-vips"});
    ASSERT_TRUE(config.ok());
    const std::string text = (*config)->as<system::v1alpha1::Config>().config();
    if (start == 0) {
      first = text;
      EXPECT_THAT(text, HasSubstr(R"("0:z":{"address":"240.0.0.0")"));
    }
    EXPECT_EQ(text, first);
    EXPECT_EQ((*config)->meta.version, 3);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace kuma::manager
