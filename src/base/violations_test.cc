#include "base/violations.h"

#include "gtest/gtest.h"

namespace kuma {
namespace {

TEST(Violations, Travel_in_a_status_and_come_back_in_order) {
  Violations violations;
  violations.add(FieldPath("spec").field("to").index(2).field("default"), "must be {}", 1);
  violations.add(FieldPath().field("tags").key("a\"b"), "must not be");
  const Violations back = violations_of(violations.to_status());
  EXPECT_EQ(back.list(), violations.list());
  EXPECT_EQ(violations.text(), "spec.to[2].default: must be 1; tags[\"a\\\"b\"]: must not be");
  EXPECT_EQ(violations.to_status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Violations, Of_any_other_status_are_none) {
  EXPECT_TRUE(violations_of(absl::InternalError("x")).empty());
  EXPECT_TRUE(Violations().to_status().ok());
}

}  // namespace
}  // namespace kuma
