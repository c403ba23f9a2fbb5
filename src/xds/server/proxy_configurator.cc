#include "xds/server/proxy_configurator.h"

#include "base/status.h"

namespace kuma::xds {
namespace {

// One type's resources as a set; the last one when nothing has changed, so that it need not be hashed again.
TypeSnapshot make_set(std::vector<WireResourcePtr> wires, const Snapshot* last, XdsType type) {
  if (last != nullptr && last->of(type).resources == wires) {
    return last->of(type);
  }
  return make_type_snapshot(std::move(wires));
}

}  // namespace

absl::Status ProxyConfigurator::ensure_admin_tls(const mesh::MeshView& view, const ProxyMetadata& metadata,
                                                 const AdminAuthorityPtr& admin) {
  const mesh::DataplaneView* dataplane = view.find_dataplane(proxy_.key);
  if (metadata.admin_port == 0 || dataplane == nullptr) {
    return absl::OkStatus();  // generate() says what is missing
  }
  if (admin == nullptr) {
    return absl::UnavailableError("the authority of admin listeners is not there yet");
  }
  std::vector<std::string> addresses = {dataplane->address};
  if (dataplane->advertised_address != dataplane->address) {
    addresses.push_back(dataplane->advertised_address);
  }
  if (admin_tls_authority_ == admin && admin_tls_addresses_ == addresses) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(security::KeyPair pair, security::issue_admin_server(*admin->authority, addresses, parts_.clock.wall_now()));
  admin_tls_ = {.ca_pem = admin->authority->certificate().to_pem(),
                .certificate_pem = std::move(pair.certificate_pem),
                .key_pem = std::move(pair.key_pem)};
  admin_tls_authority_ = admin;
  admin_tls_addresses_ = std::move(addresses);
  return absl::OkStatus();
}

absl::StatusOr<ProxyConfigurator::Result> ProxyConfigurator::configure(const mesh::MeshView& view, const ProxyMetadata& metadata,
                                                                       const AdminAuthorityPtr& admin) {
  KUMA_RETURN_IF_ERROR(ensure_admin_tls(view, metadata, admin));
  const ProxyInput input{.key = proxy_.key, .metadata = metadata, .admin_tls = admin_tls_};
  KUMA_ASSIGN_OR_RETURN(Generation generation, generate(view, input, {.interner = parts_.interner, .pieces = &parts_.pieces}));
  KUMA_ASSIGN_OR_RETURN(std::vector<WireResourcePtr> secrets,
                        parts_.issuer.secrets_for(view, proxy_.key, generation.secrets, identity_));
  auto snapshot = std::make_shared<Snapshot>();
  for (size_t i = 0; i < kXdsTypeCount; ++i) {
    const XdsType type = static_cast<XdsType>(i);
    std::vector<WireResourcePtr> wires;
    if (type == XdsType::Secret) {
      wires = std::move(secrets);
    } else {
      wires.reserve(generation.resources[i].size());
      for (GeneratedResource& resource : generation.resources[i]) {
        wires.push_back(std::move(resource.wire));
      }
    }
    snapshot->types[i] = make_set(std::move(wires), last_.get(), type);
    generation.resources[i] = {};
  }
  last_ = snapshot;
  Result result{.snapshot = std::move(snapshot),
                .generation = std::make_shared<const Generation>(std::move(generation)),
                .certificate = std::nullopt,
                .renew_at = std::nullopt,
                .renewal_error = identity_.renewal_error};
  if (identity_.identity && view.trust != nullptr) {
    result.certificate = CertificateInfo{.issued_at = identity_.identity->issued_at,
                                         .expires_at = identity_.identity->not_after,
                                         .issued_backend = identity_.issued_backend,
                                         .supported_backends = {view.trust->backend}};
    result.renew_at = identity_.identity->renew_at();
  }
  return result;
}

}  // namespace kuma::xds
