#include "ctl/generate_local.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/errno_text.h"
#include "base/status.h"
#include "base/text.h"
#include "security/certificate.h"
#include "security/jwt.h"
#include "security/key.h"

namespace kuma::ctl {
namespace {

constexpr std::chrono::hours kCertificateLifetime{10 * 365 * 24};

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) {
    return absl::NotFoundError(fmt::format("open {}: {}", path, errno_text(errno)));
  }
  return text;
}

// `-` is standard output.
absl::Status write_file(const Environment& environment, const std::string& path, const std::string& text, mode_t mode) {
  if (path == "-") {
    environment.out << text;
    return absl::OkStatus();
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (descriptor < 0) {
    return absl::UnavailableError(fmt::format("could not write {}: {}", path, errno_text(errno)));
  }
  const bool written = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const std::string cause = written ? "" : errno_text(errno);
  ::close(descriptor);
  return written ? absl::OkStatus() : absl::UnavailableError(fmt::format("could not write {}: {}", path, cause));
}

absl::StatusOr<security::PrivateKey> read_signing_key(const std::string& path) {
  KUMA_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  auto key = security::PrivateKey::parse_pem(text);
  if (!key.ok()) {
    return absl::InvalidArgumentError("provided file is not a PEM-encoded signing key");
  }
  return key;
}

struct CertificateFlags {
  std::string type, key_type = "rsa", key_file = "key.pem", cert_file = "cert.pem";
  std::vector<std::string> hostnames;
};

absl::Status tls_certificate(const Invocation& invocation, const CertificateFlags& flags) {
  if (flags.type != "server" && flags.type != "client") {
    return absl::InvalidArgumentError(fmt::format("invalid certificate type \"{}\"", flags.type));
  }
  if (flags.key_type != "rsa" && flags.key_type != "ecdsa") {
    return absl::InvalidArgumentError(fmt::format("invalid key type \"{}\"", flags.key_type));
  }
  KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, flags.key_type == "rsa" ? security::PrivateKey::generate_rsa() : security::PrivateKey::generate_ec());
  security::CertificateSpec spec;
  for (const std::string& argument : flags.hostnames) {
    size_t at = 0;
    while (at <= argument.size()) {
      const size_t comma = std::min(argument.find(',', at), argument.size());
      spec.names.push_back(security::host_name(argument.substr(at, comma - at)));
      at = comma + 1;
    }
  }
  spec.common_name = spec.names.front().value;
  spec.is_ca = true;  // self-signed, and so its own authority
  spec.key_usage = security::CertificateSpec::kDigitalSignature | security::CertificateSpec::kKeyEncipherment | security::CertificateSpec::kKeyCertSign;
  spec.server_auth = flags.type == "server";
  spec.client_auth = flags.type == "client";
  spec.not_before = invocation.environment.clock.wall_now() - std::chrono::minutes(5);
  spec.not_after = invocation.environment.clock.wall_now() + kCertificateLifetime;
  KUMA_ASSIGN_OR_RETURN(const std::string certificate, security::build_certificate(spec, key));
  KUMA_RETURN_IF_ERROR(write_file(invocation.environment, flags.key_file, key.to_pem(), 0400));
  KUMA_RETURN_IF_ERROR(write_file(invocation.environment, flags.cert_file, certificate, 0600));
  if (flags.key_file != "-") {
    invocation.environment.out << fmt::format("Private key saved in {}\n", flags.key_file);
  }
  if (flags.cert_file != "-") {
    invocation.environment.out << fmt::format("Certificate saved in {}\n", flags.cert_file);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> sign_locally(const std::string& key_file, const std::string& kid, const json::object& claims,
                                         std::chrono::nanoseconds valid_for, const Clock& clock) {
  KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, read_signing_key(key_file));
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now().time_since_epoch()).count();
  json::object all = claims;
  all["exp"] = now + std::chrono::duration_cast<std::chrono::seconds>(valid_for).count();
  all["nbf"] = now - 300;  // clocks of control planes may be behind
  all["iat"] = now;
  all["jti"] = random_uuid();
  return security::sign_rs256(all, kid, key);
}

void add_generate_local(CommandTree& tree, CLI::App& group) {
  Invocation& invocation = tree.invocation();

  auto flags = std::make_shared<CertificateFlags>();
  Command& certificate = tree.leaf(group, "tls-certificate", "A self-signed certificate with its key, in files");
  certificate.app->add_option("--type", flags->type, "server or client (required)");
  certificate.app->add_option("--hostname,--cp-hostname", flags->hostnames, "names and addresses that it is for (required)")->allow_extra_args(false);
  certificate.app->add_option("--key-type", flags->key_type, "rsa or ecdsa");
  certificate.app->add_option("--key-file", flags->key_file, "where the key goes, - for standard output");
  certificate.app->add_option("--cert-file", flags->cert_file, "where the certificate goes, - for standard output");
  certificate.required = {"type", "hostname"};
  certificate.action = [&invocation, flags] { return tls_certificate(invocation, *flags); };

  auto format = std::make_shared<std::string>("pem-base64");
  Command& signing_key = tree.leaf(group, "signing-key", "An RSA key that signs tokens");
  signing_key.app->add_option("--format", *format, "pem-base64, as the data of a secret, or pem");
  signing_key.action = [&invocation, format]() -> absl::Status {
    if (*format != "pem" && *format != "pem-base64") {
      return absl::InvalidArgumentError("invalid format");
    }
    KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, security::PrivateKey::generate_rsa());
    invocation.environment.out << (*format == "pem" ? key.to_pem() : base64_encode(key.to_pem()));
    return absl::OkStatus();
  };

  auto path = std::make_shared<std::string>();
  Command& public_key = tree.leaf(group, "public-key", "The public half of a signing key");
  public_key.app->add_option("--signing-key-path", *path, "file with the signing key in PEM (required)");
  public_key.required = {"signing-key-path"};
  public_key.action = [&invocation, path]() -> absl::Status {
    KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, read_signing_key(*path));
    invocation.environment.out << key.public_pem();
    return absl::OkStatus();
  };
}

}  // namespace kuma::ctl
