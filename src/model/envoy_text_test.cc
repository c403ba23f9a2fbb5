#include "model/envoy_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"

namespace kuma::model {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::testing::HasSubstr;

std::string refusal_of_cluster(const std::string& yaml) {
  return std::string(message_of(check_envoy_resource(yaml, Cluster::default_instance())));
}

TEST(Envoy_text, Reads_both_spellings_and_any_message_within) {
  Cluster cluster;
  ASSERT_TRUE(read_envoy_text("{name: c, connectTimeout: 5s, per_connection_buffer_limit_bytes: 7, transportSocket: {name: t, typedConfig: "
                              "{'@type': type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}",
                              UnknownFields::Refuse, cluster)
                  .ok());
  EXPECT_EQ(cluster.connect_timeout().seconds(), 5);
  EXPECT_EQ(cluster.per_connection_buffer_limit_bytes().value(), 7U);
  auto json = to_envoy_json(cluster);
  ASSERT_TRUE(json.ok()) << json.status();
  Cluster again;
  ASSERT_TRUE(read_envoy_json(*json, UnknownFields::Refuse, again).ok());
  EXPECT_EQ(again.SerializeAsString(), cluster.SerializeAsString());
}

TEST(Envoy_text, Unknown_fields_are_named_or_ignored) {
  Cluster cluster;
  const absl::Status strict = read_envoy_text("{name: c, conectTimeout: 5s}", UnknownFields::Refuse, cluster);
  EXPECT_THAT(std::string(message_of(strict)), HasSubstr("conectTimeout"));
  EXPECT_TRUE(cluster.name().empty());
  EXPECT_TRUE(read_envoy_text("{name: c, conectTimeout: 5s}", UnknownFields::Ignore, cluster).ok());
  EXPECT_EQ(cluster.name(), "c");
}

TEST(Envoy_text, Refuses_what_is_no_message) {
  EXPECT_EQ(refusal_of_cluster(""), "unexpected EOF");
  EXPECT_EQ(refusal_of_cluster("[1]"), "expected an object, got [1]");
  EXPECT_NE(refusal_of_cluster("{"), "");
  EXPECT_NE(refusal_of_cluster("{name: 5}"), "");
  EXPECT_NE(refusal_of_cluster("{name: c, type: NEVER}"), "");
  EXPECT_EQ(refusal_of_cluster("{name: c, transportSocket: {typedConfig: {'@type': type.googleapis.com/nothing.Here}}}"),
            "could not resolve Any message type: type.googleapis.com/nothing.Here");
}

TEST(Envoy_text, An_Any_says_what_it_is) {
  EXPECT_FALSE(read_envoy_any("{name: c}", UnknownFields::Refuse).ok());
  EXPECT_FALSE(read_envoy_any("{'@type': type.googleapis.com/nothing.Here}", UnknownFields::Refuse).ok());
  auto any = read_envoy_any("{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: c}", UnknownFields::Refuse);
  ASSERT_TRUE(any.ok()) << any.status();
  Cluster cluster;
  ASSERT_TRUE(any->UnpackTo(&cluster));
  EXPECT_EQ(cluster.name(), "c");
}

TEST(Envoy_constraints, Are_checked_all_the_way_down) {
  EXPECT_EQ(refusal_of_cluster("{name: c, connectTimeout: 1s}"), "");
  EXPECT_EQ(refusal_of_cluster("{connectTimeout: 1s}"), "invalid Cluster.Name: value length must be at least 1 runes");
  EXPECT_EQ(refusal_of_cluster("{name: c, connectTimeout: 0s}"), "invalid Cluster.ConnectTimeout: value must be greater than 0s");
  EXPECT_EQ(refusal_of_cluster("{name: c, maglevLbConfig: {tableSize: 5000012}}"),
            "invalid Cluster.MaglevLbConfig: embedded message failed validation | caused by: invalid "
            "Cluster_MaglevLbConfig.TableSize: value must be less than or equal to 5000011");
  EXPECT_EQ(refusal_of_cluster("{name: c, healthChecks: [{timeout: 1s}]}"),
            "invalid Cluster.HealthChecks[0]: embedded message failed validation | caused by: invalid HealthCheck.Interval: value is "
            "required");
}

TEST(Envoy_constraints, A_patch_does_not_need_to_keep_them) {
  EXPECT_TRUE(check_envoy_patch("{connectTimeout: 0s}", Cluster::default_instance()).ok());
  EXPECT_TRUE(check_envoy_patch("{tcpBacklogSize: 5}", Listener::default_instance()).ok());
}

}  // namespace
}  // namespace kuma::model
