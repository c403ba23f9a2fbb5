#include "security/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "security/testing.h"

namespace kuma::security {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(const absl::Status& status) { return std::string(message_of(status)); }

TEST(PrivateKey, Refuses_what_is_no_pem) {
  EXPECT_EQ(error_of(PrivateKey::parse_pem("hello").status()), "failed to find any PEM data in key input");
  EXPECT_EQ(error_of(PrivateKey::parse_pem("").status()), "failed to find any PEM data in key input");
}

TEST(PrivateKey, Refuses_a_pem_that_holds_no_key) {
  const std::string pem = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
  EXPECT_THAT(error_of(PrivateKey::parse_pem(pem).status()), StartsWith("failed to parse private key: "));
  EXPECT_FALSE(PrivateKey::parse_pem("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n").ok());
}

TEST(PrivateKey, Refuses_an_encrypted_key_without_asking_the_terminal) {
  const std::string pem =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
      "aGVsbG8gd29ybGQhIQ==\n-----END RSA PRIVATE KEY-----\n";
  EXPECT_FALSE(PrivateKey::parse_pem(pem).ok());
}

TEST(PrivateKey, Refuses_a_huge_text_unread) {
  const std::string pem = "-----BEGIN PRIVATE KEY-----\n" + std::string(kPemLenMax, 'a');
  EXPECT_THAT(error_of(PrivateKey::parse_pem(pem).status()), HasSubstr("at most"));
  EXPECT_FALSE(PrivateKey::parse_pkcs1(pem).ok());
}

TEST(PrivateKey, Refuses_sizes_that_are_unsafe_or_take_forever) {
  EXPECT_EQ(error_of(PrivateKey::generate_rsa(512).status()), "an RSA key must have 1024 to 8192 bits, got 512");
  EXPECT_FALSE(PrivateKey::generate_rsa(65536).ok());
}

TEST(PrivateKey, Writes_rsa_as_pkcs1_and_reads_it_back) {
  const std::string pem = testing::rsa_key().to_pem();
  EXPECT_EQ(pem_label(pem), "RSA PRIVATE KEY");
  const auto read = PrivateKey::parse_pem(pem);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->is_rsa());
  EXPECT_EQ(read->bits(), kRsaBitsMin);
  EXPECT_EQ(read->to_pem(), pem);
}

TEST(PrivateKey, Writes_ecdsa_as_sec1_and_reads_it_back) {
  const auto key = PrivateKey::generate_ec();
  ASSERT_TRUE(key.ok());
  EXPECT_FALSE(key->is_rsa());
  EXPECT_TRUE(key->is_p256());
  EXPECT_FALSE(testing::rsa_key().is_p256());
  EXPECT_EQ(key->bits(), 256U);
  EXPECT_EQ(pem_label(key->to_pem()), "EC PRIVATE KEY");
  EXPECT_EQ(PrivateKey::parse_pem(key->to_pem())->to_pem(), key->to_pem());
  EXPECT_EQ(pem_label(key->public_pem()), "PUBLIC KEY");
}

TEST(PublicKey, Refuses_other_encodings_by_name) {
  const std::string pem = "-----BEGIN OPENSSH PUBLIC KEY-----\naGVsbG8=\n-----END OPENSSH PUBLIC KEY-----\n";
  EXPECT_EQ(error_of(PublicKey::parse(pem).status()), "invalid key encoding \"OPENSSH PUBLIC KEY\"");
}

TEST(PublicKey, Refuses_an_ecdsa_key_and_garbage) {
  EXPECT_EQ(error_of(PublicKey::parse(PrivateKey::generate_ec()->public_pem()).status()), "the key is not an RSA key");
  EXPECT_FALSE(PublicKey::parse("garbage").ok());
  EXPECT_FALSE(PublicKey::parse("").ok());
  EXPECT_FALSE(PublicKey::parse("-----BEGIN RSA PUBLIC KEY-----\naGVsbG8=\n-----END RSA PUBLIC KEY-----\n").ok());
}

TEST(PublicKey, Takes_every_form_of_an_rsa_key) {
  const PrivateKey& key = testing::rsa_key();
  EXPECT_EQ(pem_label(key.public_pem()), "RSA PUBLIC KEY");
  EXPECT_TRUE(PublicKey::parse(key.public_pem()).ok());
  EXPECT_TRUE(PublicKey::parse(key.to_pem()).ok());

  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, key.native());
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  EXPECT_TRUE(PublicKey::parse(std::string(data, size)).ok());
  BIO_free(bio);

  unsigned char* der = nullptr;
  const int der_size = i2d_PrivateKey(key.native(), &der);
  const std::string pkcs1(reinterpret_cast<char*>(der), static_cast<size_t>(der_size));
  EXPECT_TRUE(PublicKey::parse(pkcs1).ok());
  EXPECT_TRUE(PrivateKey::parse_pkcs1(pkcs1).ok());
  OPENSSL_free(der);
}

}  // namespace
}  // namespace kuma::security
