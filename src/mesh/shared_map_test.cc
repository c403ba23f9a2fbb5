#include "mesh/shared_map.h"

#include <map>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace kuma::mesh {
namespace {

TEST(SharedMap, Agrees_with_a_map_and_leaves_its_older_copies_alone) {
  std::mt19937 random(7);
  SharedMap<std::string, int> shared;
  std::map<std::string, int> plain;
  std::vector<std::pair<SharedMap<std::string, int>, std::map<std::string, int>>> older;
  for (int i = 0; i < 20'000; ++i) {
    std::string key = "key-" + std::to_string(random() % 700);
    if (random() % 3 == 0) {
      EXPECT_EQ(shared.erase(key), plain.erase(key) > 0);
    } else {
      shared.set(key, i);
      plain[key] = i;
    }
    if (i % 500 == 0) {
      older.emplace_back(shared, plain);
    }
  }
  older.emplace_back(shared, plain);
  for (const auto& [copy, expected] : older) {
    ASSERT_EQ(copy.size(), expected.size());
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), expected.begin(),
                           [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
  }
}

TEST(SharedMap, Finds_what_is_there_and_nothing_else) {
  SharedMap<std::string, int> map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
  EXPECT_EQ(map.find("a"), map.end());
  EXPECT_FALSE(map.erase("a"));
  map.set("b", 2);
  map.set("a", 1);
  EXPECT_EQ(map.find(std::string_view("a"))->second, 1);
  EXPECT_TRUE(map.contains("b"));
  EXPECT_FALSE(map.contains("aa"));
  EXPECT_TRUE(map.erase("a"));
  EXPECT_TRUE(map.erase("b"));
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
}

TEST(SharedMap, A_copy_equals_its_original_until_one_of_them_changes) {
  SharedMap<std::string, int> map;
  map.set("a", 1);
  SharedMap<std::string, int> copy = map;
  EXPECT_EQ(copy, map);
  copy.set("a", 2);
  EXPECT_FALSE(copy == map);
  copy.set("a", 1);
  EXPECT_EQ(copy, map);
}

}  // namespace
}  // namespace kuma::mesh
