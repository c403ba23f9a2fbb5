#include "mesh/protocol.h"

#include "gtest/gtest.h"

namespace kuma::mesh {
namespace {

TEST(Protocol, Is_read_in_any_case_and_anything_else_is_unknown) {
  EXPECT_EQ(parse_protocol("HTTP"), Protocol::Http);
  EXPECT_EQ(parse_protocol("http2"), Protocol::Http2);
  EXPECT_EQ(parse_protocol("gRPC"), Protocol::Grpc);
  EXPECT_EQ(parse_protocol("kafka"), Protocol::Kafka);
  EXPECT_EQ(parse_protocol("tcp"), Protocol::Tcp);
  EXPECT_EQ(parse_protocol("smtp"), Protocol::Unknown);
  EXPECT_EQ(parse_protocol(""), Protocol::Unknown);
  EXPECT_EQ(parse_protocol("unknown"), Protocol::Unknown);
}

TEST(Protocol, What_two_instances_have_in_common) {
  EXPECT_EQ(common_protocol(Protocol::Http, Protocol::Http), Protocol::Http);
  EXPECT_EQ(common_protocol(Protocol::Grpc, Protocol::Http2), Protocol::Http2);
  EXPECT_EQ(common_protocol(Protocol::Http2, Protocol::Grpc), Protocol::Http2);
  EXPECT_EQ(common_protocol(Protocol::Http, Protocol::Http2), Protocol::Tcp);
  EXPECT_EQ(common_protocol(Protocol::Http, Protocol::Grpc), Protocol::Tcp);
  EXPECT_EQ(common_protocol(Protocol::Kafka, Protocol::Tcp), Protocol::Tcp);
  EXPECT_EQ(common_protocol(Protocol::Tcp, Protocol::Unknown), Protocol::Unknown);
  EXPECT_EQ(common_protocol(Protocol::Unknown, Protocol::Unknown), Protocol::Unknown);
}

TEST(Protocol, Names_and_whether_it_is_HTTP) {
  EXPECT_EQ(protocol_name(Protocol::Grpc), "grpc");
  EXPECT_EQ(protocol_name(Protocol::Unknown), "unknown");
  EXPECT_TRUE(is_http(Protocol::Http) && is_http(Protocol::Http2) && is_http(Protocol::Grpc));
  EXPECT_FALSE(is_http(Protocol::Tcp) || is_http(Protocol::Kafka) || is_http(Protocol::Unknown));
}

}  // namespace
}  // namespace kuma::mesh
