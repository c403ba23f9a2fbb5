#include "kds/refusals.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::kds {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

WallTime at(std::chrono::seconds seconds) { return WallTime(seconds); }

TEST(Refusals, Of_one_zone_for_one_reason_are_counted_and_the_newest_comes_first) {
  Refusals refusals;
  refusals.add("east", "wrong token", at(1s));
  refusals.add("west", "wrong token", at(2s));
  refusals.add("east", "wrong token", at(3s));
  const auto list = refusals.list();
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].zone, "east");
  EXPECT_EQ(list[0].count, 2U);
  EXPECT_EQ(list[0].first, at(1s));
  EXPECT_EQ(list[0].last, at(3s));
  EXPECT_EQ(list[1].zone, "west");
  EXPECT_EQ(refusals.left_out(), 0U);
}

TEST(Refusals, Of_many_strangers_the_newest_stay_and_the_others_are_counted) {
  Refusals refusals;
  for (int i = 0; i < 1000; ++i) {
    refusals.add(fmt::format("zone-{}", i), "wrong token", at(std::chrono::seconds(i)));
  }
  ASSERT_THAT(refusals.list(), SizeIs(Refusals::kKept));
  EXPECT_EQ(refusals.list().front().zone, "zone-999");
  EXPECT_EQ(refusals.left_out(), 1000 - Refusals::kKept);
}

TEST(Refusals, Are_over_when_the_zone_has_connected) {
  Refusals refusals;
  refusals.add("east", "wrong token", at(1s));
  refusals.add("east", "no such protocol", at(1s));
  refusals.add("west", "wrong token", at(1s));
  refusals.forget("east");
  EXPECT_THAT(refusals.list(), Each(Field(&Refusals::Refusal::zone, "west")));
}

TEST(Refusals, What_strangers_say_is_cut_and_made_printable) {
  Refusals refusals;
  refusals.add(std::string(1000, 'a') + "\n", "\x1b[31m" + std::string(5000, 'b'), at(1s));
  const auto list = refusals.list();
  EXPECT_THAT(list[0].zone, SizeIs(253));
  EXPECT_THAT(list[0].message, SizeIs(1000));
  EXPECT_TRUE(list[0].message.starts_with(" [31mb"));
}

}  // namespace
}  // namespace kuma::kds
