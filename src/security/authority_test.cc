#include "security/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "security/testing.h"

namespace kuma::security {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Usage = CertificateSpec::KeyUsage;

const WallTime kNow = WallTime(1'700'000'000s) + 250ms;

std::string error_of(const absl::Status& status) { return std::string(message_of(status)); }

std::string mesh_ca(const PrivateKey& key = testing::rsa_key()) { return *build_mesh_ca("shop", key, kCaLifetime, kNow); }

AuthorityPtr authority() { return *Authority::load(mesh_ca(), testing::rsa_key().to_pem()); }

IdentityTags tags() {
  return {{"kuma.io/service", {"web-admin", "web"}}, {"version", {"v2", "v1"}}, {"kuma.io/protocol", {"http"}}};
}

std::vector<Violation> check(std::string_view certificate, std::string_view key) {
  Violations violations;
  check_provided_ca(certificate, key, FieldPath("conf"), violations);
  return violations.list();
}

std::string self_signed(CertificateSpec spec, const PrivateKey& key) {
  spec.common_name = "own";
  spec.not_before = kNow;
  spec.not_after = kNow + 1h;
  return *build_certificate(spec, key);
}

TEST(Authority, Refuses_what_does_not_belong_together) {
  EXPECT_EQ(error_of(Authority::load("nothing", testing::rsa_key().to_pem()).status()),
            "failed to find any PEM data in certificate input");
  EXPECT_EQ(error_of(Authority::load(mesh_ca(), "nothing").status()), "failed to find any PEM data in key input");
  EXPECT_EQ(error_of(Authority::load(mesh_ca(), testing::other_rsa_key().to_pem()).status()),
            "private key does not match public key");
  EXPECT_FALSE(Authority::load("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
                               testing::rsa_key().to_pem())
                   .ok());
}

TEST(Authority, Is_loaded_from_one_text_with_both) {
  EXPECT_TRUE(Authority::load(mesh_ca() + testing::rsa_key().to_pem(), mesh_ca() + testing::rsa_key().to_pem()).ok());
}

TEST(MeshCa, Is_as_the_reference_makes_it) {
  const Certificate ca = testing::parse_one(mesh_ca());
  const std::string text = testing::print(ca);
  EXPECT_THAT(text, HasSubstr("Serial Number: 0 "));
  EXPECT_THAT(text, HasSubstr("Subject: CN=shop,OU=Mesh,O=Kuma"));
  EXPECT_THAT(text, HasSubstr("Issuer: CN=shop,OU=Mesh,O=Kuma"));
  EXPECT_THAT(text, HasSubstr("sha256WithRSAEncryption"));
  EXPECT_THAT(text, HasSubstr("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n"));
  EXPECT_THAT(text, HasSubstr("X509v3 Basic Constraints: critical\n                CA:TRUE"));
  EXPECT_THAT(ca.names(), ElementsAre(AltName{AltName::Kind::Uri, "spiffe://shop"}));
  EXPECT_EQ(ca.not_before(), WallTime(1'699'999'990s));
  EXPECT_EQ(ca.not_after(), WallTime(1'700'000'000s) + 10 * 365 * 24h);
  EXPECT_EQ(testing::verify(mesh_ca(), mesh_ca(), kNow, X509_PURPOSE_ANY), "");
  EXPECT_TRUE(check(mesh_ca(), testing::rsa_key().to_pem()).empty());
}

TEST(Identity, Refuses_names_that_are_no_part_of_a_spiffe_id) {
  const auto issue = [](const std::string& mesh, const std::string& service) {
    return error_of(issue_identity(*authority(), mesh, {{"kuma.io/service", {service}}}, 24h, kNow).status());
  };
  EXPECT_THAT(issue("shop", "a:b"), StartsWith("the service \"a:b\" can't be part of a SPIFFE id"));
  EXPECT_THAT(issue("shop", "a/b"), StartsWith("the service \"a/b\""));
  EXPECT_THAT(issue("shop", ".."), StartsWith("the service \"..\""));
  EXPECT_THAT(issue("shop", ""), StartsWith("the service \"\""));
  EXPECT_THAT(issue("Shop", "web"), StartsWith("the mesh \"Shop\" is not a valid SPIFFE trust domain"));
  EXPECT_THAT(issue("", "web"), StartsWith("the mesh \"\""));
}

TEST(Identity, Refuses_tags_that_can_not_stand_in_a_certificate) {
  EXPECT_EQ(error_of(issue_identity(*authority(), "shop", {{"a", {"b c"}}}, 24h, kNow).status()),
            "\"kuma://a/b c\" can't be a name in a certificate");
  EXPECT_FALSE(issue_identity(*authority(), "shop", {{"a", {"b\xc3\xa4"}}}, 24h, kNow).ok());
}

TEST(Identity, Names_services_first_then_every_tag_sorted) {
  const auto identity = issue_identity(*authority(), "shop", tags(), 24h, kNow);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT(testing::texts(testing::parse_one(identity->pair.certificate_pem).names()),
              ElementsAre("spiffe://shop/web", "spiffe://shop/web-admin", "kuma://kuma.io/protocol/http",
                          "kuma://kuma.io/service/web", "kuma://kuma.io/service/web-admin", "kuma://version/v1",
                          "kuma://version/v2"));
}

TEST(Identity, Is_an_ecdsa_certificate_for_servers_and_clients) {
  const auto identity = issue_identity(*authority(), "shop", tags(), 2h, kNow);
  ASSERT_TRUE(identity.ok());
  const Certificate leaf = testing::parse_one(identity->pair.certificate_pem);
  const std::string text = testing::print(leaf);
  EXPECT_THAT(text, HasSubstr("NIST CURVE: P-256"));
  EXPECT_THAT(text, HasSubstr("Signature Algorithm: sha256WithRSAEncryption"));
  EXPECT_THAT(text, HasSubstr("Subject: \n"));
  EXPECT_THAT(text, HasSubstr("X509v3 Subject Alternative Name: critical"));
  EXPECT_THAT(text, HasSubstr("Digital Signature, Key Encipherment, Key Agreement"));
  EXPECT_THAT(text, HasSubstr("TLS Web Server Authentication, TLS Web Client Authentication"));
  EXPECT_THAT(text, HasSubstr("X509v3 Basic Constraints: critical\n                CA:FALSE"));
  EXPECT_THAT(text, Not(HasSubstr("Serial Number: 0 ")));
  EXPECT_TRUE(leaf.matches(*PrivateKey::parse_pem(identity->pair.key_pem)));
  EXPECT_EQ(leaf.not_before(), WallTime(1'699'999'990s));
  EXPECT_EQ(leaf.not_after(), WallTime(1'700'007'200s));
  EXPECT_EQ(identity->not_after, leaf.not_after());
  EXPECT_EQ(testing::verify(mesh_ca(), identity->pair.certificate_pem, kNow, X509_PURPOSE_SSL_SERVER), "");
  EXPECT_EQ(testing::verify(mesh_ca(), identity->pair.certificate_pem, kNow, X509_PURPOSE_SSL_CLIENT), "");
  EXPECT_EQ(testing::verify(mesh_ca(), identity->pair.certificate_pem, kNow + 3h, X509_PURPOSE_SSL_CLIENT),
            "certificate has expired");
}

TEST(Identity, Is_not_good_for_another_authority) {
  const auto identity = issue_identity(*authority(), "shop", tags(), 2h, kNow);
  EXPECT_NE(testing::verify(mesh_ca(testing::other_rsa_key()), identity->pair.certificate_pem, kNow,
                            X509_PURPOSE_SSL_CLIENT),
            "");
}

TEST(Identity, Is_new_each_time) {
  const AuthorityPtr ca = authority();
  const auto one = issue_identity(*ca, "shop", tags(), 2h, kNow);
  const auto two = issue_identity(*ca, "shop", tags(), 2h, kNow);
  EXPECT_NE(one->pair.key_pem, two->pair.key_pem);
  EXPECT_NE(one->pair.certificate_pem, two->pair.certificate_pem);
}

TEST(Identity, Is_renewed_after_four_fifths_of_its_life) {
  const auto identity = issue_identity(*authority(), "shop", tags(), 100s, WallTime(1'700'000'000s));
  EXPECT_EQ(identity->renew_at(), WallTime(1'700'000'080s));
}

TEST(Identity, Of_an_ecdsa_authority_verifies_too) {
  const PrivateKey key = *PrivateKey::generate_ec();
  const std::string ca_pem = mesh_ca(key);
  const auto identity = issue_identity(**Authority::load(ca_pem, key.to_pem()), "shop", tags(), 2h, kNow);
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(testing::verify(ca_pem, identity->pair.certificate_pem, kNow, X509_PURPOSE_SSL_SERVER), "");
}

// The short way into a certificate that P-256 keys have must end where the general one does.
TEST(Identity, Holds_its_key_as_openssl_would_write_it) {
  const auto identity = issue_identity(*authority(), "shop", tags(), 2h, kNow);
  const Certificate leaf = testing::parse_one(identity->pair.certificate_pem);
  X509* twin = X509_new();
  X509_set_pubkey(twin, PrivateKey::parse_pem(identity->pair.key_pem)->native());
  EXPECT_EQ(X509_PUBKEY_eq(X509_get_X509_PUBKEY(leaf.native()), X509_get_X509_PUBKEY(twin)), 1);
  unsigned char* ours = nullptr;
  unsigned char* theirs = nullptr;
  const int our_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf.native()), &ours);
  const int their_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(twin), &theirs);
  EXPECT_EQ(std::string(ours, ours + our_size), std::string(theirs, theirs + their_size));
  OPENSSL_free(ours);
  OPENSSL_free(theirs);
  X509_free(twin);
}

TEST(AdminCa, Signs_servers_for_their_addresses_and_our_client) {
  const std::string ca_pem = *build_system_ca(kEnvoyAdminCaName, testing::rsa_key(), kNow);
  EXPECT_THAT(testing::print(testing::parse_one(ca_pem)), HasSubstr("Subject: CN=Envoy Admin CA,OU=Mesh,O=Kuma"));
  EXPECT_EQ(testing::parse_one(ca_pem).not_before(), WallTime(1'699'999'700s));
  const AuthorityPtr ca = *Authority::load(ca_pem, testing::rsa_key().to_pem());

  const auto server = issue_admin_server(*ca, {"10.0.0.1", "fd00::1", "proxy.example.com", "10.0.0.1"}, kNow);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(testing::parse_one(server->certificate_pem).names(),
              ElementsAre(AltName{AltName::Kind::Ip, "10.0.0.1"}, AltName{AltName::Kind::Ip, "fd00::1"},
                          AltName{AltName::Kind::Dns, "proxy.example.com"}));
  EXPECT_EQ(testing::verify(ca_pem, server->certificate_pem, kNow + 9 * kYear, X509_PURPOSE_SSL_SERVER), "");
  EXPECT_NE(testing::verify(ca_pem, server->certificate_pem, kNow, X509_PURPOSE_SSL_CLIENT), "");

  const auto client = issue_admin_client(*ca, kNow);
  ASSERT_TRUE(client.ok());
  EXPECT_THAT(testing::texts(testing::parse_one(client->certificate_pem).names()), ElementsAre("kuma-cp"));
  EXPECT_EQ(testing::verify(ca_pem, client->certificate_pem, kNow, X509_PURPOSE_SSL_CLIENT), "");
  EXPECT_NE(testing::verify(ca_pem, client->certificate_pem, kNow, X509_PURPOSE_SSL_SERVER), "");
}

TEST(ProvidedCa, Is_refused_when_it_is_no_key_pair) {
  EXPECT_THAT(check("hello", "world"),
              ElementsAre(Violation{"conf.cert",
                                    "not a valid TLS key pair: tls: failed to find any PEM data in certificate input"}));
  EXPECT_THAT(check(mesh_ca(), testing::other_rsa_key().to_pem()),
              ElementsAre(Violation{"conf.cert", "not a valid TLS key pair: tls: private key does not match public key"}));
}

TEST(ProvidedCa, Is_refused_when_it_is_no_authority) {
  const std::string leaf = self_signed({.key_usage = Usage::kDigitalSignature}, testing::rsa_key());
  EXPECT_THAT(
      check(leaf, testing::rsa_key().to_pem()),
      ElementsAre(
          Violation{"conf.cert[0]",
                    "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)"},
          Violation{"conf.cert[0]", "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)"}));
}

TEST(ProvidedCa, Is_refused_when_it_may_agree_on_keys) {
  const std::string ca =
      self_signed({.is_ca = true, .key_usage = Usage::kKeyCertSign | Usage::kKeyAgreement}, testing::rsa_key());
  EXPECT_THAT(check(ca, testing::rsa_key().to_pem()),
              ElementsAre(Violation{"conf.cert[0]",
                                    "key usage extension 'keyAgreement' must NOT be set (see X509-SVID: Appendix A. X.509 "
                                    "Field Reference)"}));
}

TEST(ProvidedCa, Has_every_certificate_of_its_chain_checked) {
  const std::string leaf = self_signed({.is_ca = true}, testing::other_rsa_key());
  const std::string garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
  const auto violations = check(mesh_ca() + leaf + garbage, testing::rsa_key().to_pem());
  ASSERT_EQ(violations.size(), 2U);
  EXPECT_EQ(violations[0].field, "conf.cert[1]");
  EXPECT_EQ(violations[0].message, "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)");
  EXPECT_EQ(violations[1].field, "conf.cert[2]");
  EXPECT_THAT(violations[1].message, StartsWith("not a valid x509 certificate: "));
}

TEST(Certificate, Refuses_a_huge_text_and_one_without_certificates) {
  EXPECT_THAT(error_of(Certificate::parse_pem(std::string(kPemLenMax + 1, 'a')).status()), HasSubstr("at most"));
  EXPECT_EQ(error_of(Certificate::parse_pem(testing::rsa_key().to_pem()).status()),
            "failed to find any PEM data in certificate input");
  EXPECT_THAT(error_of(Certificate::parse_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").status()),
              StartsWith("failed to parse certificate 0: "));
}

TEST(Certificate, Is_written_as_it_was_read) {
  EXPECT_EQ(testing::parse_one(mesh_ca()).to_pem(), mesh_ca());
  EXPECT_EQ(host_name("::1"), (AltName{AltName::Kind::Ip, "::1"}));
  EXPECT_EQ(host_name("localhost"), (AltName{AltName::Kind::Dns, "localhost"}));
}

TEST(Lifetime, Is_refused_in_any_other_form) {
  for (const char* text : {"", "1", "d", "1 d", "-1d", "1.5h", "1day", "1D", "0d0", "1d1h", " 1d", "1µs"}) {
    EXPECT_EQ(error_of(parse_lifetime(text).status()), "has to be a valid format") << text;
  }
}

TEST(Lifetime, Is_a_number_and_a_unit) {
  EXPECT_EQ(*parse_lifetime("0"), 0ns);
  EXPECT_EQ(*parse_lifetime("0d"), 0ns);
  EXPECT_EQ(*parse_lifetime("250ms"), 250ms);
  EXPECT_EQ(*parse_lifetime("90s"), 90s);
  EXPECT_EQ(*parse_lifetime("2m"), 2min);
  EXPECT_EQ(*parse_lifetime("10h"), 10h);
  EXPECT_EQ(*parse_lifetime("1d"), 24h);
  EXPECT_EQ(*parse_lifetime("1w"), 168h);
  EXPECT_EQ(*parse_lifetime("10y"), 10 * 365 * 24h);
}

TEST(Lifetime, Ends_at_a_hundred_years) {
  EXPECT_EQ(*parse_lifetime("101y"), 100 * kYear);
  EXPECT_EQ(*parse_lifetime("99999999999999999999999999ms"), 100 * kYear);
}

}  // namespace
}  // namespace kuma::security
