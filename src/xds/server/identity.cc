#include "xds/server/identity.h"

#include "base/status.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::xds {
namespace {

namespace tls = envoy::extensions::transport_sockets::tls::v3;
namespace pb = ::kuma::mesh::v1alpha1;

// PEM texts one after the other, each on lines of its own.
void append_pem(std::string& bundle, const std::string& pem) {
  if (!bundle.empty() && bundle.back() != '\n') {
    bundle += '\n';
  }
  bundle += pem;
}

}  // namespace

security::IdentityTags identity_tags(const mesh::DataplaneView& dataplane) {
  security::IdentityTags tags;
  for (const mesh::Tags& set : dataplane.tag_sets) {
    for (const auto& [key, value] : set) {
      tags[key].insert(value);
    }
  }
  return tags;
}

std::chrono::nanoseconds identity_lifetime(const mesh::MeshView& view) {
  const auto& mtls = view.mesh->as<pb::Mesh>().mtls();
  for (const pb::CertificateAuthorityBackend& backend : mtls.backends()) {
    if (backend.name() == mtls.enabledbackend() && !backend.dpcert().rotation().expiration().empty()) {
      const auto lifetime = security::parse_lifetime(backend.dpcert().rotation().expiration());
      if (lifetime.ok() && lifetime->count() > 0) {
        return *lifetime;
      }
    }
  }
  return security::kIdentityLifetime;
}

IdentityIssuer::IdentityIssuer(const Clock& clock, Interner& interner, observe::Metrics& metrics, Issue issue)
    : clock_(clock), interner_(interner), metrics_(metrics), issue_(std::move(issue)) {}

absl::StatusOr<std::vector<WireResourcePtr>> IdentityIssuer::secrets_for(const mesh::MeshView& view, const security::IdentityTags& tags,
                                                                         const std::vector<SecretRef>& refs, ProxyIdentity& state) {
  std::vector<WireResourcePtr> secrets;
  bool has_identity = false;
  for (const SecretRef& ref : refs) {
    if (ref.kind == SecretRef::Kind::Identity) {
      KUMA_ASSIGN_OR_RETURN(WireResourcePtr secret, identity_secret(view, tags, ref, state));
      secrets.push_back(std::move(secret));
      has_identity = true;
    } else {
      secrets.push_back(ca_secret(view, ref));
    }
  }
  if (!has_identity) {
    state = {};
  }
  return secrets;
}

absl::StatusOr<security::AuthorityPtr> IdentityIssuer::authority_of(const mesh::MeshView& view) {
  const mesh::TrustPtr& trust = view.trust;
  if (trust == nullptr) {
    return absl::FailedPreconditionError(fmt::format("mesh {} has no mTLS", view.name));
  }
  if (!trust->problem.empty()) {
    return absl::UnavailableError(fmt::format("failed to generate dataplane identity cert and CAs: {}", trust->problem));
  }
  const std::lock_guard lock(mutex_);
  LoadedAuthority& loaded = authorities_[view.name];
  if (loaded.authority == nullptr || loaded.certificate_pem != trust->certificate_pem || loaded.key_pem != trust->key_pem) {
    const MonotonicTime start = clock_.monotonic_now();
    auto authority = security::Authority::load(trust->certificate_pem, trust->key_pem);
    measure("ca_manager_get_root_cert_chain", "Time in milliseconds to load a mesh's authority", trust->backend, start);
    if (!authority.ok()) {
      return annotate(authority.status(), "failed to generate dataplane identity cert and CAs: backend {} of mesh {}", trust->backend, view.name);
    }
    loaded = {trust->certificate_pem, trust->key_pem, *std::move(authority)};
  }
  return loaded.authority;
}

absl::StatusOr<WireResourcePtr> IdentityIssuer::identity_secret(const mesh::MeshView& view, const security::IdentityTags& tags,
                                                                const SecretRef& ref, ProxyIdentity& state) {
  KUMA_ASSIGN_OR_RETURN(const security::AuthorityPtr authority, authority_of(view));
  const std::chrono::nanoseconds lifetime = identity_lifetime(view);
  const WallTime now = clock_.wall_now();
  const bool fits = state.identity && state.wire != nullptr && state.authority_pem == view.trust->certificate_pem && state.tags == tags;
  if (fits && state.lifetime == lifetime && now < state.identity->renew_at()) {
    return state.wire;
  }
  const MonotonicTime start = clock_.monotonic_now();
  auto identity = issue_(*authority, view.name, tags, lifetime, now);
  measure("ca_manager_get_cert", "Time in milliseconds to issue a proxy's certificate", view.trust->backend, start);
  if (!identity.ok()) {
    const absl::Status status =
        annotate(identity.status(), "failed to generate dataplane identity cert and CAs: could not generate certificates");
    if (fits && now < state.identity->not_after) {
      state.renewal_error = std::string(message_of(status));
      return state.wire;
    }
    return status;
  }
  tls::Secret secret;
  secret.set_name(ref.name);
  secret.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_bytes(identity->pair.certificate_pem);
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_bytes(identity->pair.key_pem);
  state.identity = *std::move(identity);
  state.wire = interner_.intern(XdsType::Secret, ref.name, secret);
  state.authority_pem = view.trust->certificate_pem;
  state.tags = tags;
  state.lifetime = lifetime;
  state.issued_backend = view.trust->backend;
  state.renewal_error.clear();
  count(view.name);
  return state.wire;
}

void IdentityIssuer::measure(const char* metric, const char* help, const std::string& backend, MonotonicTime start) {
  const std::chrono::duration<double, std::milli> took = clock_.monotonic_now() - start;
  metrics_.summary(metric, help, {{"backend_name", backend}}).observe(took.count());
}

void IdentityIssuer::count(const std::string& mesh) {
  const std::lock_guard lock(mutex_);
  auto counter = generated_.find(mesh);
  if (counter == generated_.end()) {
    counter = generated_.emplace(mesh, metrics_.counter("cert_generation", "Number of generated certificates", {{"mesh", mesh}})).first;
  }
  counter->second.add();
}

WireResourcePtr IdentityIssuer::ca_secret(const mesh::MeshView& view, const SecretRef& ref) {
  std::string bundle;
  const auto bundle_of = [](const mesh::TrustPtr& trust) { return trust == nullptr ? std::string() : trust->bundle_pem; };
  if (ref.kind == SecretRef::Kind::AllCas) {
    for (const auto& [name, other] : view.other_meshes) {
      append_pem(bundle, bundle_of(other.trust));
    }
    append_pem(bundle, bundle_of(view.trust));
  } else if (ref.mesh == view.name) {
    bundle = bundle_of(view.trust);
  } else if (const auto other = view.other_meshes.find(ref.mesh); other != view.other_meshes.end()) {
    bundle = bundle_of(other->second.trust);
  }
  tls::Secret secret;
  secret.set_name(ref.name);
  // A bundle that can't be had is sent empty: Envoy would wait for it and hold back everything else.
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_bytes(bundle);
  return interner_.intern(XdsType::Secret, ref.name, secret);
}

}  // namespace kuma::xds
