#include "manager/mesh_authorities.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "mesh/trust.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "model/proto_json.h"
#include "plugins/ca/builtin_ca_config.pb.h"
#include "plugins/ca/provided_ca_config.pb.h"
#include "security/authority.h"

namespace kuma::manager {
namespace {

namespace v1alpha1 = kuma::mesh::v1alpha1;
using plugins::ca::BuiltinCertificateAuthorityConfig;
using plugins::ca::ProvidedCertificateAuthorityConfig;
using system::v1alpha1::DataSource;
using Backend = v1alpha1::CertificateAuthorityBackend;

constexpr size_t kSecretNameLenMax = 255;
constexpr std::string_view kBuiltin = "builtin";
constexpr std::string_view kProvided = "provided";

template <typename Config>
absl::StatusOr<Config> read_conf(const Backend& backend) {
  Config config;
  KUMA_RETURN_IF_ERROR(model::from_json_value(model::to_json_object(backend.conf()), config));
  return config;
}

// A lower-case DNS name: labels of letters, digits and inner dashes, separated by dots.
bool is_dns_name(std::string_view text) {
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const std::vector<std::string> labels = absl::StrSplit(to_absl(text), '.');
  return std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
    return !label.empty() && is_alphanumeric(label.front()) && is_alphanumeric(label.back()) &&
           std::all_of(label.begin(), label.end(), [&](char c) { return is_alphanumeric(c) || c == '-'; });
  });
}

void check_builtin(const std::string& mesh, const Backend& backend, const FieldPath& conf, Violations& violations) {
  const FieldPath name = conf.field("mtls").field("backends").field("name");
  const std::string secret = mesh::builtin_certificate_secret(mesh, backend.name());
  if (secret.size() > kSecretNameLenMax) {
    violations.add(name, "Backend name is too long. Max length: {}", kSecretNameLenMax);
  }
  if (!is_dns_name(secret)) {
    violations.add(name, "\"{}\" name must be valid dns name", backend.name());
  }
  const auto config = read_conf<BuiltinCertificateAuthorityConfig>(backend);
  if (!config.ok()) {
    violations.add(conf, "could not convert backend config: {}", message_of(config.status()));
    return;
  }
  const auto& certificate = config->cacert();
  const uint32_t bits = certificate.has_rsabits() ? certificate.rsabits().value() : security::kRsaBits;
  if (bits < security::kRsaBitsMin || bits > security::kRsaBitsMax) {
    violations.add(conf.field("caCert").field("RSAbits"), "must be in the range [{}, {}]", security::kRsaBitsMin,
                   security::kRsaBitsMax);
  }
  if (!certificate.expiration().empty() && !security::parse_lifetime(certificate.expiration()).ok()) {
    violations.add(conf.field("caCert").field("expiration"), "has to be a valid format");
  }
}

void check_source(bool is_set, const DataSource& source, const FieldPath& path, Violations& violations) {
  static constexpr std::string_view kEmpty = "cannot be empty";
  if (!is_set) {
    violations.add(path, "has to be defined");
    return;
  }
  switch (source.type_case()) {
    case DataSource::TYPE_NOT_SET:
      violations.add(path, "data source has to be chosen. Available sources: secret, file, inline");
      break;
    case DataSource::kSecret:
      if (source.secret().empty()) {
        violations.add(path.field("secret"), kEmpty);
      }
      break;
    case DataSource::kFile:
      if (source.file().empty()) {
        violations.add(path.field("file"), kEmpty);
      }
      break;
    case DataSource::kInline:
      if (source.inline_().value().empty()) {
        violations.add(path.field("inline"), kEmpty);
      }
      break;
    case DataSource::kInlineString:
      if (source.inlinestring().empty()) {
        violations.add(path.field("inlineString"), kEmpty);
      }
      break;
  }
}

// Only regular files: a pipe would make its reader wait forever.
absl::StatusOr<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::NotFoundError(fmt::format("the file {} does not exist or is no regular file", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(security::kPemLenMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad() || (text.empty() && !file.eof())) {
    return absl::NotFoundError(fmt::format("the file {} can't be read", path));
  }
  return text;
}

absl::StatusOr<std::string> load_source(const std::string& mesh, const DataSource& source, const Secrets& secrets) {
  switch (source.type_case()) {
    case DataSource::kSecret:
      return secrets.get({mesh, source.secret()});
    case DataSource::kFile:
      return read_file(source.file());
    case DataSource::kInline:
      return source.inline_().value();
    case DataSource::kInlineString:
      return source.inlinestring();
    case DataSource::TYPE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("no data source is chosen");
}

void check_provided(const std::string& mesh, const Backend& backend, const Secrets& secrets, const FieldPath& conf,
                    Violations& violations) {
  const auto config = read_conf<ProvidedCertificateAuthorityConfig>(backend);
  if (!config.ok()) {
    violations.add(conf, "could not convert backend config: {}", message_of(config.status()));
    return;
  }
  Violations missing;
  check_source(config->has_cert(), config->cert(), conf.field("cert"), missing);
  check_source(config->has_key(), config->key(), conf.field("key"), missing);
  violations.append(missing);
  if (!missing.empty()) {
    return;
  }
  const auto key = load_source(mesh, config->key(), secrets);
  const auto certificate = key.ok() ? load_source(mesh, config->cert(), secrets) : key;
  if (!certificate.ok()) {
    violations.add(conf.field("cert"), "could not load data: {}", message_of(certificate.status()));
    violations.add(conf.field("key"), "could not load data: {}", message_of(certificate.status()));
    return;
  }
  security::check_provided_ca(*certificate, *key, conf, violations);
}

struct BuiltinSettings {
  unsigned bits = security::kRsaBits;
  std::chrono::nanoseconds lifetime = security::kCaLifetime;
};

absl::StatusOr<BuiltinSettings> builtin_settings(const Backend& backend) {
  KUMA_ASSIGN_OR_RETURN(const auto config, read_conf<BuiltinCertificateAuthorityConfig>(backend));
  BuiltinSettings settings;
  if (config.cacert().has_rsabits()) {
    settings.bits = config.cacert().rsabits().value();
  }
  if (!config.cacert().expiration().empty()) {
    KUMA_ASSIGN_OR_RETURN(settings.lifetime, security::parse_lifetime(config.cacert().expiration()));
  }
  return settings;
}

absl::StatusOr<security::PrivateKey> load_key(const model::ResourceKey& name, const Secrets& secrets) {
  KUMA_ASSIGN_OR_RETURN(const std::string stored, secrets.get(name));
  auto key = security::PrivateKey::parse_pem(stored);
  if (!key.ok()) {
    return absl::FailedPreconditionError(
        fmt::format("the secret \"{}\" is not a private key; delete it to have a new one made", name.name));
  }
  return key;
}

// The stored key, or a new one in the store.
absl::StatusOr<security::PrivateKey> ensure_key(const model::ResourceKey& name, unsigned bits, Secrets& secrets,
                                                security::KeyPool& keys) {
  if (secrets.exists(name)) {
    return load_key(name, secrets);
  }
  auto key = bits == security::kRsaBits ? keys.take() : security::PrivateKey::generate_rsa(bits);
  KUMA_RETURN_IF_ERROR(key.status());
  const absl::Status created = secrets.create(name, key->to_pem());
  if (absl::IsAlreadyExists(created)) {  // somebody was quicker
    return load_key(name, secrets);
  }
  KUMA_RETURN_IF_ERROR(created);
  return key;
}

absl::Status ensure_builtin(const std::string& mesh, const Backend& backend, Secrets& secrets, security::KeyPool& keys,
                            const Clock& clock) {
  const model::ResourceKey certificate_name{mesh, mesh::builtin_certificate_secret(mesh, backend.name())};
  const model::ResourceKey key_name{mesh, mesh::builtin_key_secret(mesh, backend.name())};
  const bool has_certificate = secrets.exists(certificate_name);
  const bool has_key = secrets.exists(key_name);
  if (has_certificate && has_key) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(const BuiltinSettings settings, builtin_settings(backend));
  KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, ensure_key(key_name, settings.bits, secrets, keys));
  KUMA_ASSIGN_OR_RETURN(std::string certificate,
                        security::build_mesh_ca(mesh, key, settings.lifetime, clock.wall_now()));
  return has_certificate ? secrets.replace(certificate_name, std::move(certificate))
                         : ignore_existing(secrets.create(certificate_name, std::move(certificate)));
}

bool uses_secret(const Backend& backend, std::string_view secret) {
  const auto config = read_conf<ProvidedCertificateAuthorityConfig>(backend);
  return config.ok() && (config->cert().secret() == secret || config->key().secret() == secret);
}

}  // namespace

void check_authorities(const model::Resource& mesh, const Secrets& secrets, Violations& violations) {
  const auto& mtls = mesh.as<v1alpha1::Mesh>().mtls();
  for (int i = 0; i < mtls.backends_size(); ++i) {
    const Backend& backend = mtls.backends(i);
    const FieldPath path = FieldPath("mtls").field("backends").index(static_cast<size_t>(i));
    if (backend.type() != kBuiltin && backend.type() != kProvided) {
      violations.add(path.field("type"), "could not find installed plugin for this type");
    } else if (mtls.skipvalidation()) {
      continue;
    } else if (backend.type() == kBuiltin) {
      check_builtin(mesh.meta.name, backend, path.field("conf"), violations);
    } else {
      check_provided(mesh.meta.name, backend, secrets, path.field("conf"), violations);
    }
  }
}

absl::Status ensure_authorities(const model::Resource& mesh, Secrets& secrets, security::KeyPool& keys,
                                const Clock& clock) {
  for (const Backend& backend : mesh.as<v1alpha1::Mesh>().mtls().backends()) {
    if (backend.type() == kBuiltin) {
      KUMA_RETURN_IF_ERROR(annotate(ensure_builtin(mesh.meta.name, backend, secrets, keys, clock),
                                    "certificate authority \"{}\" of mesh {}", backend.name(), mesh.meta.name));
    }
  }
  return absl::OkStatus();
}

std::string backend_using_secret(const model::Resource& mesh, std::string_view secret) {
  for (const Backend& backend : mesh.as<v1alpha1::Mesh>().mtls().backends()) {
    const bool builtin = backend.type() == kBuiltin &&
                         (secret == mesh::builtin_certificate_secret(mesh.meta.name, backend.name()) ||
                          secret == mesh::builtin_key_secret(mesh.meta.name, backend.name()));
    if (builtin || (backend.type() == kProvided && uses_secret(backend, secret))) {
      return backend.name();
    }
  }
  return {};
}

}  // namespace kuma::manager
