#include "base/text.h"

#include "gtest/gtest.h"

namespace kuma {
namespace {

using namespace std::chrono_literals;

TEST(GoDuration, Rejects_what_Go_rejects_with_its_message) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "time: invalid duration \"\""},
      {"-", "time: invalid duration \"-\""},
      {"3", "time: missing unit in duration \"3\""},
      {"s", "time: invalid duration \"s\""},
      {".s", "time: invalid duration \".s\""},
      {"1x", "time: unknown unit \"x\" in duration \"1x\""},
      {"1d", "time: unknown unit \"d\" in duration \"1d\""},
      {"1 s", "time: unknown unit \" s\" in duration \"1 s\""},
      {"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""},
      {"3000000h", "time: invalid duration \"3000000h\""},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(parse_go_duration(text).status().message(), message) << text;
  }
}

TEST(GoDuration, Reads_all_units_fractions_and_signs) {
  const std::pair<const char*, std::chrono::nanoseconds> cases[] = {
      {"0", 0ns},        {"-0", 0ns},     {"5s", 5s},       {"1h2m3.5s", 1h + 2min + 3500ms}, {"300ms", 300ms},
      {"-1.5h", -90min}, {"1.5µs", 1500ns}, {".5s", 500ms}, {"10us", 10us},                   {"1m30s", 90s},
  };
  for (const auto& [text, expected] : cases) {
    ASSERT_TRUE(parse_go_duration(text).ok()) << text;
    EXPECT_EQ(*parse_go_duration(text), expected) << text;
  }
  EXPECT_EQ(parse_go_duration("-9223372036854775808ns")->count(), INT64_MIN);
}

TEST(GoDuration, Prints_as_Go_prints) {
  const std::pair<std::chrono::nanoseconds, const char*> cases[] = {
      {0ns, "0s"},         {99s, "1m39s"},  {1h, "1h0m0s"},       {250ms, "250ms"}, {1500ns, "1.5µs"},
      {1500ms, "1.5s"},    {7ns, "7ns"},    {-90min, "-1h30m0s"}, {1s + 1ns, "1.000000001s"},
      {87600h, "87600h0m0s"},
  };
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(format_go_duration(duration), text);
  }
}

TEST(ProtoDuration, Has_0_3_6_or_9_digits_and_reads_them_back) {
  const std::pair<std::chrono::nanoseconds, const char*> cases[] = {
      {1h, "3600s"}, {25ms, "0.025s"}, {250ms, "0.250s"}, {1us, "0.000001s"}, {1ns, "0.000000001s"}, {-1500ms, "-1.500s"},
  };
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(format_proto_duration(duration), text);
    EXPECT_EQ(*parse_proto_duration(text), duration);
  }
  for (const char* wrong : {"", "1", "s", "1.s", "1m", "x1s", "1.0000000001s", "99999999999999s"}) {
    EXPECT_FALSE(parse_proto_duration(wrong).ok()) << wrong;
  }
}

TEST(Rfc3339, Rejects_other_forms) {
  for (const char* wrong : {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
                            "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx"}) {
    EXPECT_FALSE(parse_rfc3339(wrong).ok()) << wrong;
  }
}

TEST(Rfc3339, Prints_trimmed_fractions_and_reads_offsets) {
  const WallTime time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 8h + 500ms;
  EXPECT_EQ(format_rfc3339(time), "2026-11-24T08:00:00.5Z");
  EXPECT_EQ(format_proto_timestamp(time), "2026-11-24T08:00:00.500Z");
  EXPECT_EQ(*parse_rfc3339("2026-11-24T10:00:00.5+02:00"), time);
  EXPECT_EQ(format_rfc3339(WallTime(-1ns)), "1969-12-31T23:59:59.999999999Z");
}

TEST(Encodings, Base64_reads_both_alphabets_and_refuses_garbage) {
  EXPECT_EQ(base64_encode("\xFB\xFF"), "+/8=");
  EXPECT_EQ(base64url_encode("\xFB\xFF"), "-_8");
  EXPECT_EQ(base64_decode("+/8="), "\xFB\xFF");
  EXPECT_EQ(base64_decode("-_8"), "\xFB\xFF");
  EXPECT_FALSE(base64_decode("*").has_value());
}

TEST(Encodings, Hashes_are_the_known_ones) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(fnv1a64("a"), 0xaf63dc4c8601ec8cULL);
}

TEST(Addresses, Are_told_from_names) {
  EXPECT_TRUE(is_ip_address("10.0.0.1"));
  EXPECT_TRUE(is_ip_address("fd00::1"));
  EXPECT_FALSE(is_ip_address("10.0.0"));
  EXPECT_FALSE(is_ip_address("example.com"));
  EXPECT_EQ(join_host_port("fd00::1", 80), "[fd00::1]:80");
}

}  // namespace
}  // namespace kuma
