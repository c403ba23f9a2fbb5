#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "security/key.h"

struct x509_st;  // OpenSSL's X509

namespace kuma::security {

// A name that a certificate is valid for.
struct AltName {
  enum class Kind { Dns, Ip, Uri };
  Kind kind = Kind::Dns;
  std::string value;
  bool operator==(const AltName&) const = default;
};

// An IP literal becomes an IP name, anything else a DNS name.
AltName host_name(std::string host);

// What a certificate is to say.
struct CertificateSpec {
  enum KeyUsage : unsigned {  // the bits' numbers of X.509
    kDigitalSignature = 1 << 0,
    kKeyEncipherment = 1 << 2,
    kKeyAgreement = 1 << 4,
    kKeyCertSign = 1 << 5,
    kCrlSign = 1 << 6,
  };

  std::string common_name{};  // with `O=Kuma, OU=Mesh`; empty: an empty subject, and so critical alternative names
  std::vector<AltName> names{};
  bool is_ca = false;
  unsigned key_usage = 0;  // of KeyUsage
  bool server_auth = false;
  bool client_auth = false;
  bool zero_serial = false;  // else random, 128 bits
  WallTime not_before{};
  WallTime not_after{};
};

// A certificate, and its private key to go with it.
struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;
};

// A parsed certificate. Immutable and cheap to copy.
class Certificate {
 public:
  // Every certificate of a PEM text, in order. Text between blocks and blocks of other kinds are skipped; a text without
  // a certificate, or with one that can't be read, is InvalidArgument.
  static absl::StatusOr<std::vector<Certificate>> parse_pem(std::string_view pem);
  // The same, with the error of each that can't be read in its place; empty for a text without a certificate.
  static std::vector<absl::StatusOr<Certificate>> parse_each(std::string_view pem);

  bool is_ca() const;
  bool denies_ca() const;      // its basic constraints are there and say that it is none
  unsigned key_usage() const;  // of CertificateSpec::KeyUsage; 0 when it does not say
  bool matches(const PrivateKey& key) const;
  WallTime not_before() const;
  WallTime not_after() const;
  std::vector<AltName> names() const;
  std::string to_pem() const;

  x509_st* native() const { return certificate_.get(); }

 private:
  explicit Certificate(std::shared_ptr<x509_st> certificate) : certificate_(std::move(certificate)) {}

  std::shared_ptr<x509_st> certificate_;
};

// Makes a certificate for `subject`'s public half, signed by `issuer_key` in the name of `issuer`; without an issuer it is
// self-signed by `subject`. RSA and ECDSA issuers sign with SHA-256. PEM.
absl::StatusOr<std::string> build_certificate(const CertificateSpec& spec, const PrivateKey& subject,
                                              const Certificate* issuer = nullptr,
                                              const PrivateKey* issuer_key = nullptr);

}  // namespace kuma::security
