#include "security/key.h"

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "security/openssl.h"

namespace kuma::security {
namespace {

using openssl::KeyPtr;

// Without a callback OpenSSL would ask for the passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

std::shared_ptr<EVP_PKEY> share(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

bool is_rsa_key(const EVP_PKEY* key) { return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA; }

EVP_PKEY* read_pkcs1(std::string_view der) {
  const unsigned char* at = openssl::bytes_of(der);
  return d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(der.size()));
}

EVP_PKEY* read_rsa_public(std::string_view pem) {
  const openssl::BioPtr bio = openssl::reader(pem);
  unsigned char* der = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&der, &size, nullptr, PEM_STRING_RSA_PUBLIC, bio.get(), no_passphrase, nullptr) != 1) {
    return nullptr;
  }
  const unsigned char* at = der;
  EVP_PKEY* key = d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size);
  OPENSSL_free(der);
  return key;
}

EVP_PKEY* read_public(std::string_view text, std::string_view label) {
  if (label == "RSA PUBLIC KEY") {
    return read_rsa_public(text);
  }
  if (label == "PUBLIC KEY") {
    return PEM_read_bio_PUBKEY(openssl::reader(text).get(), nullptr, no_passphrase, nullptr);
  }
  if (label.ends_with("PRIVATE KEY")) {
    return PEM_read_bio_PrivateKey(openssl::reader(text).get(), nullptr, no_passphrase, nullptr);
  }
  return read_pkcs1(text);
}

}  // namespace

absl::StatusOr<PrivateKey> PrivateKey::generate_rsa(unsigned bits) {
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    return absl::InvalidArgumentError(
        fmt::format("an RSA key must have {} to {} bits, got {}", kRsaBitsMin, kRsaBitsMax, bits));
  }
  EVP_PKEY* key = EVP_RSA_gen(bits);
  if (key == nullptr) {
    return openssl::internal_error("an RSA key could not be made");
  }
  return PrivateKey(share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::generate_ec() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  if (key == nullptr) {
    return openssl::internal_error("an ECDSA key could not be made");
  }
  return PrivateKey(share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::parse_pem(std::string_view pem) {
  if (pem.size() > kPemLenMax) {
    return absl::InvalidArgumentError(fmt::format("a key must be at most {} bytes long", kPemLenMax));
  }
  if (pem.find("-----BEGIN ") == std::string_view::npos) {
    return absl::InvalidArgumentError("failed to find any PEM data in key input");
  }
  EVP_PKEY* key = PEM_read_bio_PrivateKey(openssl::reader(pem).get(), nullptr, no_passphrase, nullptr);
  if (key == nullptr) {
    return absl::InvalidArgumentError(fmt::format("failed to parse private key: {}", openssl::take_error()));
  }
  ERR_clear_error();
  return PrivateKey(share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::parse_pkcs1(std::string_view der) {
  EVP_PKEY* key = der.size() > kPemLenMax ? nullptr : read_pkcs1(der);
  if (key == nullptr) {
    return absl::InvalidArgumentError(fmt::format("failed to parse private key: {}", openssl::take_error()));
  }
  return PrivateKey(share(key));
}

bool PrivateKey::is_rsa() const { return is_rsa_key(key_.get()); }

bool PrivateKey::is_p256() const {
  char group[32] = {};
  return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key_.get(), group, sizeof(group), nullptr) == 1 &&
         std::string_view(group) == SN_X9_62_prime256v1;
}

unsigned PrivateKey::bits() const { return static_cast<unsigned>(EVP_PKEY_get_bits(key_.get())); }

std::string PrivateKey::to_pem() const {
  const openssl::BioPtr bio = openssl::writer();
  PEM_write_bio_PrivateKey_traditional(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return openssl::text_of(*bio);
}

std::string PrivateKey::public_pem() const {
  const openssl::BioPtr bio = openssl::writer();
  if (!is_rsa()) {
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    return openssl::text_of(*bio);
  }
  unsigned char* der = nullptr;
  const int size = i2d_PublicKey(key_.get(), &der);
  if (size > 0) {
    PEM_write_bio(bio.get(), PEM_STRING_RSA_PUBLIC, "", der, size);
  }
  OPENSSL_free(der);
  return openssl::text_of(*bio);
}

absl::StatusOr<PublicKey> PublicKey::parse(std::string_view text) {
  if (text.size() > kPemLenMax) {
    return absl::InvalidArgumentError(fmt::format("a key must be at most {} bytes long", kPemLenMax));
  }
  const std::string_view label = pem_label(text);
  if (!label.empty() && label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" && !label.ends_with("PRIVATE KEY")) {
    return absl::InvalidArgumentError(fmt::format("invalid key encoding \"{}\"", label));
  }
  KeyPtr key(read_public(text, label));
  if (key == nullptr) {
    return absl::InvalidArgumentError(fmt::format("could not read the key: {}", openssl::take_error()));
  }
  ERR_clear_error();
  if (!is_rsa_key(key.get())) {
    return absl::InvalidArgumentError("the key is not an RSA key");
  }
  return PublicKey(share(key.release()));
}

std::string_view pem_label(std::string_view text) {
  static constexpr std::string_view kBegin = "-----BEGIN ";
  const size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(begin + kBegin.size());
  const size_t end = rest.find("-----");
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

}  // namespace kuma::security
