#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "base/text.h"
#include "manager/testing.h"
#include "manager/token_issuer.h"
#include "manager/token_keys.h"
#include "manager/token_validator.h"

namespace kuma::manager {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::ManagerHarness;
using testing::text_of;

class TokensTest : public ::testing::Test {
 protected:
  TokensTest() {
    EXPECT_TRUE(harness_.initial->ensure().ok());
    harness_.executor->run_all();
    EXPECT_TRUE(harness_
                    .put("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, "
                         "tags: {kuma.io/service: web, team: a}}, {port: 81, tags: {kuma.io/service: web-admin, team: b}}]}}")
                    .ok());
    EXPECT_TRUE(harness_.put("{type: ZoneIngress, name: in-1, networking: {address: 10.0.0.1, port: 10001}}").ok());
    EXPECT_TRUE(harness_.put("{type: ZoneEgress, name: out-1, networking: {address: 10.0.0.2, port: 10002}}").ok());
  }

  Secrets& secrets() { return harness_.manager->secrets(); }
  std::string dataplane(std::string_view token) {
    return text_of(validator_.check_dataplane(token, *harness_.find("Dataplane", {"default", "web-1"})));
  }
  std::string ingress(std::string_view token) {
    return text_of(validator_.check_zone_proxy(token, *harness_.find("ZoneIngress", {"", "in-1"})));
  }
  std::string egress(std::string_view token) {
    return text_of(validator_.check_zone_proxy(token, *harness_.find("ZoneEgress", {"", "out-1"})));
  }

  ManagerHarness harness_;
  TokenIssuer issuer_{secrets(), *harness_.pending, harness_.clock};
  TokenValidator validator_{secrets(), *harness_.memory, harness_.clock, {}};
};

TEST_F(TokensTest, Refuse_to_be_issued_without_a_key) {
  EXPECT_EQ(text_of(issuer_.dataplane({.mesh = "nowhere"}, 1h).status()),
            "there is no signing key with KID 1. Secret of name \"dataplane-token-signing-key-nowhere-1\" in mesh \"nowhere\" "
            "is not found. If signing key was rotated, regenerate the token");
  ASSERT_TRUE(harness_.remove("GlobalSecret", {"", "zone-token-signing-key-1"}).ok());
  const absl::Status status = issuer_.zone({"east", {}}, 1h).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(text_of(status),
            "there is no signing key with KID 1. GlobalSecret of name \"zone-token-signing-key-1\" is not found. If signing "
            "key was rotated, regenerate the token");
}

TEST_F(TokensTest, Refuse_to_be_issued_with_a_broken_key) {
  ASSERT_TRUE(secrets().create({"", "user-token-signing-key-2"}, "broken").ok());
  const absl::Status status = issuer_.user({"john", {}}, 1h).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(text_of(status),
              ::testing::StartsWith("the signing key in secret \"user-token-signing-key-2\" can't be read: "));
}

TEST_F(TokensTest, Of_the_wrong_kind_are_refused) {
  EXPECT_THAT(dataplane(*issuer_.zone({"", {"ingress"}}, 1h)), ::testing::IsEmpty())
      << "the harness has one key for all: kinds are told apart by keys, see below";
  EXPECT_THAT(dataplane("nonsense"), EndsWith("token contains an invalid number of segments"));
  EXPECT_THAT(dataplane(""), EndsWith("token contains an invalid number of segments"));
  EXPECT_THAT(ingress("nonsense"), EndsWith("token contains an invalid number of segments"));
  ASSERT_TRUE(secrets().replace({"default", "dataplane-token-signing-key-default-1"},
                                security::testing::other_rsa_key().to_pem())
                  .ok());
  EXPECT_THAT(dataplane(*issuer_.user({"web-1", {}}, 1h)), EndsWith(": crypto/rsa: verification error"));
  EXPECT_THAT(egress(*issuer_.dataplane({.mesh = "default"}, 1h)), EndsWith(": crypto/rsa: verification error"));
}

TEST_F(TokensTest, Of_dataplanes_are_held_against_their_tags) {
  EXPECT_EQ(dataplane(*issuer_.dataplane({.mesh = "default"}, 1h)), "");
  EXPECT_EQ(dataplane(*issuer_.dataplane({.name = "web-1", .mesh = "default", .type = "ingress"}, 1h)), "");
  EXPECT_EQ(dataplane(*issuer_.dataplane({.mesh = "default", .tags = {{"kuma.io/service", {"web", "web-admin"}}}}, 1h)), "");
  EXPECT_EQ(dataplane(*issuer_.dataplane({.name = "web-2", .mesh = "default"}, 1h)),
            "proxy name from requestor: web-1 is different than in token: web-2");
  EXPECT_EQ(dataplane(*issuer_.dataplane({.mesh = "default", .tags = {{"kuma.io/service", {"web"}}}}, 1h)),
            "dataplane contains tag \"kuma.io/service\" with value \"web-admin\" which is not allowed with this token. Allowed "
            "values in token are [\"web\"]");
  EXPECT_EQ(dataplane(*issuer_.dataplane({.mesh = "default", .tags = {{"version", {"1"}}}}, 1h)),
            "dataplane has no tag \"version\" required by the token");
}

TEST_F(TokensTest, Of_zones_are_held_against_scope_and_zone) {
  const std::string both = *issuer_.zone({"", {"ingress", "egress"}}, 1h);
  EXPECT_EQ(ingress(both), "");
  EXPECT_EQ(egress(both), "");
  EXPECT_EQ(egress(*issuer_.zone({"", {"ingress"}}, 1h)),
            "token cannot be used to authenticate zone entity (egress is out of token's scope: [ingress])");
  EXPECT_EQ(ingress(*issuer_.zone({"east", {"ingress"}}, 1h)), "zone from requestor:  is different than in token: east");
}

TEST_F(TokensTest, Of_old_zone_ingresses_open_ingresses_only) {
  EXPECT_EQ(ingress(*issuer_.zone_ingress("", 1h)), "");
  EXPECT_EQ(ingress(*issuer_.zone_ingress("east", 1h)), "zone from requestor:  is different than in token: east");
  EXPECT_EQ(egress(*issuer_.zone_ingress("", 1h)),
            "token cannot be used to authenticate zone entity (egress is out of token's scope: [ingress])");
}

TEST_F(TokensTest, Without_scope_are_verified_with_the_old_keys) {
  ASSERT_TRUE(
      secrets().replace({"", "zone-ingress-token-signing-key-1"}, security::testing::other_rsa_key().to_pem()).ok());
  EXPECT_THAT(ingress(*issuer_.zone({"", {}}, 1h)), EndsWith(": crypto/rsa: verification error"));
}

TEST_F(TokensTest, Of_zone_control_planes_have_scope_cp_and_name_the_zone) {
  const auto check = [this](std::string_view token) { return text_of(validator_.check_zone_control_plane(token, "east")); };
  EXPECT_EQ(check(*issuer_.zone({"east", {"cp"}}, 1h)), "");
  EXPECT_EQ(check(*issuer_.zone({"west", {"cp"}}, 1h)), "zone from requestor: east is different than in token: west");
  EXPECT_EQ(check(*issuer_.zone({"", {"cp"}}, 1h)), "the token names no zone, so it could be anybody's");
  EXPECT_EQ(check(*issuer_.zone({"east", {"ingress", "egress"}}, 1h)),
            "token cannot be used to authenticate zone entity (cp is out of token's scope: [ingress egress])");
  EXPECT_THAT(check(""), ::testing::StartsWith("there is no token; give the zone control plane one of scope \"cp\""));
  EXPECT_NE(check("rubbish"), "");
}

TEST_F(TokensTest, Of_users_name_them_and_their_groups) {
  const auto user = validator_.user(*issuer_.user({"john", {"team-a", "team-b"}}, 1h));
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->name, "john");
  EXPECT_THAT(user->groups, ElementsAre("team-a", "team-b"));
}

TEST_F(TokensTest, Are_refused_once_revoked) {
  const std::string one = *issuer_.dataplane({.mesh = "default"}, 1h);
  const std::string two = *issuer_.dataplane({.mesh = "default"}, 1h);
  const std::string user = *issuer_.user({"john", {}}, 1h);
  const auto id_of = [](std::string_view token) {
    return std::string(security::find_claim(security::parse_jwt(token)->claims, "jti")->get_string());
  };
  ASSERT_TRUE(secrets().create({"default", "dataplane-token-revocations-default"}, id_of(one) + ",x\n").ok());
  EXPECT_EQ(dataplane(one), "token is revoked");
  EXPECT_EQ(dataplane(two), "");
  ASSERT_TRUE(secrets().create({"", "user-token-revocations"}, id_of(user)).ok());
  EXPECT_EQ(text_of(validator_.user(user).status()), "token is revoked");
}

TEST_F(TokensTest, Expire) {
  const std::string token = *issuer_.dataplane({.mesh = "default"}, 1min);
  EXPECT_EQ(dataplane(token), "");
  harness_.clock.advance(2min);
  EXPECT_THAT(dataplane(token), EndsWith(": token is expired by 1m0s"));
}

TEST_F(TokensTest, Are_signed_by_the_newest_key_and_end_with_theirs) {
  const std::string old = *issuer_.dataplane({.mesh = "default"}, 1h);
  ASSERT_TRUE(secrets()
                  .create({"default", "dataplane-token-signing-key-default-10"}, security::testing::other_rsa_key().to_pem())
                  .ok());
  ASSERT_TRUE(
      secrets().create({"default", "dataplane-token-signing-key-default-2"}, security::testing::rsa_key().to_pem()).ok());
  ASSERT_TRUE(secrets().create({"default", "dataplane-token-signing-key-default-old"}, "ignored").ok());
  const std::string fresh = *issuer_.dataplane({.mesh = "default"}, 1h);
  EXPECT_EQ(security::parse_jwt(fresh)->key_id, "10");
  EXPECT_EQ(dataplane(old), "");
  EXPECT_EQ(dataplane(fresh), "");
  ASSERT_TRUE(harness_.remove("Secret", {"default", "dataplane-token-signing-key-default-1"}).ok());
  EXPECT_EQ(dataplane(old),
            "there is no signing key with KID 1. Secret of name \"dataplane-token-signing-key-default-1\" in mesh \"default\" "
            "is not found. If signing key was rotated, regenerate the token");
  EXPECT_EQ(dataplane(fresh), "");
}

TEST_F(TokensTest, Of_an_old_version_work_with_key_zero) {
  const security::PrivateKey& key = security::testing::rsa_key();
  unsigned char* der = nullptr;
  const int size = i2d_PrivateKey(key.native(), &der);
  const std::string pkcs1(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  ASSERT_TRUE(harness_.remove("Secret", {"default", "dataplane-token-signing-key-default-1"}).ok());
  ASSERT_TRUE(secrets().create({"default", "dataplane-token-signing-key-default"}, pkcs1).ok());
  const std::string token = *issuer_.dataplane({.mesh = "default"}, 1h);
  EXPECT_EQ(security::parse_jwt(token)->key_id, "0");
  EXPECT_EQ(dataplane(token), "");

  const std::string text = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url_encode(R"({"Mesh":"default"})");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  HMAC(EVP_sha256(), pkcs1.data(), static_cast<int>(pkcs1.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &digest_size);
  EXPECT_EQ(dataplane(text + "." + base64url_encode({reinterpret_cast<char*>(digest), digest_size})), "");
}

TEST_F(TokensTest, Signed_elsewhere_are_verified_with_keys_from_the_configuration) {
  const std::string public_pem = security::testing::other_rsa_key().public_pem();
  ValidatorOptions options;
  options.dataplane = {.use_secrets = false, .public_keys = {{"mine", "", "broken"}, {"mine", "default", public_pem}, {"any", "", public_pem}}};
  options.user.public_keys = {{"my-1", "", public_pem}};
  TokenValidator validator(secrets(), *harness_.memory, harness_.clock, options);
  const auto sign = [&](std::string_view key_id) {
    return *security::sign_rs256(
        security::encode_claims(security::DataplaneClaims{.mesh = "default"}, {harness_.clock.wall_now(), 1h, "id"}), key_id,
        security::testing::other_rsa_key());
  };
  const model::ResourcePtr resource = harness_.find("Dataplane", {"default", "web-1"});
  EXPECT_EQ(text_of(validator.check_dataplane(sign("mine"), *resource)), "");
  EXPECT_EQ(text_of(validator.check_dataplane(sign("any"), *resource)), "");
  EXPECT_EQ(text_of(validator.check_dataplane(sign("1"), *resource)), "there is no signing key with KID 1");
  EXPECT_EQ(text_of(validator.check_dataplane(*issuer_.dataplane({.mesh = "default"}, 1h), *resource)),
            "there is no signing key with KID 1");
  EXPECT_TRUE(validator.user(sign("my-1")).ok());
  EXPECT_TRUE(validator.user(*issuer_.user({"john", {}}, 1h)).ok());
}

TEST_F(TokensTest, In_a_zone_are_verified_with_the_globals_public_key) {
  TokenValidator validator(secrets(), *harness_.memory, harness_.clock, {.zone_mode = true, .zone_name = "east"});
  const std::string token = *issuer_.zone({"east", {"egress"}}, 1h);
  const model::ResourcePtr egress_proxy = harness_.find("ZoneEgress", {"", "out-1"});
  EXPECT_EQ(text_of(validator.check_zone_proxy(token, *egress_proxy)),
            "there is no signing key with KID 1. GlobalSecret of name \"zone-token-signing-public-key-1\" is not found. If "
            "signing key was rotated, regenerate the token");
  ASSERT_TRUE(
      secrets().create({"", "zone-token-signing-public-key-1"}, security::testing::rsa_key().public_pem()).ok());
  EXPECT_EQ(text_of(validator.check_zone_proxy(token, *egress_proxy)), "");
}

}  // namespace
}  // namespace kuma::manager
