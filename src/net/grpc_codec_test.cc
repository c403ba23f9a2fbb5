#include "net/grpc_codec.h"

#include <zlib.h>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

std::string frame(std::string_view message, char flag = 0) {
  std::string framed = grpc_prefix(message.size()) + std::string(message);
  framed[0] = flag;
  return framed;
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Feed {
  std::vector<std::string> messages;
  GrpcStatus status;
};

Feed feed(GrpcDecoder& decoder, std::string_view bytes, size_t step) {
  Feed result;
  for (size_t i = 0; i < bytes.size() && result.status.code == 0; i += step) {
    result.status = decoder.feed(bytes.substr(i, step), [&](std::string_view message) {
      result.messages.emplace_back(message);
      return true;
    });
  }
  return result;
}

TEST(GrpcDecoderTest, Refuses_a_length_over_the_limit_before_the_message_comes) {
  GrpcDecoder decoder(10);
  const auto result = feed(decoder, frame("12345678901").substr(0, kGrpcPrefixSize), 1);
  EXPECT_EQ(result.status.code, static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(result.status.message, "received message larger than max (11 vs. 10)");
  EXPECT_EQ(decoder.buffered(), 0);
}

TEST(GrpcDecoderTest, Keeps_how_a_message_over_the_limit_begins_as_far_as_it_has_come) {
  GrpcDecoder at_once(10), cut(10), fine(10);
  feed(at_once, frame(std::string(100'000, 'x')), 50'000);
  EXPECT_EQ(at_once.oversized(), std::string(16 * 1024, 'x'));
  feed(cut, frame("12345678901").substr(0, 7), 7);
  EXPECT_EQ(cut.oversized(), "12");
  feed(fine, frame("1234567890"), 3);
  EXPECT_EQ(fine.oversized(), std::nullopt);
}

TEST(GrpcDecoderTest, Refuses_unknown_flags_and_compression_that_was_not_agreed_on) {
  for (const char flag : {'\x01', '\x02', '\xff'}) {
    for (const size_t step : {1, 100}) {
      GrpcDecoder decoder(10);
      EXPECT_EQ(feed(decoder, frame("x", flag), step).status.code, static_cast<int>(absl::StatusCode::kInternal));
    }
  }
}

TEST(GrpcCodecTest, Compresses_what_gets_shorter_by_it_and_nothing_else) {
  EXPECT_EQ(gzip(""), "");
  EXPECT_EQ(gzip("hello"), "");
  const std::string text(1000, 'a');
  const std::string packed = gzip(text);
  EXPECT_LT(packed.size(), 100);
  EXPECT_EQ(*gunzip(packed, 1000), text);
}

TEST(GrpcCodecTest, Reads_whether_a_peer_takes_gzip) {
  for (const char* no : {"", "identity", "gzipped", "x-gzip", ",", " , "}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
  for (const char* yes : {"gzip", "identity,gzip", "identity, deflate, gzip ", "gzip,snappy"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
}

TEST(GrpcDecoderTest, Refuses_damaged_and_exploding_gzip) {
  GrpcDecoder damaged(1000);
  ASSERT_TRUE(damaged.set_encoding("gzip"));
  EXPECT_EQ(feed(damaged, frame("no gzip", 1), 100).status.code, static_cast<int>(absl::StatusCode::kInternal));
  GrpcDecoder cut(1000);
  ASSERT_TRUE(cut.set_encoding("gzip"));
  EXPECT_EQ(feed(cut, frame(gzipped("hello").substr(0, 15), 1), 100).status.code, static_cast<int>(absl::StatusCode::kInternal));
  GrpcDecoder bomb(100'000);
  ASSERT_TRUE(bomb.set_encoding("gzip"));
  EXPECT_EQ(feed(bomb, frame(gzipped(std::string(10'000'000, 'a')), 1), 100'000).status.code,
            static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(bomb.set_encoding("snappy"));
}

TEST(GrpcDecoderTest, Cuts_messages_whatever_the_pieces) {
  const std::string bytes = frame("one") + frame("") + frame("three") + frame(std::string(1000, 'x'));
  for (size_t step = 1; step < bytes.size() + 1; ++step) {
    GrpcDecoder decoder(1000);
    const auto result = feed(decoder, bytes, step);
    EXPECT_EQ(result.status.code, 0);
    EXPECT_THAT(result.messages, ElementsAre("one", "", "three", std::string(1000, 'x'))) << step;
    EXPECT_TRUE(decoder.between_messages());
  }
}

TEST(GrpcDecoderTest, Decompresses_what_is_marked_so) {
  GrpcDecoder decoder(1000);
  ASSERT_TRUE(decoder.set_encoding("gzip"));
  EXPECT_THAT(feed(decoder, frame(gzipped("small"), 1) + frame("plain") + frame(gzipped(""), 1), 7).messages,
              ElementsAre("small", "plain", ""));
}

TEST(GrpcDecoderTest, Keeps_what_follows_when_the_receiver_stops) {
  GrpcDecoder decoder(1000);
  std::vector<std::string> got;
  const auto one_at_a_time = [&](std::string_view message) {
    got.emplace_back(message);
    return false;
  };
  decoder.feed(frame("a") + frame("b") + frame("c").substr(0, 3), one_at_a_time);
  EXPECT_THAT(got, ElementsAre("a"));
  decoder.hold(frame("c").substr(3));
  decoder.feed({}, one_at_a_time);
  EXPECT_THAT(got, ElementsAre("a", "b"));
  EXPECT_FALSE(decoder.between_messages());
  decoder.feed({}, one_at_a_time);
  EXPECT_THAT(got, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(decoder.between_messages());
}

TEST(GrpcCodecTest, Refuses_malformed_timeouts) {
  for (const auto* text : {"", "1", "S", "1s", "-1S", "1.5S", "123456789S", "1 S"}) {
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
  }
}

TEST(GrpcCodecTest, Reads_every_unit_of_a_timeout) {
  EXPECT_EQ(parse_grpc_timeout("2H"), 2h);
  EXPECT_EQ(parse_grpc_timeout("3M"), 3min);
  EXPECT_EQ(parse_grpc_timeout("4S"), 4s);
  EXPECT_EQ(parse_grpc_timeout("5m"), 5ms);
  EXPECT_EQ(parse_grpc_timeout("6u"), 6us);
  EXPECT_EQ(parse_grpc_timeout("7n"), 7ns);
  EXPECT_EQ(parse_grpc_timeout("99999999H"), 24h * 365);
}

TEST(GrpcCodecTest, Escapes_and_unescapes_messages) {
  EXPECT_EQ(percent_encode("50% ü\n~"), "50%25 %C3%BC%0A~");
  EXPECT_EQ(percent_decode("50%25 %C3%BC%0A~"), "50% ü\n~");
  EXPECT_EQ(percent_decode("100% %zz %4"), "100% %zz %4");
  EXPECT_EQ(percent_decode("%41%4a"), "AJ");
}

TEST(GrpcCodecTest, Tells_gRPC_from_its_relatives) {
  EXPECT_TRUE(is_grpc_content_type("application/grpc"));
  EXPECT_TRUE(is_grpc_content_type("application/grpc+proto"));
  EXPECT_TRUE(is_grpc_content_type("Application/gRPC; charset=x"));
  EXPECT_FALSE(is_grpc_content_type("application/grpc-web"));
  EXPECT_FALSE(is_grpc_content_type("application/json"));
  EXPECT_FALSE(is_grpc_content_type(""));
}

}  // namespace
}  // namespace kuma::net
