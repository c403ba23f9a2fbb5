#include "xds/server/registrar.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "insight/testing.h"
#include "manager/testing.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using manager::testing::ManagerHarness;
using manager::testing::text_of;
using ::testing::HasSubstr;

class RegistrarTest : public ::testing::Test {
 protected:
  RegistrarTest() {
    EXPECT_TRUE(harness_.put("{type: Mesh, name: default}").ok());
    make(false);
  }
  void make(bool tokens) {
    authenticator_ = std::make_unique<ProxyAuthenticator>(ProxyAuthenticator::Options{.dataplane_tokens = tokens, .zone_tokens = tokens},
                                                          harness_.registry, *harness_.memory, validator_);
    registrar_ = std::make_unique<ProxyRegistrar>(ProxyRegistrar::Options{.deregistration_delay = 10s, .control_plane_id = "cp-1"},
                                                  harness_.registry, *harness_.memory, *harness_.manager, *authenticator_, executor_);
  }

  static std::string dataplane(const std::string& name, const std::string& address = "10.0.0.1") {
    return fmt::format("{{type: Dataplane, mesh: default, name: {}, networking: {{address: {}, inbound: [{{port: 80, tags: {{kuma.io/service: web}}}}]}}}}",
                       name, address);
  }
  Node node(const std::string& id, const std::string& resource) {
    envoy::config::core::v3::Node message;
    message.set_id(id);
    if (!resource.empty()) {
      (*message.mutable_metadata()->mutable_fields())["dataplane.resource"].set_string_value(resource);
    }
    return *parse_node(message, harness_.registry);
  }
  bool is_there() const { return harness_.find("Dataplane", {"default", "web-1"}) != nullptr; }

  ManagerHarness harness_;
  insight::testing::SimulatedExecutor executor_{harness_.clock};
  manager::TokenValidator validator_{harness_.manager->secrets(), *harness_.memory, harness_.clock, {}};
  std::unique_ptr<ProxyAuthenticator> authenticator_;
  std::unique_ptr<ProxyRegistrar> registrar_;
};

TEST_F(RegistrarTest, Refuses_a_resource_of_another_name) {
  EXPECT_EQ(text_of(registrar_->on_open(node("default.web-1", dataplane("web-2")), "")),
            "could not register proxy passed in kuma-dp run: proxyId default.web-1 does not match proxy resource default.web-2");
}

TEST_F(RegistrarTest, Refuses_a_dataplane_of_a_mesh_that_is_not_there) {
  EXPECT_THAT(text_of(registrar_->on_open(node("nowhere.web-1", "{type: Dataplane, mesh: nowhere, name: web-1, networking: {address: "
                                               "10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}}"), "")),
              HasSubstr("could not register proxy passed in kuma-dp run: "));
}

TEST_F(RegistrarTest, Refuses_to_change_a_dataplane_that_the_token_does_not_open) {
  ASSERT_TRUE(harness_.put(dataplane("web-1")).ok());
  make(true);
  EXPECT_THAT(text_of(registrar_->on_open(node("default.web-1", dataplane("web-1", "10.0.0.9")), "wrong")),
              HasSubstr("could not register proxy passed in kuma-dp run: you are trying to override existing proxy to which you don't have an access."));
  executor_.advance(1min);
  EXPECT_THAT(harness_.get("Dataplane", {"default", "web-1"}), HasSubstr("10.0.0.1"));
}

TEST_F(RegistrarTest, Takes_a_dataplane_away_some_time_after_its_proxy_has_gone) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  EXPECT_TRUE(is_there());
  registrar_->on_close(proxy);
  executor_.advance(9s);
  EXPECT_TRUE(is_there());
  executor_.advance(1s);
  EXPECT_FALSE(is_there());
}

TEST_F(RegistrarTest, Keeps_it_while_one_of_two_streams_is_open) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  registrar_->on_close(proxy);
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
  registrar_->on_close(proxy);
  executor_.advance(1min);
  EXPECT_FALSE(is_there());
}

TEST_F(RegistrarTest, Keeps_it_when_the_proxy_comes_back_in_time) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  registrar_->on_close(proxy);
  executor_.advance(5s);
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
}

TEST_F(RegistrarTest, Keeps_it_when_the_proxy_has_gone_to_another_control_plane) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  ASSERT_TRUE(harness_.put("{type: DataplaneInsight, mesh: default, name: web-1, subscriptions: [{id: a, controlPlaneInstanceId: cp-1}, "
                           "{id: b, controlPlaneInstanceId: cp-2}]}").ok());
  registrar_->on_close(proxy);
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
}

TEST_F(RegistrarTest, Removes_nothing_when_the_control_plane_goes) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  registrar_->on_close(proxy);
  registrar_->stop();
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
}

TEST_F(RegistrarTest, A_refused_registration_neither_removes_nor_keeps_what_somebody_else_brought) {
  const Node proxy = node("default.web-1", dataplane("web-1"));
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  const auto be_refused = [&] {
    harness_.store.writes_left = 0;
    EXPECT_FALSE(registrar_->on_open(node("default.web-1", dataplane("web-1", "10.0.0.9")), "").ok());
    harness_.store.writes_left = 1'000;
  };
  be_refused();
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
  registrar_->on_close(proxy);
  be_refused();
  executor_.advance(1min);
  EXPECT_FALSE(is_there());
}

TEST_F(RegistrarTest, A_dataplane_that_users_made_is_none_of_its_business) {
  ASSERT_TRUE(harness_.put(dataplane("web-1")).ok());
  const Node proxy = node("default.web-1", "");
  ASSERT_TRUE(registrar_->on_open(proxy, "").ok());
  registrar_->on_close(proxy);
  executor_.advance(1min);
  EXPECT_TRUE(is_there());
}

// ---------------------------------------------------------------- what a proxy says of itself

TEST_F(RegistrarTest, A_node_says_what_is_wrong_with_the_resource_it_brings) {
  EXPECT_THAT(node("default.web-1", "{type: Mesh, name: default}").resource_problem, HasSubstr("a proxy can't be a Mesh"));
  EXPECT_NE(node("default.web-1", "{type: [").resource_problem, "");
  EXPECT_NE(node("default.web-1", "{type: Nothing, name: a}").resource_problem, "");
  EXPECT_FALSE(node("default.web-1", "{type: [").resource);
}

TEST_F(RegistrarTest, A_node_with_a_dataplane_that_is_not_valid_is_refused_not_ignored) {
  const Node invalid = node("default.web-1", "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 0, tags: {}}]}}");
  EXPECT_FALSE(invalid.resource);
  EXPECT_EQ(invalid.resource_problem, "");
  EXPECT_THAT(invalid.resource_violations, HasSubstr("networking.inbound[0].port"));
}

TEST_F(RegistrarTest, A_node_has_numbers_as_text_and_what_can_not_be_read_is_0) {
  envoy::config::core::v3::Node message;
  message.set_id(".in-1.eu");
  auto& fields = *message.mutable_metadata()->mutable_fields();
  fields["dataplane.proxyType"].set_string_value("ingress");
  fields["dataplane.admin.port"].set_string_value("9901");
  fields["dataplane.dns.port"].set_string_value("70000");
  fields["dataplane.dns.empty.port"].set_string_value("53x");
  const Node parsed = *parse_node(message, harness_.registry);
  EXPECT_EQ(parsed.key, (model::ResourceKey{"", "in-1.eu"}));
  EXPECT_EQ(parsed.metadata.proxy_type, ProxyType::ZoneIngress);
  EXPECT_EQ(parsed.metadata.admin_port, 9901U);
  EXPECT_EQ(parsed.metadata.dns_port, 0U);
  EXPECT_EQ(parsed.metadata.dns_empty_port, 0U);
  EXPECT_EQ(parsed.metadata.access_log_socket_path, "/tmp/kuma-al-in-1.eu-.sock");
  EXPECT_FALSE(parsed.version.has_kumadp());
}

TEST_F(RegistrarTest, Says_of_a_kuma_dp_that_is_too_old_or_too_new_that_it_does_not_fit) {
  for (const auto& [version, fits] : {std::pair("2.2.0", false), {"2.4.1", true}, {"2.8.0", false}, {"unknown", true}}) {
    envoy::config::core::v3::Node message;
    message.set_id("default.web-1");
    auto& software = *(*message.mutable_metadata()->mutable_fields())["version"].mutable_struct_value();
    auto& kuma_dp = *(*software.mutable_fields())["kumaDp"].mutable_struct_value();
    (*kuma_dp.mutable_fields())["version"].set_string_value(version);
    EXPECT_EQ(parse_node(message, harness_.registry)->version.kumadp().kumacpcompatible(), fits) << version;
  }
}

}  // namespace
}  // namespace kuma::xds
