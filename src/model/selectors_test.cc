#include "model/selectors.h"

#include <map>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/http_status.h"
#include "model/regex.h"

namespace kuma::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> lines(const Violations& violations) {
  std::vector<std::string> out;
  for (const Violation& violation : violations.list()) {
    out.push_back(violation.field + ": " + violation.message);
  }
  return out;
}

using Pairs = std::map<std::string, std::string>;

std::vector<std::string> tags(const Pairs& pairs, const TagRules& rules = {}) {
  Violations violations;
  validate_tags(FieldPath("tags"), TagMap(pairs.begin(), pairs.end()), rules, violations);
  return lines(violations);
}

TEST(Tags, Are_checked_in_order_of_key) {
  EXPECT_THAT(tags({{"b", ""}, {"", "x"}, {"c d", "e"}, {"f", "*"}, {"g", "h/i"}, {"j", "ok-1.0_a:b"}}),
              ElementsAre("tags: tag name must be non-empty", "tags[\"b\"]: tag value must be non-empty",
                          "tags[\"c d\"]: tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores",
                          "tags[\"f\"]: tag value must consist of alphanumeric characters, dots, dashes and underscores",
                          "tags[\"g\"]: tag value must consist of alphanumeric characters, dots, dashes and underscores"));
}

TEST(Tags, Of_selectors_may_have_stars_and_slashes) {
  EXPECT_THAT(tags({{"a", "*"}, {"b", "c/d"}}, {.selector = true}), IsEmpty());
  EXPECT_THAT(tags({{"a", "b*"}}, {.selector = true}),
              ElementsAre("tags[\"a\"]: tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores or be \"*\""));
}

TEST(Tags, May_be_required) {
  EXPECT_THAT(tags({}, {.at_least_one = true, .service_required = true}),
              ElementsAre("tags: must have at least one tag", "tags: mandatory tag \"kuma.io/service\" is missing"));
  EXPECT_THAT(tags({{"kuma.io/service", "a"}}, {.at_least_one = true, .service_required = true}), IsEmpty());
}

TEST(Tags, Quote_keys_as_JSON_does) {
  EXPECT_THAT(tags({{"a\"b", "c"}}),
              ElementsAre("tags[\"a\\\"b\"]: tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"));
}

Selectors selectors(const std::vector<Pairs>& list) {
  Selectors out;
  for (const Pairs& pairs : list) {
    *out.Add()->mutable_match() = TagMap(pairs.begin(), pairs.end());
  }
  return out;
}

TEST(Selectors, May_be_required_and_limited_to_one) {
  Violations violations;
  validate_selectors(FieldPath("selectors"), selectors({}), {}, violations);
  SelectorRules one;
  one.at_most_one = true;
  validate_selectors(FieldPath("selectors"), selectors({{{"a", "b"}}, {{"c", "d"}}}), one, violations);
  EXPECT_THAT(lines(violations),
              ElementsAre("selectors: must have at least one element", "selectors[1]: there can be at most one selector"));
}

TEST(Selectors, Of_a_service_have_its_tag_alone) {
  Violations violations;
  validate_service_selectors(FieldPath("to"), selectors({{{"kuma.io/service", "a"}, {"x", "y"}}, {}, {{"kuma.io/service", "*"}}}), violations);
  EXPECT_THAT(lines(violations),
              ElementsAre("to[0].match: must consist of exactly one tag \"kuma.io/service\"", "to[0].match[\"x\"]: tag \"x\" is not allowed",
                          "to[1].match: must consist of exactly one tag \"kuma.io/service\"",
                          "to[1].match: mandatory tag \"kuma.io/service\" is missing"));
}

TEST(DnsNames, Are_told_from_addresses_and_nonsense) {
  for (const char* name : {"a", "a.b", "A-b.c_d", "_x", "a.", "a_", "1.2.3"}) {
    EXPECT_TRUE(is_dns_name(name)) << name;
  }
  for (const std::string& name : {std::string(), std::string("."), std::string("a..b"), std::string("-a"), std::string("a b"), std::string("10.0.0.1"),
                                  std::string("::1"), std::string("*.a"), std::string(64, 'a'), std::string(300, 'a')}) {
    EXPECT_FALSE(is_dns_name(name)) << name;
  }
}

TEST(DnsSubdomains, Are_lower_case_without_underscores) {
  EXPECT_TRUE(is_dns_subdomain("a-b.c1"));
  for (const char* name : {"", "a_b", "A", "a-", "-a", "a.", "a..b"}) {
    EXPECT_FALSE(is_dns_subdomain(name)) << name;
  }
}

TEST(Hostnames, May_have_a_star_in_front) {
  const auto check = [](std::string_view hostname) {
    Violations violations;
    validate_hostname(FieldPath("h"), hostname, violations);
    return violations.text();
  };
  EXPECT_EQ(check("*"), "");
  EXPECT_EQ(check("*.a.b"), "");
  EXPECT_EQ(check("a.b"), "");
  EXPECT_EQ(check("*.b.*"), "h: invalid wildcard domain");
  EXPECT_EQ(check("*."), "h: invalid wildcard domain");
  EXPECT_EQ(check("a.*"), "h: invalid hostname");
}

TEST(Durations, Have_to_be_given_and_not_zero) {
  const auto check = [](bool present, int64_t seconds) {
    google::protobuf::Duration duration;
    duration.set_seconds(seconds);
    Violations violations;
    validate_duration(FieldPath("d"), present, duration, violations);
    return violations.text();
  };
  EXPECT_EQ(check(false, 0), "d: must have a positive value");
  EXPECT_EQ(check(true, 0), "d: must have a positive value");
  EXPECT_EQ(check(true, -1), "");
  EXPECT_EQ(check(true, 400'000'000'000), "d: must have a valid value");
}

TEST(Regex, Is_refused_in_Go_words) {
  EXPECT_EQ(message_of(check_regex("[")), "error parsing regexp: missing closing ]: `[`");
  EXPECT_EQ(message_of(check_regex("(")), "error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(message_of(check_regex("*")), "error parsing regexp: missing argument to repetition operator: `*`");
  EXPECT_EQ(message_of(check_regex("a\\")), "error parsing regexp: trailing backslash at end of expression: ``");
  EXPECT_EQ(message_of(check_regex("(?<a>b)(?=c)")).substr(0, 54), "error parsing regexp: invalid or unsupported Perl synt");
  EXPECT_EQ(message_of(check_regex(std::string(20'000, 'a'))), "longer than 10000 bytes");
  EXPECT_TRUE(check_regex("http.*").ok());
}

TEST(HttpStatus, Knows_the_registered_codes) {
  for (const uint32_t code : {100U, 200U, 226U, 404U, 418U, 451U, 503U, 511U}) {
    EXPECT_TRUE(is_registered_http_status(code)) << code;
  }
  for (const uint32_t code : {0U, 99U, 199U, 299U, 306U, 419U, 430U, 509U, 599U, 799U, 999U}) {
    EXPECT_FALSE(is_registered_http_status(code)) << code;
  }
}

}  // namespace
}  // namespace kuma::model
