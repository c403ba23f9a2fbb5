#include "security/certificate.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "security/openssl.h"

namespace kuma::security {
namespace {

using openssl::Free;
using BitsPtr = std::unique_ptr<ASN1_BIT_STRING, Free<ASN1_BIT_STRING_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>>;
using ConstraintsPtr = std::unique_ptr<BASIC_CONSTRAINTS, Free<BASIC_CONSTRAINTS_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using NamePtr = std::unique_ptr<GENERAL_NAME, Free<GENERAL_NAME_free>>;
using KeyIdPtr = std::unique_ptr<AUTHORITY_KEYID, Free<AUTHORITY_KEYID_free>>;
using UsagesPtr = std::unique_ptr<EXTENDED_KEY_USAGE, Free<EXTENDED_KEY_USAGE_free>>;

constexpr size_t kSerialBytes = 16;
constexpr int kKeyUsageBits = 9;
constexpr size_t kCertificatesMax = 100;
constexpr bool kCritical = true;

bool add_extension(X509* certificate, int nid, void* value, bool critical) {
  return X509_add1_ext_i2d(certificate, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool set_serial(X509* certificate, bool zero) {
  if (zero) {
    return ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0) == 1;
  }
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return false;
  }
  bytes.back() |= 1;  // never 0
  const openssl::BignumPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

time_t to_time(WallTime time) {
  return static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
}

bool set_times(X509* certificate, const CertificateSpec& spec) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), to_time(spec.not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to_time(spec.not_after)) != nullptr;
}

bool add_entry(X509_NAME* name, const char* field, std::string_view value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, openssl::bytes_of(value),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool set_subject(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  return common_name.empty() ||
         (add_entry(name, "O", "Kuma") && add_entry(name, "OU", "Mesh") && add_entry(name, "CN", common_name));
}

// X509_set_pubkey() runs a general encoder, 0.2 ms that would be half of an identity's cost. A P-256 key's point is all
// there is to write.
bool set_p256_key(X509* certificate, EVP_PKEY* key) {
  size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &size) != 1) {
    return false;
  }
  auto* point = static_cast<unsigned char*>(OPENSSL_malloc(size));
  const bool set =
      point != nullptr && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, size, &size) == 1 &&
      X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(certificate), OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                             OBJ_nid2obj(NID_X9_62_prime256v1), point, static_cast<int>(size)) == 1;
  if (!set) {
    OPENSSL_free(point);
  }
  return set;
}

bool set_key(X509* certificate, const PrivateKey& key) {
  return key.is_p256() ? set_p256_key(certificate, key.native()) : X509_set_pubkey(certificate, key.native()) == 1;
}

bool add_key_usage(X509* certificate, unsigned usage) {
  if (usage == 0) {
    return true;
  }
  const BitsPtr bits(ASN1_BIT_STRING_new());
  for (int bit = 0; bit < kKeyUsageBits; ++bit) {
    if ((usage >> bit & 1U) != 0 && ASN1_BIT_STRING_set_bit(bits.get(), bit, 1) != 1) {
      return false;
    }
  }
  return add_extension(certificate, NID_key_usage, bits.get(), kCritical);
}

bool add_extended_usage(X509* certificate, const CertificateSpec& spec) {
  if (!spec.server_auth && !spec.client_auth) {
    return true;
  }
  const UsagesPtr usages(EXTENDED_KEY_USAGE_new());
  if (spec.server_auth) {
    sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(NID_server_auth));
  }
  if (spec.client_auth) {
    sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(NID_client_auth));
  }
  return add_extension(certificate, NID_ext_key_usage, usages.get(), !kCritical);
}

bool add_constraints(X509* certificate, bool is_ca) {
  const ConstraintsPtr constraints(BASIC_CONSTRAINTS_new());
  constraints->ca = is_ca ? 0xff : 0;
  return add_extension(certificate, NID_basic_constraints, constraints.get(), kCritical);
}

// What a DNS or URI name may be made of: IA5 without what could end or split it. Our callers check their domain's rules.
bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool set_name(GENERAL_NAME* name, const AltName& from) {
  if (from.kind == AltName::Kind::Ip) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(from.value.c_str());
    if (address == nullptr) {
      return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    return true;
  }
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  if (text == nullptr || !is_plain(from.value) ||
      ASN1_STRING_set(text, from.value.data(), static_cast<int>(from.value.size())) != 1) {
    ASN1_IA5STRING_free(text);
    return false;
  }
  GENERAL_NAME_set0_value(name, from.kind == AltName::Kind::Dns ? GEN_DNS : GEN_URI, text);
  return true;
}

absl::Status add_names(X509* certificate, const CertificateSpec& spec) {
  if (spec.names.empty()) {
    return absl::OkStatus();
  }
  const NamesPtr names(GENERAL_NAMES_new());
  for (const AltName& from : spec.names) {
    NamePtr name(GENERAL_NAME_new());
    if (!set_name(name.get(), from)) {
      return absl::InvalidArgumentError(fmt::format("\"{}\" can't be a name in a certificate", from.value));
    }
    sk_GENERAL_NAME_push(names.get(), name.release());
  }
  if (!add_extension(certificate, NID_subject_alt_name, names.get(), spec.common_name.empty())) {
    return openssl::internal_error("the names could not be put into the certificate");
  }
  return absl::OkStatus();
}

bool add_subject_key_id(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const OctetsPtr id(ASN1_OCTET_STRING_new());
  return X509_pubkey_digest(certificate, EVP_sha1(), digest.data(), &size) == 1 &&
         ASN1_OCTET_STRING_set(id.get(), digest.data(), static_cast<int>(size)) == 1 &&
         add_extension(certificate, NID_subject_key_identifier, id.get(), !kCritical);
}

bool add_authority_key_id(X509* certificate, X509* issuer) {
  const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(issuer);
  if (id == nullptr) {
    return true;
  }
  const KeyIdPtr key_id(AUTHORITY_KEYID_new());
  key_id->keyid = ASN1_OCTET_STRING_dup(id);
  return add_extension(certificate, NID_authority_key_identifier, key_id.get(), !kCritical);
}

// Ed25519 has its digest built in.
const EVP_MD* digest_for(const EVP_PKEY* key) {
  const int id = EVP_PKEY_get_base_id(key);
  return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? nullptr : EVP_sha256();
}

std::string pem_of(X509* certificate) {
  const openssl::BioPtr bio = openssl::writer();
  PEM_write_bio_X509(bio.get(), certificate);
  return openssl::text_of(*bio);
}

WallTime to_wall_time(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return {};
  }
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::string ip_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) == nullptr ? "" : text;
}

std::string string_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

}  // namespace

AltName host_name(std::string host) {
  const bool is_ip = is_ip_address(host);
  return {is_ip ? AltName::Kind::Ip : AltName::Kind::Dns, std::move(host)};
}

absl::StatusOr<std::string> build_certificate(const CertificateSpec& spec, const PrivateKey& subject,
                                              const Certificate* issuer, const PrivateKey* issuer_key) {
  const openssl::X509Ptr owner(X509_new());
  X509* certificate = owner.get();
  const bool self_signed = issuer == nullptr;
  X509* from = self_signed ? certificate : issuer->native();
  EVP_PKEY* signer = issuer_key == nullptr ? subject.native() : issuer_key->native();

  const bool filled = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate, spec.zero_serial) &&
                      set_times(certificate, spec) && set_subject(certificate, spec.common_name) &&
                      X509_set_issuer_name(certificate, X509_get_subject_name(from)) == 1 &&
                      set_key(certificate, subject) &&
                      add_key_usage(certificate, spec.key_usage) && add_extended_usage(certificate, spec) &&
                      add_constraints(certificate, spec.is_ca) && (!spec.is_ca || add_subject_key_id(certificate)) &&
                      (self_signed || add_authority_key_id(certificate, from));
  if (!filled) {
    return openssl::internal_error("the certificate could not be filled in");
  }
  KUMA_RETURN_IF_ERROR(add_names(certificate, spec));
  if (X509_sign(certificate, signer, digest_for(signer)) <= 0) {
    return openssl::internal_error("the certificate could not be signed");
  }
  return pem_of(certificate);
}

std::vector<absl::StatusOr<Certificate>> Certificate::parse_each(std::string_view pem) {
  std::vector<absl::StatusOr<Certificate>> certificates;
  const openssl::BioPtr bio = openssl::reader(pem.substr(0, kPemLenMax));
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  while (certificates.size() < kCertificatesMax && PEM_read_bio(bio.get(), &label, &header, &der, &size) == 1) {
    if (std::string_view(label) == PEM_STRING_X509) {
      const unsigned char* at = der;
      if (X509* parsed = d2i_X509(nullptr, &at, size); parsed != nullptr) {
        certificates.emplace_back(Certificate(std::shared_ptr<X509>(parsed, X509_free)));
      } else {
        certificates.emplace_back(absl::InvalidArgumentError(openssl::take_error()));
      }
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<std::vector<Certificate>> Certificate::parse_pem(std::string_view pem) {
  if (pem.size() > kPemLenMax) {
    return absl::InvalidArgumentError(fmt::format("certificates must be at most {} bytes long", kPemLenMax));
  }
  std::vector<Certificate> certificates;
  for (absl::StatusOr<Certificate>& certificate : parse_each(pem)) {
    if (!certificate.ok()) {
      return annotate(certificate.status(), "failed to parse certificate {}", certificates.size());
    }
    certificates.push_back(*std::move(certificate));
  }
  if (certificates.empty()) {
    return absl::InvalidArgumentError("failed to find any PEM data in certificate input");
  }
  return certificates;
}

bool Certificate::is_ca() const {
  const ConstraintsPtr constraints(static_cast<BASIC_CONSTRAINTS*>(
      X509_get_ext_d2i(certificate_.get(), NID_basic_constraints, nullptr, nullptr)));
  return constraints != nullptr && constraints->ca != 0;
}

bool Certificate::denies_ca() const {
  const ConstraintsPtr constraints(static_cast<BASIC_CONSTRAINTS*>(
      X509_get_ext_d2i(certificate_.get(), NID_basic_constraints, nullptr, nullptr)));
  return constraints != nullptr && constraints->ca == 0;
}

unsigned Certificate::key_usage() const {
  const BitsPtr bits(
      static_cast<ASN1_BIT_STRING*>(X509_get_ext_d2i(certificate_.get(), NID_key_usage, nullptr, nullptr)));
  unsigned usage = 0;
  for (int bit = 0; bits != nullptr && bit < kKeyUsageBits; ++bit) {
    usage |= ASN1_BIT_STRING_get_bit(bits.get(), bit) == 1 ? 1U << bit : 0U;
  }
  return usage;
}

bool Certificate::matches(const PrivateKey& key) const {
  const bool same = X509_check_private_key(certificate_.get(), key.native()) == 1;
  ERR_clear_error();
  return same;
}

WallTime Certificate::not_before() const { return to_wall_time(X509_get0_notBefore(certificate_.get())); }

WallTime Certificate::not_after() const { return to_wall_time(X509_get0_notAfter(certificate_.get())); }

std::vector<AltName> Certificate::names() const {
  const NamesPtr found(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<AltName> names;
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_DNS) {
      names.push_back({AltName::Kind::Dns, string_of(name->d.dNSName)});
    } else if (name->type == GEN_URI) {
      names.push_back({AltName::Kind::Uri, string_of(name->d.uniformResourceIdentifier)});
    } else if (name->type == GEN_IPADD) {
      names.push_back({AltName::Kind::Ip, ip_text(name->d.iPAddress)});
    }
  }
  return names;
}

std::string Certificate::to_pem() const { return pem_of(certificate_.get()); }

}  // namespace kuma::security
