#include "base/mustache.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace kuma {
namespace {

TEST(Mustache, Names_the_line_of_what_is_not_closed) {
  EXPECT_EQ(message_of(render_mustache("a\n{{ b", {}).status()), "line 2: \"{{\" is not closed by \"}}\"");
  EXPECT_EQ(message_of(render_mustache("{{{ b }}", {}).status()), "line 1: \"{{{\" is not closed by \"}}}\"");
  EXPECT_EQ(message_of(render_mustache("\n\n{{#x}}", {}).status()), "line 3: the section \"x\" is not closed");
  EXPECT_EQ(message_of(render_mustache("{{/x}}", {}).status()), "line 1: {{/x}} closes no section of that name");
}

TEST(Mustache, Fills_names_and_leaves_unknown_ones_empty) {
  EXPECT_EQ(*render_mustache("name: {{ name }}-{{name}}{{nobody}}{{! a remark }}", {{"name", "web"}}), "name: web-web");
  EXPECT_EQ(*render_mustache("{{a.b}}", {{"a.b", "1"}}), "1");
}

TEST(Mustache, Escapes_HTML_but_in_raw_tags) {
  EXPECT_EQ(*render_mustache("{{x}} {{{x}}} {{&x}}", {{"x", "<\"&'>"}}), "&lt;&#34;&amp;&#39;&gt; <\"&'> <\"&'>");
}

TEST(Mustache, Shows_sections_by_their_value) {
  EXPECT_EQ(*render_mustache("{{#a}}yes{{/a}}{{^a}}no{{/a}}", {{"a", "1"}}), "yes");
  EXPECT_EQ(*render_mustache("{{#a}}yes{{#b}}!{{/b}}{{/a}}{{^a}}no{{/a}}", {{"a", "false"}, {"b", "1"}}), "no");
}

TEST(Mustache, Tells_which_names_had_no_value) {
  std::set<std::string> without;
  EXPECT_EQ(*render_mustache("{{b}}{{a}}{{b}}{{{c}}}{{d}}{{#e}}{{f}}{{/e}}", {{"a", "1"}, {"d", ""}}, &without), "1");
  EXPECT_EQ(without, (std::set<std::string>{"b", "c"}));
}

}  // namespace
}  // namespace kuma
