#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace kuma::security {

// PEM of more than this is refused unread; a chain of ten RSA-4096 certificates has 20 KiB.
inline constexpr size_t kPemLenMax = 256 * 1024;

inline constexpr unsigned kRsaBits = 2048;
// What a mesh may ask for (conf.caCert.RSAbits). 8192 bits take some ten seconds to find.
inline constexpr unsigned kRsaBitsMin = 1024;
inline constexpr unsigned kRsaBitsMax = 8192;

// A private key. Immutable and cheap to copy; any thread may use it.
class PrivateKey {
 public:
  // Costs 0.05 to 0.5 s of CPU for 2048 bits: take one from a KeyPool where somebody waits.
  static absl::StatusOr<PrivateKey> generate_rsa(unsigned bits = kRsaBits);
  // ECDSA on P-256; costs some 20 µs.
  static absl::StatusOr<PrivateKey> generate_ec();
  // The first private key of a PEM text: PKCS#1, SEC1 or PKCS#8. Encrypted ones are refused.
  static absl::StatusOr<PrivateKey> parse_pem(std::string_view pem);
  // PKCS#1 in DER, as signing keys were kept long ago.
  static absl::StatusOr<PrivateKey> parse_pkcs1(std::string_view der);

  bool is_rsa() const;
  bool is_p256() const;
  unsigned bits() const;
  // `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC1).
  std::string to_pem() const;
  // `RSA PUBLIC KEY` (PKCS#1) of an RSA key, `PUBLIC KEY` of another.
  std::string public_pem() const;

  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

// An RSA public key, which tokens are verified with.
class PublicKey {
 public:
  // PEM `RSA PUBLIC KEY`, `PUBLIC KEY`, or the public half of a private key in PEM or PKCS#1 DER. Another PEM is
  // `invalid key encoding "<type>"`.
  static absl::StatusOr<PublicKey> parse(std::string_view text);

  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

// `RSA PUBLIC KEY` of the first PEM block, empty without one.
std::string_view pem_label(std::string_view text);

}  // namespace kuma::security
