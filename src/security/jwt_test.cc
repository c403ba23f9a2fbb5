#include "security/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "base/text.h"
#include "security/testing.h"

namespace kuma::security {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr WallTime kNow = WallTime(1'700'000'000s);

std::string error_of(const absl::Status& status) { return std::string(message_of(status)); }
std::string parse_error(std::string_view token) { return error_of(parse_jwt(token).status()); }

std::string token_of(std::string_view header, std::string_view payload, std::string_view signature = "x") {
  return base64url_encode(header) + "." + base64url_encode(payload) + "." + base64url_encode(signature);
}

json::object claims() {
  json::object out;
  out["Name"] = "web-1";
  out["exp"] = 1'700'000'060;
  return out;
}

TEST(Jwt, Refuses_a_wrong_number_of_segments) {
  for (const char* token : {"", "nonsense", "a.b", "a.b.c.d", "...", "a.b.c."}) {
    EXPECT_EQ(parse_error(token), "token contains an invalid number of segments") << token;
  }
}

TEST(Jwt, Refuses_segments_that_are_not_base64_or_json) {
  EXPECT_EQ(parse_error(".."), "the token's header is not a JSON object");
  EXPECT_EQ(parse_error("{}.e30.x"), "the token's header is not base64");
  EXPECT_EQ(parse_error("e30=.e30.x"), "the token's header is not base64");
  EXPECT_EQ(parse_error(token_of("[]", "{}")), "the token's header is not a JSON object");
  EXPECT_EQ(parse_error(token_of("{}", "{")), "the token's claims is not a JSON object");
  EXPECT_EQ(parse_error(base64url_encode(R"({"alg":"RS256"})") + ".e30.+/"), "the token's signature is not base64");
}

TEST(Jwt, Refuses_a_header_without_an_algorithm) {
  EXPECT_EQ(parse_error(token_of("{}", "{}")), "signing method (alg) is unspecified.");
  EXPECT_EQ(parse_error(token_of(R"({"alg":256})", "{}")), "signing method (alg) is unspecified.");
}

TEST(Jwt, Refuses_a_huge_token_unread) {
  EXPECT_THAT(parse_error(std::string(kTokenLenMax + 1, 'a')), HasSubstr("more than the 16384 allowed"));
}

TEST(Jwt, Refuses_deeply_nested_claims) {
  const std::string deep = "{\"a\":" + std::string(2000, '[') + std::string(2000, ']') + "}";
  EXPECT_EQ(parse_error(token_of(R"({"alg":"RS256"})", deep)), "the token's claims is not a JSON object");
}

TEST(Jwt, Is_refused_with_another_key_or_another_content) {
  const std::string token = *sign_rs256(claims(), "1", testing::rsa_key());
  const PublicKey key = *PublicKey::parse(testing::rsa_key().public_pem());
  const PublicKey other = *PublicKey::parse(testing::other_rsa_key().public_pem());
  EXPECT_EQ(error_of(verify_rs256(*parse_jwt(token), other)), "crypto/rsa: verification error");

  Jwt changed = *parse_jwt(token);
  changed.signed_part[changed.signed_part.size() - 1] ^= 1;
  EXPECT_EQ(error_of(verify_rs256(changed, key)), "crypto/rsa: verification error");
  Jwt unsigned_token = *parse_jwt(token);
  unsigned_token.signature.clear();
  EXPECT_EQ(error_of(verify_rs256(unsigned_token, key)), "crypto/rsa: verification error");
}

TEST(Jwt, Is_signed_and_verified) {
  const auto token = sign_rs256(claims(), "7", testing::rsa_key());
  ASSERT_TRUE(token.ok()) << token.status();
  const auto jwt = parse_jwt(*token);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->algorithm, "RS256");
  EXPECT_EQ(jwt->key_id, "7");
  EXPECT_EQ(jwt->claims, claims());
  EXPECT_EQ(base64_decode(token->substr(0, token->find('.'))), R"({"alg":"RS256","kid":"7","typ":"JWT"})");
  EXPECT_TRUE(verify_rs256(*jwt, *PublicKey::parse(testing::rsa_key().to_pem())).ok());
}

TEST(Jwt, Is_never_signed_with_an_ecdsa_key) {
  EXPECT_EQ(error_of(sign_rs256(claims(), "1", *PrivateKey::generate_ec()).status()),
            "tokens are signed with RSA keys only");
}

TEST(Jwt, With_a_shared_secret_is_verified_for_old_tokens) {
  // From RFC 7515, appendix A.1.
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
      "bS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string secret = *base64_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  EXPECT_TRUE(verify_hs256(*parse_jwt(token), secret).ok());
  EXPECT_EQ(error_of(verify_hs256(*parse_jwt(token), "other")), "signature is invalid");
  EXPECT_EQ(error_of(verify_hs256(*parse_jwt(token), "")), "signature is invalid");
}

TEST(JwtTimes, Refuse_what_is_expired_not_yet_valid_or_from_the_future) {
  const auto error = [](std::string_view text) { return error_of(check_times(parse_json(text)->get_object(), kNow)); };
  EXPECT_EQ(error_of(check_times(parse_json(R"({"exp":1699999999})")->get_object(), kNow + 300ms)),
            "token is expired by 1.3s");
  EXPECT_EQ(error(R"({"exp":1699999998.7})"), "token is expired by 2s");
  EXPECT_EQ(error(R"({"exp":1700000000})"), "token is expired by 0s");
  EXPECT_EQ(error(R"({"nbf":1700000001})"), "token is not valid yet");
  EXPECT_EQ(error(R"({"iat":1700000001})"), "token used before issued");
  EXPECT_EQ(error(R"({"exp":"tomorrow"})"), "the claim exp is not a number");
  EXPECT_EQ(error(R"({"exp":-1e300})").substr(0, 19), "token is expired by");
}

TEST(JwtTimes, Let_pass_what_says_nothing_or_fits) {
  const auto ok = [](std::string_view text) { return check_times(parse_json(text)->get_object(), kNow).ok(); };
  EXPECT_TRUE(ok("{}"));
  EXPECT_TRUE(ok(R"({"exp":null})"));
  EXPECT_TRUE(ok(R"({"exp":1700000001,"nbf":1700000000,"iat":1700000000})"));
  EXPECT_TRUE(ok(R"({"exp":1e300})"));
}

TEST(JwtClaims, Are_found_in_any_case) {
  const json::object object = parse_json(R"({"name":"a","NAME":"b"})")->get_object();
  EXPECT_EQ(find_claim(object, "Name")->get_string(), "b");
  EXPECT_EQ(find_claim(object, "Mesh"), nullptr);
}

}  // namespace
}  // namespace kuma::security
