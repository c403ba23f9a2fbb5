#include "xds/bootstrap/request.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace kuma::bootstrap {
namespace {

std::string error_of(std::string_view body) { return std::string(message_of(parse_request(body).status())); }

TEST(BootstrapRequest, Refuses_what_is_no_object) {
  EXPECT_EQ(error_of(""), "line 1, column 1: unexpected end of JSON input");
  EXPECT_EQ(error_of("[]"), "expected an object");
  EXPECT_FALSE(parse_request("name: yaml-1").ok());
}

TEST(BootstrapRequest, Names_the_member_of_a_wrong_kind) {
  EXPECT_EQ(error_of(R"({"name": 1})"), "name: expected a string");
  EXPECT_EQ(error_of(R"({"dnsPort": "53"})"), "dnsPort: expected a whole number of at most 4294967295");
  EXPECT_EQ(error_of(R"({"dnsPort": -1})"), "dnsPort: expected a whole number of at most 4294967295");
  EXPECT_EQ(error_of(R"({"dnsPort": 4294967296})"), "dnsPort: expected a whole number of at most 4294967295");
  EXPECT_EQ(error_of(R"({"features": "a"})"), "features: expected a list of strings");
  EXPECT_EQ(error_of(R"({"features": [1]})"), "features: expected a list of strings");
  EXPECT_EQ(error_of(R"({"dynamicMetadata": {"a": 1}})"), "dynamicMetadata: expected an object of strings");
  EXPECT_EQ(error_of(R"({"version": "1"})"), "version: expected an object");
  EXPECT_EQ(error_of(R"({"version": {"envoy": {"kumaDpCompatible": "yes"}}})"), "kumaDpCompatible: expected true or false");
  EXPECT_EQ(error_of(R"({"resources": {"maxHeapSizeBytes": 1.5}})"),
            "maxHeapSizeBytes: expected a whole number of at most 18446744073709551615");
  EXPECT_EQ(error_of(R"({"metricsResources": {"socketPath": false}})"), "socketPath: expected a string");
}

TEST(BootstrapRequest, Takes_null_and_absent_members_as_unset) {
  const auto request = parse_request(R"({"name": null, "features": null, "metricsResources": null, "unheard": [1]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->name, "");
  EXPECT_EQ(request->proxy_type, "dataplane");
  EXPECT_EQ(to_json(request->version), R"({"kumaDp":{},"envoy":{}})");
}

TEST(BootstrapRequest, Keeps_known_members_of_the_version_that_are_not_empty) {
  const auto request = parse_request(
      R"({"version": {"kumaDp": {"version": "2.5.11", "gitTag": "", "more": 1},
          "envoy": {"build": "x", "kumaDpCompatible": true}, "more": {}}})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(to_json(request->version), R"({"kumaDp":{"version":"2.5.11"},"envoy":{"build":"x","kumaDpCompatible":true}})");
}

TEST(BootstrapRequest, Knows_three_types_of_proxies) {
  EXPECT_EQ(*parse_proxy_type("dataplane"), ProxyType::Dataplane);
  EXPECT_EQ(*parse_proxy_type("ingress"), ProxyType::Ingress);
  EXPECT_EQ(*parse_proxy_type("egress"), ProxyType::Egress);
  EXPECT_FALSE(parse_proxy_type("gateway").ok());
}

}  // namespace
}  // namespace kuma::bootstrap
