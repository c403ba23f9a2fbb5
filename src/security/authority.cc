#include "security/authority.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"

namespace kuma::security {
namespace {

using Usage = CertificateSpec::KeyUsage;

// So that a peer whose clock is a little behind takes a new certificate.
constexpr std::chrono::seconds kClockSkew{10};
constexpr std::chrono::minutes kSystemCaClockSkew{5};
constexpr std::chrono::hours kLifetimeMax = 100 * kYear;
constexpr std::string_view kServiceTag = "kuma.io/service";
constexpr std::string_view kClientName = "kuma-cp";

CertificateSpec ca_spec(std::string common_name, WallTime not_before, WallTime not_after) {
  CertificateSpec spec;
  spec.common_name = std::move(common_name);
  spec.is_ca = true;
  spec.key_usage = Usage::kKeyCertSign | Usage::kCrlSign;
  spec.zero_serial = true;
  spec.not_before = not_before;
  spec.not_after = not_after;
  return spec;
}

bool is_segment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

bool is_trust_domain(std::string_view text) {
  return is_segment(text) && std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

absl::StatusOr<std::vector<AltName>> identity_names(const std::string& mesh, const IdentityTags& tags) {
  if (!is_trust_domain(mesh)) {
    return absl::InvalidArgumentError(fmt::format(
        "the mesh \"{}\" is not a valid SPIFFE trust domain: use lower-case letters, digits, dots, dashes, underscores", mesh));
  }
  std::vector<AltName> names;
  if (const auto services = tags.find(std::string(kServiceTag)); services != tags.end()) {
    for (const std::string& service : services->second) {
      if (!is_segment(service)) {
        return absl::InvalidArgumentError(fmt::format(
            "the service \"{}\" can't be part of a SPIFFE id: use letters, digits, dots, dashes, underscores", service));
      }
      names.push_back({AltName::Kind::Uri, fmt::format("spiffe://{}/{}", mesh, service)});
    }
  }
  for (const auto& [tag, values] : tags) {
    for (const std::string& value : values) {
      names.push_back({AltName::Kind::Uri, fmt::format("kuma://{}/{}", tag, value)});
    }
  }
  return names;
}

absl::StatusOr<KeyPair> issue_pair(const Authority& authority, const CertificateSpec& spec) {
  KUMA_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::generate_ec());
  KUMA_ASSIGN_OR_RETURN(std::string certificate, authority.issue(spec, key));
  return KeyPair{std::move(certificate), key.to_pem()};
}

CertificateSpec admin_spec(WallTime now) {
  CertificateSpec spec;
  spec.key_usage = Usage::kKeyEncipherment | Usage::kDigitalSignature;
  spec.not_before = now - kSystemCaClockSkew;
  spec.not_after = now + kCaLifetime;
  return spec;
}

std::chrono::nanoseconds unit_of(std::string_view text) {
  using namespace std::chrono_literals;
  static constexpr std::pair<std::string_view, std::chrono::nanoseconds> kUnits[] = {
      {"y", kYear}, {"w", 7 * 24h}, {"d", 24h}, {"h", 1h}, {"m", 1min}, {"s", 1s}, {"ms", 1ms}};
  for (const auto& [name, unit] : kUnits) {
    if (name == text) {
      return unit;
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<AuthorityPtr> Authority::load(std::string_view certificate_pem, std::string_view key_pem) {
  std::vector<absl::StatusOr<Certificate>> chain = Certificate::parse_each(certificate_pem);
  if (chain.empty()) {
    return absl::InvalidArgumentError("failed to find any PEM data in certificate input");
  }
  KUMA_ASSIGN_OR_RETURN(Certificate first, std::move(chain.front()));
  KUMA_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::parse_pem(key_pem));
  if (!first.matches(key)) {
    return absl::InvalidArgumentError("private key does not match public key");
  }
  return AuthorityPtr(new Authority(std::move(first), std::move(key)));
}

absl::StatusOr<std::string> Authority::issue(const CertificateSpec& spec, const PrivateKey& subject) const {
  return build_certificate(spec, subject, &certificate_, &key_);
}

absl::StatusOr<std::string> build_mesh_ca(const std::string& mesh, const PrivateKey& key,
                                          std::chrono::nanoseconds lifetime, WallTime now) {
  CertificateSpec spec = ca_spec(mesh, now - kClockSkew, now + lifetime);
  spec.names = {{AltName::Kind::Uri, fmt::format("spiffe://{}", mesh)}};
  return build_certificate(spec, key);
}

absl::StatusOr<std::string> build_system_ca(std::string_view common_name, const PrivateKey& key, WallTime now) {
  return build_certificate(ca_spec(std::string(common_name), now - kSystemCaClockSkew, now + kCaLifetime), key);
}

absl::StatusOr<Identity> issue_identity(const Authority& authority, const std::string& mesh, const IdentityTags& tags,
                                        std::chrono::nanoseconds lifetime, WallTime now) {
  CertificateSpec spec;
  KUMA_ASSIGN_OR_RETURN(spec.names, identity_names(mesh, tags));
  spec.key_usage = Usage::kKeyEncipherment | Usage::kKeyAgreement | Usage::kDigitalSignature;
  spec.server_auth = true;
  spec.client_auth = true;
  spec.not_before = now - kClockSkew;
  spec.not_after = now + lifetime;
  Identity identity;
  KUMA_ASSIGN_OR_RETURN(identity.pair, issue_pair(authority, spec));
  identity.issued_at = now;
  identity.not_after = std::chrono::floor<std::chrono::seconds>(spec.not_after);
  return identity;
}

absl::StatusOr<KeyPair> issue_admin_server(const Authority& authority, const std::vector<std::string>& addresses,
                                           WallTime now) {
  CertificateSpec spec = admin_spec(now);
  spec.server_auth = true;
  for (const std::string& address : addresses) {
    AltName name = host_name(address);
    if (std::find(spec.names.begin(), spec.names.end(), name) == spec.names.end()) {
      spec.names.push_back(std::move(name));
    }
  }
  return issue_pair(authority, spec);
}

absl::StatusOr<KeyPair> issue_admin_client(const Authority& authority, WallTime now) {
  CertificateSpec spec = admin_spec(now);
  spec.client_auth = true;
  spec.names = {{AltName::Kind::Dns, std::string(kClientName)}};
  return issue_pair(authority, spec);
}

absl::StatusOr<std::chrono::nanoseconds> parse_lifetime(std::string_view text) {
  if (text == "0") {
    return std::chrono::nanoseconds(0);
  }
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::chrono::nanoseconds unit = unit_of(text.substr(digits));
  if (digits == 0 || unit.count() == 0) {
    return absl::InvalidArgumentError("has to be a valid format");
  }
  int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + digits, count);
  if (read.ec != std::errc() || count > kLifetimeMax / unit) {
    return kLifetimeMax;
  }
  return count * unit;
}

void check_provided_ca(std::string_view certificate_pem, std::string_view key_pem, const FieldPath& conf,
                       Violations& violations) {
  const FieldPath path = conf.field("cert");
  if (auto authority = Authority::load(certificate_pem, key_pem); !authority.ok()) {
    violations.add(path, "not a valid TLS key pair: tls: {}", message_of(authority.status()));
    return;
  }
  const auto chain = Certificate::parse_each(certificate_pem);
  for (size_t i = 0; i < chain.size(); ++i) {
    if (!chain[i].ok()) {
      violations.add(path.index(i), "not a valid x509 certificate: {}", message_of(chain[i].status()));
      continue;
    }
    const Certificate& certificate = *chain[i];
    if (!certificate.is_ca()) {
      violations.add(path.index(i),
                     "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)");
    }
    if ((certificate.key_usage() & Usage::kKeyCertSign) == 0) {
      violations.add(path.index(i), "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)");
    }
    if ((certificate.key_usage() & Usage::kKeyAgreement) != 0) {
      violations.add(path.index(i),
                     "key usage extension 'keyAgreement' must NOT be set (see X509-SVID: Appendix A. X.509 Field "
                     "Reference)");
    }
  }
}

}  // namespace kuma::security
