#include "security/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "base/status.h"
#include "base/text.h"
#include "security/testing.h"

namespace kuma::security {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::string_view kMissing = "there is no signing key with KID 9. Secret of name \"k-9\" is not found";

std::string error_of(const absl::Status& status) { return std::string(message_of(status)); }

std::string hs256(std::string_view header, std::string_view payload, std::string_view secret) {
  const std::string text = base64url_encode(header) + "." + base64url_encode(payload);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return text + "." + base64url_encode({reinterpret_cast<char*>(digest), size});
}

class TokenVerifierTest : public ::testing::Test {
 protected:
  TokenVerifierTest() {
    keys_.sources.push_back([this](const std::string& id) -> absl::StatusOr<std::string> {
      const auto found = stored_.find(id);
      if (found == stored_.end()) {
        return absl::NotFoundError(fmt::format("there is no signing key with KID {}. Secret of name \"k-{}\" is not found", id, id));
      }
      return found->second;
    });
    keys_.is_revoked = [this](std::string_view id) { return is_revoked(revoked_, id); };
  }

  TokenLife life(std::chrono::nanoseconds valid_for = 1h) const { return {clock_.wall_now(), valid_for, "id-1"}; }
  std::string token(std::chrono::nanoseconds valid_for = 1h, std::string_view key_id = "1") const {
    return *sign_rs256(encode_claims(DataplaneClaims{.name = "web-1", .mesh = "default"}, life(valid_for)),
                       key_id, testing::rsa_key());
  }
  std::string error(std::string_view text) { return error_of(verifier_.verify(text, keys_).status()); }

  ManualClock clock_;
  TokenVerifier verifier_{clock_, false, 2};
  TokenKeys keys_;
  std::map<std::string, std::string> stored_{{"1", testing::rsa_key().to_pem()}};
  std::string revoked_;
};

TEST_F(TokenVerifierTest, Refuses_nonsense_and_huge_texts) {
  EXPECT_EQ(error("nonsense"), "could not parse token: token contains an invalid number of segments");
  EXPECT_THAT(error(std::string(1 << 20, '.')), HasSubstr("could not parse token: the token is 1048576 bytes long"));
}

TEST_F(TokenVerifierTest, Says_why_a_restart_matters_with_a_store_in_memory) {
  TokenVerifier verifier(clock_, true);
  EXPECT_EQ(error_of(verifier.verify("nonsense", keys_).status()),
            "could not parse token. kuma-cp runs with an in-memory database and its state isn't preserved between restarts. "
            "Keep in mind that an in-memory database cannot be used with multiple instances of the control plane: token "
            "contains an invalid number of segments");
}

TEST_F(TokenVerifierTest, Refuses_an_expired_token) {
  const std::string text = token(1min);
  clock_.advance(61s + 300ms);
  EXPECT_EQ(error(text), "could not parse token: token is expired by 1.3s");
}

TEST_F(TokenVerifierTest, Refuses_a_token_that_expires_while_it_is_remembered) {
  const std::string text = token(1min);
  EXPECT_EQ(error(text), "");
  clock_.advance(2min);
  EXPECT_EQ(error(text), "could not parse token: token is expired by 1m0s");
}

TEST_F(TokenVerifierTest, Refuses_a_forged_token) {
  const std::string text = *sign_rs256(encode_claims(UserClaims{"a", {}}, life()), "1", testing::other_rsa_key());
  EXPECT_EQ(error(text), "could not parse token: crypto/rsa: verification error");
  EXPECT_EQ(error(text), "could not parse token: crypto/rsa: verification error");  // not remembered as good
}

TEST_F(TokenVerifierTest, Refuses_a_changed_payload_under_a_good_signature) {
  const std::string text = token();
  EXPECT_EQ(error(text), "");
  const size_t first = text.find('.');
  const size_t second = text.rfind('.');
  const std::string forged = text.substr(0, first + 1) + base64url_encode(R"({"Name":"admin"})") + text.substr(second);
  EXPECT_EQ(error(forged), "could not parse token: crypto/rsa: verification error");
}

TEST_F(TokenVerifierTest, Refuses_the_algorithm_none_and_unknown_ones) {
  const std::string payload = base64url_encode(R"({"Name":"web-1"})");
  EXPECT_EQ(error(base64url_encode(R"({"alg":"none","kid":"1"})") + "." + payload + "."),
            "could not parse token: unsupported token alg none. Allowed algorithms are RS256 and HS256");
  EXPECT_EQ(error(base64url_encode(R"({"alg":"ES256","kid":"1"})") + "." + payload + ".eA"),
            "could not parse token: unsupported token alg ES256. Allowed algorithms are RS256 and HS256");
}

TEST_F(TokenVerifierTest, Refuses_a_token_signed_with_the_public_key_as_a_secret) {
  // The classic confusion: whoever knows the public key must not be able to sign.
  stored_["0"] = testing::rsa_key().public_pem();
  keys_.legacy_secret = [this]() -> absl::StatusOr<std::string> { return stored_["0"]; };
  const std::string text = hs256(R"({"alg":"HS256","kid":"1"})", R"({"Name":"web-1"})", testing::rsa_key().public_pem());
  EXPECT_EQ(error(text), "could not parse token: signature is invalid");
  keys_.legacy_secret = nullptr;
  EXPECT_EQ(error(text), "could not parse token: legacy key are not supported");
}

TEST_F(TokenVerifierTest, Takes_a_token_of_an_old_version_with_its_secret) {
  keys_.legacy_secret = []() -> absl::StatusOr<std::string> { return std::string("\x30\x82 raw bytes"); };
  EXPECT_EQ(error(hs256(R"({"alg":"HS256","kid":"0"})", R"({"Name":"web-1"})", "\x30\x82 raw bytes")), "");
  EXPECT_EQ(error(hs256(R"({"alg":"HS256","kid":"0"})", R"({"Name":"web-1"})", "guess")),
            "could not parse token: signature is invalid");
}

TEST_F(TokenVerifierTest, Refuses_a_token_without_a_key_id_unless_it_is_optional) {
  const std::string text = hs256(R"({"alg":"RS256"})", "{}", "x");
  EXPECT_EQ(error(text), "could not parse token: JWT token must have kid header");
  keys_.key_id_optional = true;
  EXPECT_THAT(error(text), HasSubstr("there is no signing key with KID 0."));
}

TEST_F(TokenVerifierTest, Names_the_key_that_is_missing) { EXPECT_EQ(error(token(1h, "9")), kMissing); }

TEST_F(TokenVerifierTest, Refuses_at_once_when_the_key_is_removed_or_replaced) {
  const std::string text = token();
  EXPECT_EQ(error(text), "");
  stored_["1"] = testing::other_rsa_key().to_pem();
  EXPECT_EQ(error(text), "could not parse token: crypto/rsa: verification error");
  stored_.clear();
  EXPECT_THAT(error(text), HasSubstr("there is no signing key with KID 1."));
}

TEST_F(TokenVerifierTest, Refuses_a_revoked_token_even_when_it_is_remembered) {
  const std::string text = token();
  EXPECT_EQ(error(text), "");
  revoked_ = "other,id-1\n";
  EXPECT_EQ(error(text), "token is revoked");
  revoked_ = "other";
  EXPECT_EQ(error(text), "");
}

TEST_F(TokenVerifierTest, Refuses_a_key_that_can_not_be_read) {
  stored_["1"] = "-----BEGIN PUBLIC KEY-----\naGVsbG8=\n-----END PUBLIC KEY-----\n";
  EXPECT_THAT(error(token()), HasSubstr("could not parse token: could not read the key"));
}

TEST_F(TokenVerifierTest, Asks_its_sources_in_turn) {
  keys_.sources.insert(keys_.sources.begin(), [](const std::string& id) -> absl::StatusOr<std::string> {
    if (id == "s") {
      return testing::rsa_key().public_pem();
    }
    return absl::NotFoundError("not here");
  });
  EXPECT_EQ(error(token(1h, "s")), "");
  EXPECT_EQ(error(token(1h, "1")), "");
  EXPECT_EQ(error(token(1h, "9")), kMissing);  // the last one's words
}

TEST_F(TokenVerifierTest, Checks_each_signature_once) {
  const std::string text = token();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(error(text), "");
  }
  EXPECT_EQ(verifier_.signatures_checked(), 1U);
}

TEST_F(TokenVerifierTest, Remembers_a_bounded_number_and_keeps_those_in_use) {
  const std::string kept = token(1h);
  EXPECT_EQ(error(kept), "");
  for (int i = 1; i <= 10; ++i) {
    EXPECT_EQ(error(token(std::chrono::hours(1 + i))), "");
    EXPECT_EQ(error(kept), "");
  }
  EXPECT_EQ(verifier_.signatures_checked(), 11U);
}

TEST_F(TokenVerifierTest, Shows_claims_of_what_is_not_verified_only_as_a_peek) {
  const auto claims = verifier_.peek(token(1h, "9"));
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(find_claim(**claims, "Name")->get_string(), "web-1");
  EXPECT_EQ(error_of(verifier_.peek("x").status()),
            "could not parse token: token contains an invalid number of segments");
}

TEST(Claims, Are_written_in_the_order_of_the_reference) {
  const TokenLife life{WallTime(1'700'000'000s), 1h, "u"};
  EXPECT_EQ(to_json(encode_claims(DataplaneClaims{.mesh = "default", .tags = {{"b", {"2"}}, {"a", {"x", "1"}}}},
                                  life)),
            R"({"Name":"","Mesh":"default","Tags":{"a":["x","1"],"b":["2"]},"Type":"","exp":1700003600,"nbf":1699999700,)"
            R"("iat":1700000000,"jti":"u"})");
  EXPECT_EQ(to_json(encode_claims(ZoneClaims{"east", {}}, life)),
            R"({"Zone":"east","Scope":[],"exp":1700003600,"nbf":1699999700,"iat":1700000000,"jti":"u"})");
  EXPECT_EQ(to_json(encode_zone_ingress_claims("east", life)),
            R"({"Zone":"east","exp":1700003600,"nbf":1699999700,"iat":1700000000,"jti":"u"})");
  EXPECT_EQ(to_json(encode_claims(UserClaims{"john", {}}, life)),
            R"({"Name":"john","Groups":null,"exp":1700003600,"nbf":1699999700,"iat":1700000000,"jti":"u"})");
}

TEST(Claims, Live_for_centuries_without_overflow) {
  const auto claims = encode_claims(UserClaims{"john", {}}, {WallTime(1'700'000'000s), std::chrono::hours(24 * 365 * 290), "u"});
  EXPECT_EQ(claims.at("exp"), 1'700'000'000 + int64_t{3600} * 24 * 365 * 290);
}

TEST(Claims, Of_a_wrong_kind_are_refused) {
  const auto dataplane = [](std::string_view text) {
    return error_of(decode_dataplane_claims(parse_json(text)->get_object()).status());
  };
  EXPECT_EQ(dataplane(R"({"Name":1})"), "the claim Name is not a string");
  EXPECT_EQ(dataplane(R"({"Tags":[]})"), "the claim Tags is not an object of lists of strings");
  EXPECT_EQ(dataplane(R"({"Tags":{"a":"b"}})"), "the claim Tags is not a list of strings");
  EXPECT_EQ(dataplane(R"({"Tags":{"a":[1]}})"), "the claim Tags is not a list of strings");
  EXPECT_EQ(error_of(decode_zone_claims(parse_json(R"({"Scope":"ingress"})")->get_object()).status()),
            "the claim Scope is not a list of strings");
  EXPECT_EQ(error_of(decode_user_claims(parse_json(R"({"Groups":{}})")->get_object()).status()),
            "the claim Groups is not a list of strings");
}

TEST(Claims, Are_read_in_any_case_and_when_absent) {
  const auto claims = decode_dataplane_claims(parse_json(R"({"name":"a","TAGS":{"t":["v"]},"Mesh":null})")->get_object());
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(claims->name, "a");
  EXPECT_EQ(claims->mesh, "");
  EXPECT_EQ(claims->tags.at("t"), std::vector<std::string>{"v"});
}

TEST(DataplaneToken, Is_refused_for_another_name_mesh_or_tags) {
  const TagValues tags{{"kuma.io/service", {"web", "web-admin"}}};
  const auto error = [&](const DataplaneClaims& claims) {
    return error_of(check_dataplane_claims(claims, "default", "web-1", tags));
  };
  EXPECT_EQ(error({.name = "web-2", .mesh = ""}),
            "proxy name from requestor: web-1 is different than in token: web-2");
  EXPECT_EQ(error({.mesh = "other"}),
            "proxy mesh from requestor: default is different than in token: other");
  EXPECT_EQ(error({.tags = {{"version", {"1"}}}}),
            "dataplane has no tag \"version\" required by the token");
  EXPECT_EQ(error({.tags = {{"kuma.io/service", {"web", "shop", "web"}}}}),
            "dataplane contains tag \"kuma.io/service\" with value \"web-admin\" which is not allowed with this token. "
            "Allowed values in token are [\"shop\" \"web\"]");
}

TEST(DataplaneToken, Fits_what_it_names_and_everything_when_it_names_nothing) {
  const TagValues tags{{"kuma.io/service", {"web"}}, {"version", {"1"}}};
  EXPECT_TRUE(check_dataplane_claims({}, "default", "web-1", tags).ok());
  EXPECT_TRUE(check_dataplane_claims({.name = "web-1", .mesh = "default", .tags = {{"kuma.io/service", {"web", "x"}}}, .type = "ingress"},
                                     "default", "web-1", tags)
                  .ok());
}

TEST(ZoneToken, Is_refused_for_another_scope_or_zone) {
  EXPECT_EQ(error_of(check_zone_claims({"", {"ingress"}}, "egress", "")),
            "token cannot be used to authenticate zone entity (egress is out of token's scope: [ingress])");
  EXPECT_EQ(error_of(check_zone_claims({"", {"cp", "ingress"}}, "egress", "")),
            "token cannot be used to authenticate zone entity (egress is out of token's scope: [cp ingress])");
  EXPECT_EQ(error_of(check_zone_claims({"east", {"ingress"}}, "ingress", "")),
            "zone from requestor:  is different than in token: east");
  EXPECT_TRUE(check_zone_claims({"east", {"ingress", "egress"}}, "egress", "east").ok());
  EXPECT_TRUE(check_zone_claims({"", {"egress"}}, "egress", "east").ok());
}

TEST(Revocations, Are_whole_ids_between_commas) {
  EXPECT_FALSE(is_revoked("", "a"));
  EXPECT_FALSE(is_revoked("ab,b", "a"));
  EXPECT_FALSE(is_revoked("a ,b", "a"));
  EXPECT_TRUE(is_revoked("a", "a"));
  EXPECT_TRUE(is_revoked("b,a\n", "a"));
  EXPECT_FALSE(is_revoked("b,a\n\n", "a"));
  EXPECT_TRUE(is_revoked("a,b", "b"));
}

}  // namespace
}  // namespace kuma::security
