#include "policy/meshfaultinjection/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/faults.h"
#include "policy/envoy/names.h"
#include "policy/testing.h"

namespace kuma::policy::meshfaultinjection {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using mesh::Protocol;

class MeshFaultInjectionTest : public ::testing::Test {
 protected:
  MeshFaultInjectionTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put(
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
        "web, kuma.io/protocol: http}}]}}");
    add(Protocol::Http);
  }
  void add(Protocol protocol) {
    Listener listener;
    envoy::Hcm hcm;
    envoy::add_router(hcm);
    envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
    Subject subject = testing::subject("web", protocol);
    subject.tags = {{"kuma.io/service", "web"}, {"kuma.io/protocol", "http"}};
    subject.address = "10.0.0.1";
    subject.port = 80;
    ProxyResources::put(resources.listeners, testing::draft_of("inbound", Origin::Inbound, subject, listener));
  }
  void apply_from(const std::string& items) {
    mesh.put_unchecked("MeshFaultInjection", "f", "{targetRef: {kind: Mesh}, from: [" + items + "]}");
    mesh.apply(apply, "web-1", resources);
  }
  std::vector<std::string> filters() {
    envoy::Hcm hcm;
    testing::made(resources.listeners.at("inbound")).filter_chains(0).filters(0).typed_config().UnpackTo(&hcm);
    std::vector<std::string> all;
    for (const auto& filter : hcm.http_filters()) {
      envoy::HttpFault fault;
      all.push_back(filter.typed_config().UnpackTo(&fault) ? testing::json_of(fault) : filter.name());
    }
    return all;
  }

  testing::Mesh mesh;
  ProxyResources resources;
};

constexpr char kAbort[] = "default: {http: [{abort: {httpStatus: 503, percentage: 100}}]}}";

TEST_F(MeshFaultInjectionTest, Faults_come_before_the_router) {
  apply_from(std::string("{targetRef: {kind: Mesh}, ") + kAbort);
  EXPECT_THAT(filters(), ElementsAre(R"({"abort":{"httpStatus":503,"percentage":{"numerator":100}}})", envoy::kRouter));
  EXPECT_THAT(testing::shaped_by(resources.listeners.at("inbound")), ElementsAre("f"));
}

TEST_F(MeshFaultInjectionTest, A_delay_of_nothing_is_left_out) {
  apply_from("{targetRef: {kind: Mesh}, default: {http: [{delay: {value: 0s, percentage: 100}}]}}");
  EXPECT_THAT(filters(), ElementsAre("{}", envoy::kRouter));
}

TEST_F(MeshFaultInjectionTest, Percentages_keep_two_or_four_places) {
  auto text = [](double percent) {
    ::envoy::type::v3::FractionalPercent fraction;
    envoy::set_percent(percent, fraction);
    return testing::json_of(fraction);
  };
  EXPECT_EQ(text(62), R"({"numerator":62})");
  EXPECT_EQ(text(62.9), R"({"numerator":6290,"denominator":"TEN_THOUSAND"})");
  EXPECT_EQ(text(33.333), R"({"numerator":333330,"denominator":"MILLION"})");
}

TEST_F(MeshFaultInjectionTest, A_rule_that_can_not_be_used_is_left_out_and_told_and_the_others_stay) {
  apply_from(std::string("{targetRef: {kind: MeshService, name: a}, ") + kAbort +
             ", {targetRef: {kind: MeshService, name: b}, default: {http: [{responseBandwidth: {limit: mbps, percentage: 1}}]}}");
  ASSERT_THAT(filters(), ::testing::SizeIs(2));
  EXPECT_THAT(filters().front(), ::testing::HasSubstr(R"("httpStatus":503)"));
  EXPECT_THAT(resources.problems,
              ElementsAre(Problem{{"MeshFaultInjection", "f", "default"},
                                  "default.http[0].responseBandwidth.limit: has to be a number above 0 in kbps/mbps/gbps units"}));
}

TEST_F(MeshFaultInjectionTest, An_inbound_with_a_FaultInjection_keeps_that_one) {
  mesh.put(
      "{type: FaultInjection, mesh: default, name: old, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: "
      "{kuma.io/service: web, kuma.io/protocol: http}}], conf: {abort: {httpStatus: 500, percentage: 1}}}");
  apply_from(std::string("{targetRef: {kind: Mesh}, ") + kAbort);
  EXPECT_THAT(resources.listeners.at("inbound").changes, IsEmpty());
}

TEST_F(MeshFaultInjectionTest, Only_HTTP_and_HTTP2_have_faults) {
  for (const Protocol protocol : {Protocol::Grpc, Protocol::Tcp, Protocol::Kafka, Protocol::Unknown}) {
    add(protocol);
    apply_from(std::string("{targetRef: {kind: Mesh}, ") + kAbort);
    EXPECT_THAT(resources.listeners.at("inbound").changes, IsEmpty());
  }
}

}  // namespace
}  // namespace kuma::policy::meshfaultinjection
