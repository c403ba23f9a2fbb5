#include "model/json_schema.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

json::value parsed(std::string_view text) { return parse_json(text).value(); }

std::vector<std::string> check(const JsonSchema& schema, std::string_view text) {
  Violations violations;
  schema.check(parsed(text), FieldPath("spec"), violations);
  std::vector<std::string> out;
  for (const Violation& violation : violations.list()) {
    out.push_back(violation.field + (violation.field.empty() ? "" : " ") + violation.message);
  }
  return out;
}

std::string normal(const JsonSchema& schema, std::string_view text) {
  const auto value = schema.normalize(parsed(text));
  return value.ok() ? to_json(*value) : "! " + std::string(message_of(value.status()));
}

TEST(JsonSchema, Names_the_expected_and_the_actual_type) {
  EXPECT_THAT(check(string(), "5"), ElementsAre("spec in body must be of type string: \"number\""));
  EXPECT_THAT(check(duration(), "5"), ElementsAre("spec in body must be of type string: \"number\""));
  EXPECT_THAT(check(object({}), "null"), ElementsAre("spec in body must be of type object: \"null\""));
  EXPECT_THAT(check(map_of(string()), "[]"), ElementsAre("spec in body must be of type object: \"array\""));
  EXPECT_THAT(check(array(string()), "{}"), ElementsAre("spec in body must be of type array: \"object\""));
  EXPECT_THAT(check(integer(), "1.5"), ElementsAre("spec in body must be of type integer: \"number\""));
  EXPECT_THAT(check(number(), "\"1\""), ElementsAre("spec in body must be of type number: \"string\""));
  EXPECT_THAT(check(boolean(), "\"true\""), ElementsAre("spec in body must be of type boolean: \"string\""));
  EXPECT_THAT(check(any(), "[null]"), IsEmpty());
}

TEST(JsonSchema, Says_twice_that_a_value_is_neither_integer_nor_string) {
  EXPECT_THAT(check(object({{"p", int_or_string()}}), R"({"p": 12.5})"),
              ElementsAre("\"spec.p\" must validate at least one schema (anyOf)", "spec.p in body must be of type integer: \"number\""));
  EXPECT_THAT(check(int_or_string(), "12"), IsEmpty());
  EXPECT_THAT(check(int_or_string(), "\"12.5\""), IsEmpty());
}

TEST(JsonSchema, Finds_what_is_missing_and_what_is_wrong_deep_inside) {
  const JsonSchema schema = object({
      {"ref", object({{"kind", enumeration({"A", "B"})}}), kRequired},
      {"to", array(object({{"name", string(), kRequired}}))},
      {"tags", map_of(string())},
  });
  EXPECT_THAT(check(schema, "{}"), ElementsAre("spec.ref in body is required"));
  EXPECT_THAT(check(schema, R"({"ref": null})"), ElementsAre("spec.ref in body must be of type object: \"null\""));
  EXPECT_THAT(check(schema, R"({"ref": {"kind": ""}, "to": [{"name": "x"}, {}, {"name": 1}], "tags": {"a": 1}})"),
              ElementsAre("spec.ref.kind in body should be one of [A B]", "spec.to[1].name in body is required",
                          "spec.to[2].name in body must be of type string: \"number\"",
                          "spec.tags.a in body must be of type string: \"number\""));
}

TEST(JsonSchema, Ignores_unknown_members) { EXPECT_THAT(check(object({}), R"({"x": 1})"), IsEmpty()); }

TEST(JsonSchema, Checks_lengths_in_characters_and_patterns) {
  const JsonSchema schema = string().length(1, 3).matching("^[a-z\xC3\xA9]*$");
  EXPECT_THAT(check(schema, "\"\""), ElementsAre("spec in body should be at least 1 chars long"));
  EXPECT_THAT(check(schema, "\"abcd\""), ElementsAre("spec in body should be at most 3 chars long"));
  EXPECT_THAT(check(schema, "\"\xC3\xA9\xC3\xA9\xC3\xA9\""), IsEmpty());
  EXPECT_THAT(check(schema, "\"A\""), ElementsAre("spec in body should match '^[a-z\xC3\xA9]*$'"));
}

TEST(JsonSchema, Checks_ranges_and_prints_bounds_as_Go_does) {
  EXPECT_THAT(check(integer().range(1, 8'000'000), "9000000"), ElementsAre("spec in body should be less than or equal to 8e+06"));
  EXPECT_THAT(check(integer().range(1, 5'000'011), "9000000"), ElementsAre("spec in body should be less than or equal to 5.000011e+06"));
  EXPECT_THAT(check(integer().range(1, 65535), "65536"), ElementsAre("spec in body should be less than or equal to 65535"));
  EXPECT_THAT(check(integer().range(0), "-1"), ElementsAre("spec in body should be greater than or equal to 0"));
  EXPECT_THAT(check(number().range(0.5), "0"), ElementsAre("spec in body should be greater than or equal to 0.5"));
}

TEST(JsonSchema, Checks_enumerated_numbers) {
  JsonSchema status = int32();
  status.enum_numbers = {301, 302};
  EXPECT_THAT(check(status, "200"), ElementsAre("spec in body should be one of [301 302]"));
  EXPECT_THAT(check(status, "302"), IsEmpty());
}

TEST(JsonSchema, Counts_items) {
  EXPECT_THAT(check(array(any()).items(1), "[]"), ElementsAre("spec in body should have at least 1 items"));
  EXPECT_THAT(check(array(any()).items(std::nullopt, 1), "[1, 2]"), ElementsAre("spec in body should have at most 1 items"));
}

TEST(JsonSchema, Normalizes_to_known_members_in_order) {
  const JsonSchema schema = object({{"b", string()}, {"a", map_of(string())}});
  EXPECT_EQ(normal(schema, R"({"x": 1, "a": {"z": "1", "y": "2"}, "b": "3"})"), R"({"b":"3","a":{"y":"2","z":"1"}})");
}

TEST(JsonSchema, Drops_empty_lists_and_maps_unless_told_otherwise) {
  const JsonSchema schema =
      object({{"plain", array(any())}, {"kept", array(any()).keeping_empty()}, {"map", map_of(any())}, {"object", object({})}});
  EXPECT_EQ(normal(schema, R"({"plain": [], "kept": [], "map": {}, "object": {}})"), R"({"kept":[],"object":{}})");
  EXPECT_EQ(normal(schema, R"({"plain": null, "object": null})"), "{}");
}

TEST(JsonSchema, Fills_in_objects_that_are_always_there) {
  EXPECT_EQ(normal(object({{"default", object({}).always()}}), "{}"), R"({"default":{}})");
}

TEST(JsonSchema, Prints_durations_in_Go_form_and_reports_unreadable_ones_in_its_words) {
  EXPECT_EQ(normal(object({{"d", duration()}}), R"({"d": "90s"})"), R"({"d":"1m30s"})");
  EXPECT_EQ(normal(object({{"d", duration()}}), R"({"d": "12"})"), "! time: missing unit in duration \"12\"");
}

TEST(JsonSchema, Refuses_numbers_that_their_field_cannot_hold) {
  const JsonSchema schema = object({{"n", uint32()}, {"m", int32()}});
  EXPECT_EQ(normal(schema, R"({"n": -1})"), "! spec.n: expected a whole number from 0 to 4294967295, got -1");
  EXPECT_EQ(normal(schema, R"({"m": 2147483648})"), "! spec.m: expected a whole number from -2147483648 to 2147483647, got 2147483648");
  EXPECT_EQ(normal(schema, R"({"n": 5.0})"), R"({"n":5})");
  EXPECT_EQ(normal(object({{"n", integer()}}), R"({"n": 1e300})").substr(0, 30), "! spec.n: expected a whole num");
}

TEST(JsonSchema, Refuses_to_normalize_what_its_check_would_refuse) {
  EXPECT_EQ(normal(object({{"a", array(string())}}), R"({"a": [1]})"), "! spec.a[0]: expected a value of type string, got 1");
  EXPECT_EQ(normal(object({}), "[]"), "! spec: expected a value of type object, got []");
}

TEST(JsonSchema, Keeps_any_value_as_it_is) {
  EXPECT_EQ(normal(object({{"body", any()}}), R"({"body": {"z": [], "a": null}})"), R"({"body":{"z":[],"a":null}})");
}

}  // namespace
}  // namespace kuma::model
