#include "manager/initial_resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "manager/names.h"
#include "manager/testing.h"
#include "manager/token_issuer.h"
#include "manager/token_validator.h"
#include "security/authority.h"

namespace kuma::manager {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::ManagerHarness;
using testing::text_of;

void start(ManagerHarness& harness) {
  ASSERT_TRUE(harness.initial->ensure().ok());
  harness.executor->run_all();
}

TEST(InitialResources, Have_the_mesh_and_its_policies_at_once_and_keys_later) {
  ManagerHarness harness;
  ASSERT_TRUE(harness.initial->ensure().ok());
  EXPECT_THAT(harness.names("Mesh"), ElementsAre("default"));
  EXPECT_THAT(harness.names("Retry"), ElementsAre("default/retry-all-default"));
  EXPECT_THAT(harness.names("CircuitBreaker"), SizeIs(1));
  EXPECT_THAT(find_cluster_id(harness.manager->secrets()), SizeIs(36));
  EXPECT_THAT(harness.names("GlobalSecret"), IsEmpty());
  EXPECT_FALSE(harness.initial->complete());
  harness.executor->run_all();
  EXPECT_TRUE(harness.initial->complete());
  EXPECT_TRUE(harness.pending->empty());
  EXPECT_THAT(harness.names("GlobalSecret"),
              ElementsAre("admin-user-token", "envoy-admin-ca", "inter-cp-ca", "user-token-signing-key-1",
                          "zone-ingress-token-signing-key-1", "zone-token-signing-key-1"));
  EXPECT_THAT(harness.names("Secret"), ElementsAre("default/dataplane-token-signing-key-default-1"));
}

TEST(InitialResources, Are_left_alone_by_the_next_start) {
  ManagerHarness harness;
  start(harness);
  const std::string token = *harness.manager->secrets().get({"", "admin-user-token"});
  const std::string id = find_cluster_id(harness.manager->secrets());
  harness.restart();
  harness.store.writes_left = 0;
  start(harness);
  EXPECT_EQ(*harness.manager->secrets().get({"", "admin-user-token"}), token);
  EXPECT_EQ(find_cluster_id(harness.manager->secrets()), id);
}

TEST(InitialResources, Do_not_bring_a_deleted_policy_or_a_rotated_key_back) {
  ManagerHarness harness;
  start(harness);
  ASSERT_TRUE(harness.manager->secrets().create({"", "zone-token-signing-key-2"}, "key").ok());
  ASSERT_TRUE(harness.remove("GlobalSecret", {"", "zone-token-signing-key-1"}).ok());
  ASSERT_TRUE(harness.remove("Retry", {"default", "retry-all-default"}).ok());
  harness.restart();
  start(harness);
  EXPECT_THAT(harness.names("Retry"), IsEmpty());
  EXPECT_FALSE(harness.manager->secrets().exists({"", "zone-token-signing-key-1"}));
}

// A process that dies after each write in turn, and a next one that must end with the same.
TEST(InitialResources, Are_completed_by_a_restart_wherever_the_first_start_was_interrupted) {
  int step = 0;
  for (bool complete = false; !complete; ++step) {
    ASSERT_LT(step, 100);
    ManagerHarness harness;
    harness.store.writes_left = step;
    (void)harness.initial->ensure();
    harness.executor->run_all();
    complete = harness.initial->complete();
    harness.restart();
    start(harness);
    EXPECT_TRUE(harness.initial->complete()) << step;
    EXPECT_THAT(harness.names("GlobalSecret"), SizeIs(6)) << step;
    EXPECT_THAT(harness.names("Retry"), SizeIs(1)) << step;
  }
  EXPECT_GT(step, 10);
}

TEST(InitialResources, Are_made_by_asking_again_after_a_full_disk) {
  ManagerHarness harness;
  harness.store.writes_left = 0;
  EXPECT_EQ(text_of(harness.initial->ensure()), "storing the cluster's id: disk full");
  harness.executor->run_all();
  EXPECT_FALSE(harness.initial->complete());
  EXPECT_TRUE(harness.pending->empty());
  harness.store.writes_left = 1000;
  start(harness);
  EXPECT_TRUE(harness.initial->complete());
}

TEST(InitialResources, Are_asked_for_twice_without_harm) {
  ManagerHarness harness;
  ASSERT_TRUE(harness.initial->ensure().ok());
  ASSERT_TRUE(harness.initial->ensure().ok());
  harness.executor->run_all();
  EXPECT_TRUE(harness.initial->complete());
  EXPECT_THAT(harness.names("GlobalSecret"), SizeIs(6));
}

TEST(InitialResources, Of_a_zone_are_its_own_secrets_only) {
  ManagerHarness harness({.mode = Mode::Zone, .zone_name = "east"});
  start(harness);
  EXPECT_TRUE(harness.initial->complete());
  EXPECT_THAT(harness.names("Mesh"), IsEmpty());
  EXPECT_THAT(harness.names("Config"), IsEmpty());
  EXPECT_THAT(harness.names("GlobalSecret"),
              ElementsAre("admin-user-token", "envoy-admin-ca", "inter-cp-ca", "user-token-signing-key-1"));
}

TEST(InitialResources, Of_a_global_have_no_envoy_admin_authority) {
  ManagerHarness harness({.mode = Mode::Global});
  start(harness);
  EXPECT_FALSE(harness.manager->secrets().exists({"", "envoy-admin-ca"}));
  EXPECT_THAT(harness.names("GlobalSecret"), SizeIs(5));
  EXPECT_THAT(harness.names("Mesh"), ElementsAre("default"));
}

TEST(InitialResources, Leave_out_what_is_to_be_skipped) {
  ManagerHarness no_mesh({.skip_mesh_creation = true});
  start(no_mesh);
  EXPECT_THAT(no_mesh.names("Mesh"), IsEmpty());
  EXPECT_THAT(no_mesh.names("GlobalSecret"), SizeIs(6));
  ManagerHarness no_tenant({.skip_tenant_resources = true});
  start(no_tenant);
  EXPECT_THAT(no_tenant.names("Mesh"), IsEmpty());
  EXPECT_THAT(no_tenant.names("GlobalSecret"), ElementsAre("admin-user-token", "inter-cp-ca", "user-token-signing-key-1"));
  ManagerHarness no_token({.bootstrap_admin_token = false});
  start(no_token);
  EXPECT_TRUE(no_token.initial->complete());
  EXPECT_FALSE(no_token.manager->secrets().exists({"", "admin-user-token"}));
  ManagerHarness certificates({.user_tokens = false});
  start(certificates);
  EXPECT_TRUE(certificates.initial->complete());
  EXPECT_FALSE(certificates.manager->secrets().exists({"", "user-token-signing-key-1"}));
}

TEST(InitialResources, Give_the_administrator_a_token_of_ten_years) {
  ManagerHarness harness;
  start(harness);
  TokenValidator validator(harness.manager->secrets(), *harness.memory, harness.clock, {});
  const std::string token = *harness.manager->secrets().get({"", "admin-user-token"});
  harness.clock.advance(24h * 365 * 9);
  const auto user = validator.user(token);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->name, "mesh-system:admin");
  EXPECT_THAT(user->groups, ElementsAre("mesh-system:admin"));
  harness.clock.advance(24h * 366);
  EXPECT_FALSE(validator.user(token).ok());
}

TEST(InitialResources, Keep_authorities_as_certificate_and_key_in_one) {
  ManagerHarness harness;
  start(harness);
  for (const std::string_view name : {kEnvoyAdminCa, kInterCpCa}) {
    const std::string text = *harness.manager->secrets().get({"", std::string(name)});
    EXPECT_TRUE(text.starts_with("-----BEGIN CERTIFICATE-----\n"));
    EXPECT_TRUE(text.ends_with("-----END RSA PRIVATE KEY-----\n"));
    EXPECT_TRUE(security::Authority::load(text, text).ok());
  }
}

TEST(PendingSecrets, Let_who_needs_a_key_wait_for_it) {
  ManagerHarness harness;
  ASSERT_TRUE(harness.initial->ensure().ok());
  TokenIssuer issuer(harness.manager->secrets(), *harness.pending, harness.clock);
  TokenIssuer impatient(harness.manager->secrets(), *harness.pending, harness.clock, {.key_wait_max = 0ns});
  EXPECT_THAT(text_of(impatient.user({"john", {}}, 1h).status()), ::testing::StartsWith("there is no signing key with KID 1."));
  std::thread maker([&] { harness.executor->run_all(); });
  EXPECT_TRUE(issuer.user({"john", {}}, 1h).ok());
  EXPECT_TRUE(issuer.zone({"east", {"ingress"}}, 1h).ok());
  EXPECT_TRUE(issuer.dataplane({.mesh = "default"}, 1h).ok());
  maker.join();
}

TEST(PendingSecrets, Call_each_waiter_once_and_none_after_stop) {
  PendingSecrets pending;
  int calls = 0;
  EXPECT_TRUE(pending.add({"", "a"}));
  EXPECT_FALSE(pending.add({"", "a"}));
  pending.when_finished({"", "a"}, [&] { ++calls; });
  pending.when_finished({"", "b"}, [&] { calls += 10; });  // not on its way: now
  EXPECT_EQ(calls, 10);
  pending.finish({"", "a"});
  pending.finish({"", "a"});
  EXPECT_EQ(calls, 11);
  EXPECT_TRUE(pending.add({"", "a"}));
  pending.when_finished({"", "a"}, [&] { calls += 100; });
  pending.stop();
  pending.finish({"", "a"});
  pending.when_finished({"", "a"}, [&] { calls += 100; });
  EXPECT_EQ(calls, 11);
}

TEST(PendingSecrets, Are_waited_for_by_prefix_and_within_a_bound) {
  PendingSecrets pending;
  EXPECT_TRUE(pending.wait("", "user", 10s));
  pending.add({"", "user-token-signing-key-1"});
  EXPECT_TRUE(pending.wait("", "zone", 10s));
  EXPECT_TRUE(pending.wait("mesh", "user", 10s));
  EXPECT_FALSE(pending.wait("", "user", 1ms));
  std::thread stopper([&] { pending.stop(); });
  EXPECT_FALSE(pending.wait("", "user", 1h));
  stopper.join();
}

}  // namespace
}  // namespace kuma::manager
