#include "mesh/trust.h"

#include "base/status.h"
#include "base/text.h"
#include "fmt/format.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::mesh {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

const Value* member(const Struct& object, const std::string& name) {
  auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}

absl::StatusOr<std::string> load_secret(const std::string& name, const TrustSources& sources) {
  const std::string* data = sources.secret ? sources.secret(name) : nullptr;
  if (data == nullptr) {
    return absl::NotFoundError(fmt::format("the secret \"{}\" does not exist in the mesh", name));
  }
  return *data;
}

// A DataSource inside of a backend's free-form conf: `secret`, `file`, `inline` (base64) or `inlineString`.
absl::StatusOr<std::string> load_source(const Struct& conf, const std::string& name, const TrustSources& sources) {
  const Value* source = member(conf, name);
  if (source == nullptr || !source->has_struct_value()) {
    return absl::InvalidArgumentError(fmt::format("conf.{} is not defined", name));
  }
  const Struct& fields = source->struct_value();
  if (const Value* secret = member(fields, "secret")) {
    return load_secret(secret->string_value(), sources);
  }
  if (const Value* file = member(fields, "file")) {
    if (!sources.read_file) {
      return absl::UnimplementedError(fmt::format("the file {} can't be read here", file->string_value()));
    }
    return sources.read_file(file->string_value());
  }
  if (const Value* text = member(fields, "inlineString"); text != nullptr) {
    return text->string_value();
  }
  if (const Value* encoded = member(fields, "inline"); encoded != nullptr) {
    if (auto decoded = base64_decode(encoded->string_value())) {
      return *std::move(decoded);
    }
    return absl::InvalidArgumentError(fmt::format("conf.{}.inline is not base64", name));
  }
  return absl::InvalidArgumentError(fmt::format("conf.{} has none of secret, file, inline, inlineString", name));
}

// The first certificate of a chain signs.
std::string first_certificate(const std::string& pem) {
  static constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  size_t end = pem.find(kEnd);
  return end == std::string::npos ? pem : pem.substr(0, end + kEnd.size()) + "\n";
}

void set(Trust& trust, std::string Trust::*part, std::string_view what, absl::StatusOr<std::string> loaded) {
  if (loaded.ok()) {
    trust.*part = *std::move(loaded);
  } else if (trust.problem.empty()) {
    trust.problem = fmt::format("the {} of backend \"{}\" can't be loaded: {}", what, trust.backend,
                                message_of(loaded.status()));
  }
}

}  // namespace

const v1alpha1::CertificateAuthorityBackend* enabled_backend(const v1alpha1::Mesh& mesh) {
  const std::string& name = mesh.mtls().enabledbackend();
  if (name.empty()) {
    return nullptr;
  }
  for (const auto& backend : mesh.mtls().backends()) {
    if (backend.name() == name) {
      return &backend;
    }
  }
  return nullptr;
}

std::string builtin_certificate_secret(std::string_view mesh, std::string_view backend) {
  return fmt::format("{}.ca-builtin-cert-{}", mesh, backend);
}

std::string builtin_key_secret(std::string_view mesh, std::string_view backend) {
  return fmt::format("{}.ca-builtin-key-{}", mesh, backend);
}

TrustPtr load_trust(const model::Resource& mesh, const TrustSources& sources) {
  const auto* backend = enabled_backend(mesh.as<v1alpha1::Mesh>());
  if (backend == nullptr) {
    return nullptr;
  }
  auto trust = std::make_shared<Trust>();
  trust->backend = backend->name();
  if (backend->type() == "builtin") {
    const std::string& name = mesh.meta.name;
    set(*trust, &Trust::bundle_pem, "certificate", load_secret(builtin_certificate_secret(name, backend->name()), sources));
    set(*trust, &Trust::key_pem, "key", load_secret(builtin_key_secret(name, backend->name()), sources));
  } else if (backend->type() == "provided") {
    set(*trust, &Trust::bundle_pem, "certificate", load_source(backend->conf(), "cert", sources));
    set(*trust, &Trust::key_pem, "key", load_source(backend->conf(), "key", sources));
  } else {
    trust->problem = fmt::format("backend \"{}\" is of the unknown type \"{}\"", backend->name(), backend->type());
  }
  trust->certificate_pem = first_certificate(trust->bundle_pem);
  return trust;
}

}  // namespace kuma::mesh
