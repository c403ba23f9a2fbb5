#include "xds/server/proxy_configurator.h"

#include <algorithm>

#include "base/status.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"

namespace kuma::xds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

// One type's resources as a set; the last one when nothing has changed, so that it need not be hashed again.
TypeSnapshot make_set(std::vector<WireResourcePtr> wires, const Snapshot* last, XdsType type) {
  if (last != nullptr && last->of(type).resources == wires) {
    return last->of(type);
  }
  return make_type_snapshot(std::move(wires));
}

}  // namespace

// The addresses that the admin listener is reached at; none when the proxy has no resource: generate() says what is missing.
std::vector<std::string> ProxyConfigurator::admin_addresses(const ConfiguratorInput& input) const {
  std::vector<std::string> addresses;
  const auto add = [&](const std::string& address) {
    if (!address.empty() && std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  };
  if (proxy_.type == ProxyType::Dataplane) {
    if (const mesh::DataplaneView* dataplane = input.mesh->find_dataplane(proxy_.key)) {
      add(dataplane->address);
      add(dataplane->advertised_address);
    }
  } else if (proxy_.type == ProxyType::ZoneIngress) {
    if (const model::ResourcePtr ingress = input.zone->find_ingress(proxy_.key.name)) {
      add(ingress->as<pb::ZoneIngress>().networking().address());
      add(ingress->as<pb::ZoneIngress>().networking().advertisedaddress());
    }
  } else if (const model::ResourcePtr egress = input.zone->find_egress(proxy_.key.name)) {
    add(egress->as<pb::ZoneEgress>().networking().address());
  }
  return addresses;
}

absl::Status ProxyConfigurator::ensure_admin_tls(const ConfiguratorInput& input) {
  std::vector<std::string> addresses = admin_addresses(input);
  if (input.metadata.admin_port == 0 || addresses.empty()) {
    return absl::OkStatus();
  }
  if (input.admin == nullptr) {
    return absl::UnavailableError("the authority of admin listeners is not there yet");
  }
  if (admin_tls_authority_ == input.admin && admin_tls_addresses_ == addresses) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(security::KeyPair pair, security::issue_admin_server(*input.admin->authority, addresses, parts_.clock.wall_now()));
  admin_tls_ = {.ca_pem = input.admin->authority->certificate().to_pem(),
                .certificate_pem = std::move(pair.certificate_pem),
                .key_pem = std::move(pair.key_pem)};
  refresh_.reset();
  admin_tls_authority_ = input.admin;
  admin_tls_addresses_ = std::move(addresses);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<WireResourcePtr>> ProxyConfigurator::secrets(const ConfiguratorInput& input, const std::vector<SecretRef>& refs) {
  if (proxy_.type == ProxyType::Dataplane) {
    const mesh::DataplaneView* dataplane = input.mesh->find_dataplane(proxy_.key);
    const security::IdentityTags tags = dataplane == nullptr ? security::IdentityTags() : identity_tags(*dataplane);
    return parts_.issuer.secrets_for(*input.mesh, tags, refs, identities_[proxy_.key.mesh]);
  }
  // An egress is in every mesh what the mesh calls it.
  const security::IdentityTags tags = {{"kuma.io/service", {"zone-egress"}}};
  std::map<std::string, std::vector<SecretRef>> by_mesh;
  for (const SecretRef& ref : refs) {
    by_mesh[ref.mesh].push_back(ref);
  }
  std::erase_if(identities_, [&](const auto& entry) { return !by_mesh.contains(entry.first); });
  std::vector<WireResourcePtr> all;
  for (const auto& [name, of_mesh] : by_mesh) {
    const mesh::MeshView* view = input.zone->find_mesh(name);
    if (view == nullptr) {
      return absl::InternalError(fmt::format("a secret of mesh {} is referred to, which is not there", name));
    }
    KUMA_ASSIGN_OR_RETURN(std::vector<WireResourcePtr> some, parts_.issuer.secrets_for(*view, tags, of_mesh, identities_[name]));
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

absl::Status ProxyConfigurator::generate_all(const ConfiguratorInput& in, Snapshot& snapshot) {
  refresh_.reset();
  const ProxyInput input{.key = proxy_.key, .metadata = in.metadata, .admin_tls = admin_tls_};
  const GeneratorContext context{.interner = parts_.interner, .pieces = &parts_.pieces};
  const bool is_dataplane = proxy_.type == ProxyType::Dataplane;
  KUMA_ASSIGN_OR_RETURN(Generation generation,
                        is_dataplane ? generate(*in.mesh, input, context) : generate(*in.zone, input, context));
  for (size_t i = 0; i < kXdsTypeCount; ++i) {
    std::vector<WireResourcePtr> wires;
    wires.reserve(generation.resources[i].size());
    for (GeneratedResource& resource : generation.resources[i]) {
      wires.push_back(std::move(resource.wire));
    }
    generation.resources[i] = {};
    if (static_cast<XdsType>(i) == XdsType::Secret) {
      generated_secrets_ = std::move(wires);
    } else {
      snapshot.types[i] = make_set(std::move(wires), last_.get(), static_cast<XdsType>(i));
    }
  }
  generation_ = std::make_shared<const Generation>(std::move(generation));
  if (is_dataplane) {
    refresh_.emplace(*in.mesh, input, generation_);
    metadata_ = in.metadata;
  }
  return absl::OkStatus();
}

// Whether only endpoints have changed since the last time; then the snapshot is complete but for secrets.
bool ProxyConfigurator::refresh_endpoints(const ConfiguratorInput& in, Snapshot& snapshot) {
  if (!refresh_ || last_ == nullptr || in.mesh == nullptr || in.metadata != metadata_) {
    return false;
  }
  auto endpoints = refresh_->refresh(*in.mesh, last_->of(XdsType::Endpoint).resources,
                                     {.interner = parts_.interner, .pieces = &parts_.pieces});
  if (!endpoints) {
    return false;
  }
  snapshot = *last_;
  snapshot.types[static_cast<size_t>(XdsType::Endpoint)] = make_set(*std::move(endpoints), last_.get(), XdsType::Endpoint);
  return true;
}

absl::StatusOr<ProxyConfigurator::Result> ProxyConfigurator::configure(const ConfiguratorInput& in) {
  KUMA_RETURN_IF_ERROR(ensure_admin_tls(in));
  auto snapshot = std::make_shared<Snapshot>();
  if (!refresh_endpoints(in, *snapshot)) {
    KUMA_RETURN_IF_ERROR(generate_all(in, *snapshot));
  }
  auto of_secrets = secrets(in, generation_->secrets);
  if (!of_secrets.ok()) {
    refresh_.reset();  // it is of a generation that last_ does not have
    return of_secrets.status();
  }
  of_secrets->insert(of_secrets->begin(), generated_secrets_.begin(), generated_secrets_.end());
  snapshot->types[static_cast<size_t>(XdsType::Secret)] = make_set(*std::move(of_secrets), last_.get(), XdsType::Secret);
  last_ = snapshot;
  Result result{.snapshot = std::move(snapshot),
                .generation = generation_,
                .certificate = std::nullopt,
                .renew_at = std::nullopt,
                .renewal_error = ""};
  for (const auto& [name, identity] : identities_) {
    if (!identity.identity) {
      continue;
    }
    const WallTime renew_at = identity.identity->renew_at();
    result.renew_at = result.renew_at ? std::min(*result.renew_at, renew_at) : renew_at;
    if (!identity.renewal_error.empty()) {
      result.renewal_error = identity.renewal_error;
    }
    if (in.mesh != nullptr && in.mesh->trust != nullptr) {
      result.certificate = CertificateInfo{.issued_at = identity.identity->issued_at,
                                           .expires_at = identity.identity->not_after,
                                           .issued_backend = identity.issued_backend,
                                           .supported_backends = {in.mesh->trust->backend}};
    }
  }
  return result;
}

}  // namespace kuma::xds
