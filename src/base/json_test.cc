#include "base/json.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace kuma {
namespace {

TEST(ParseJson, Names_line_and_column_of_what_is_wrong) {
  const auto status = parse_json("{\n  \"a\": nul\n}").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(message_of(status).starts_with("line 2, column ")) << status;
  EXPECT_EQ(parse_json("{\"a\":").status().message(), "line 1, column 6: unexpected end of JSON input");
  EXPECT_EQ(parse_json("").status().message(), "line 1, column 1: unexpected end of JSON input");
  EXPECT_EQ(parse_json("{} x").status().message(), "line 1, column 4: unexpected text after the JSON value");
}

TEST(ParseJson, Refuses_deep_nesting) {
  const std::string deep(100'000, '[');
  EXPECT_NE(parse_json(deep).status().message().find("nested deeper than 64 levels"), absl::string_view::npos);
}

TEST(ParseYaml, Names_line_and_column_of_what_is_wrong) {
  EXPECT_TRUE(message_of(parse_yaml("a: [1\nb: 2").status()).starts_with("line 2, column "));
  EXPECT_EQ(parse_yaml("a: 1\na: 2").status().message(), "line 2, column 1: the key \"a\" is there twice");
}

TEST(ParseYaml, Refuses_deep_nesting_of_any_kind) {
  EXPECT_FALSE(parse_yaml(std::string(100'000, '[')).ok());
  std::string block;
  for (size_t i = 0; i < 100; ++i) {
    block += std::string(i, ' ') + "a:\n";
  }
  EXPECT_NE(parse_yaml(block).status().message().find("nested deeper"), absl::string_view::npos);
}

TEST(ParseYaml, Refuses_aliases_that_multiply) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 0; k < 9; ++k) {
      bomb += ", " + last;
    }
    bomb += "]\n";
  }
  EXPECT_NE(parse_yaml(bomb).status().message().find("aliases stand for more than"), absl::string_view::npos);
}

TEST(ParseYaml, Reads_the_core_schema) {
  const auto value = parse_yaml("a: 1\nb: \"1\"\nc: true\nd: 1.5\ne: 5s\nf: ~\ng: [x, 2]\nh: {i: -3}\nj: yes\nk: 0.0.0.0\n");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(to_json(*value),
            R"({"a":1,"b":"1","c":true,"d":1.5,"e":"5s","f":null,"g":["x",2],"h":{"i":-3},"j":"yes","k":"0.0.0.0"})");
}

TEST(ParseYaml, Reads_many_documents_and_leaves_empty_ones_out) {
  const auto documents = parse_yaml_documents("---\na: 1\n---\n---\nb: 2\n");
  ASSERT_TRUE(documents.ok());
  EXPECT_EQ(documents->size(), 2u);
}

TEST(ToYaml, Is_read_back_as_the_same_value) {
  const auto value = parse_json(R"({"a":"1","b":"true","c":"text","d":[],"e":{},"f":[{"g":1.25}],"h":"two\nlines\n","i":"","j":"on"})");
  ASSERT_TRUE(value.ok());
  const auto back = parse_yaml(to_yaml(*value));
  ASSERT_TRUE(back.ok()) << to_yaml(*value);
  EXPECT_EQ(*back, *value) << to_yaml(*value);
}

TEST(ToYaml, Prints_as_Go_does) {
  const auto value = parse_json(R"({"creationTime":"0001-01-01T00:00:00Z","sources":[{"match":{"kuma.io/service":"*"}}],"m":[1,[2,3]],"s":"a: b"})");
  EXPECT_EQ(to_yaml(sorted(*value)),
            "creationTime: \"0001-01-01T00:00:00Z\"\n"
            "m:\n- 1\n- - 2\n  - 3\n"
            "s: 'a: b'\n"
            "sources:\n- match:\n    kuma.io/service: '*'\n");
}

TEST(ToPrettyJson, Indents_by_one_space_and_ends_the_line) {
  const auto value = parse_json(R"({"a":1,"b":[],"c":{"d":["<&>"]}})");
  EXPECT_EQ(to_pretty_json(*value), "{\n \"a\": 1,\n \"b\": [],\n \"c\": {\n  \"d\": [\n   \"<&>\"\n  ]\n }\n}\n");
}

TEST(ToJson, Prints_numbers_as_Go_does) {
  EXPECT_EQ(to_json(json::value(1.0)), "1");
  EXPECT_EQ(to_json(json::value(0.5)), "0.5");
  EXPECT_EQ(to_json(json::value(1e9)), "1000000000");
}

TEST(Yaml, Refuses_what_belongs_to_no_value_instead_of_reading_it_forever) {
  for (const char* text : {", ", ",", "a: b\n---\n, c", "- a\n---\n,"}) {
    EXPECT_FALSE(parse_yaml_documents(text).ok()) << text;
  }
  EXPECT_EQ(parse_yaml_documents("---\n---\na: 1\n---\n").value().size(), 1U);
}

}  // namespace
}  // namespace kuma
