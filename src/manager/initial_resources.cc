#include "manager/initial_resources.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "manager/names.h"
#include "manager/token_issuer.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "security/authority.h"

namespace kuma::manager {
namespace {

constexpr std::string_view kAdminName = "mesh-system:admin";

}  // namespace

InitialResources::InitialResources(const Parts& parts, Options options)
    : parts_(parts), options_(std::move(options)), secrets_(parts.manager.secrets()) {}

absl::Status InitialResources::ensure() {
  absl::Status status;
  if (options_.mode != Mode::Zone) {
    status.Update(ensure_cluster_id());
  }
  if (makes_default_mesh()) {
    status.Update(ensure_default_mesh());
  }
  status.Update(parts_.manager.mesh_setup().complete_unfinished());
  if (options_.user_tokens) {
    ensure_signing_key(kUserKeyPrefix);
  }
  if (makes_admin_token()) {
    status.Update(ensure_admin_token());
  }
  if (makes_tenant_resources()) {
    ensure_signing_key(kZoneKeyPrefix);
    ensure_signing_key(kZoneIngressKeyPrefix);
  }
  if (makes_admin_ca()) {
    ensure_authority(kEnvoyAdminCa, security::kEnvoyAdminCaName);
  }
  ensure_authority(kInterCpCa, security::kInterCpCaName);
  return status;
}

bool InitialResources::complete() const {
  const auto has_secret = [this](std::string_view name) { return secrets_.exists({"", std::string(name)}); };
  const bool mesh = !makes_default_mesh() ||
                    parts_.store.get(*parts_.registry.find("Mesh"), {"", std::string(kDefaultMesh)}).ok();
  return mesh && secrets_.config_names(kMeshSetupPrefix).empty() &&
         (options_.mode == Mode::Zone || !find_cluster_id(secrets_).empty()) &&
         (!options_.user_tokens || has_key(kUserKeyPrefix)) && (!makes_admin_token() || has_secret(kAdminUserToken)) &&
         (!makes_tenant_resources() || (has_key(kZoneKeyPrefix) && has_key(kZoneIngressKeyPrefix))) &&
         (!makes_admin_ca() || has_secret(kEnvoyAdminCa)) && has_secret(kInterCpCa);
}

absl::Status InitialResources::ensure_cluster_id() {
  if (!find_cluster_id(secrets_).empty()) {
    return absl::OkStatus();
  }
  return annotate(ignore_existing(secrets_.create_config(kClusterId, random_uuid())), "storing the cluster's id");
}

absl::Status InitialResources::ensure_default_mesh() {
  const model::ResourceType& type = *parts_.registry.find("Mesh");
  const model::ResourceKey key{"", std::string(kDefaultMesh)};
  if (parts_.store.get(type, key).ok()) {
    return absl::OkStatus();
  }
  auto mesh = model::make_resource(type, key, std::make_unique<mesh::v1alpha1::Mesh>());
  const absl::Status status = parts_.manager.mesh_setup().create_quickly(std::move(mesh)).status();
  return annotate(ignore_existing(status), "creating the mesh {}", kDefaultMesh);
}

void InitialResources::ensure_signing_key(std::string_view prefix) {
  if (!has_key(prefix)) {
    ensure_secret(first_key(prefix), [](const security::PrivateKey& key) { return key.to_pem(); });
  }
}

void InitialResources::ensure_authority(std::string_view name, std::string_view common_name) {
  ensure_secret(name, [this, common_name](const security::PrivateKey& key) -> absl::StatusOr<std::string> {
    KUMA_ASSIGN_OR_RETURN(const std::string certificate,
                          security::build_system_ca(common_name, key, parts_.clock.wall_now()));
    return certificate + key.to_pem();
  });
}

void InitialResources::ensure_secret(std::string_view name, Content content) {
  const model::ResourceKey secret{"", std::string(name)};
  if (secrets_.exists(secret) || !parts_.pending.add(secret)) {
    return;
  }
  parts_.keys.take_async([this, secret, content = std::move(content)](absl::StatusOr<security::PrivateKey> key) {
    absl::StatusOr<std::string> data = key.ok() ? content(*key) : key.status();
    const absl::Status status =
        data.ok() ? ignore_existing(secrets_.create(secret, *std::move(data))) : data.status();
    if (!status.ok()) {
      make_logger("manager")->error("the secret {} could not be made: {}", secret.name, message_of(status));
    }
    parts_.pending.finish(secret);
  });
}

absl::Status InitialResources::ensure_admin_token() {
  const model::ResourceKey token{"", std::string(kAdminUserToken)};
  if (secrets_.exists(token)) {
    return absl::OkStatus();
  }
  if (has_key(kUserKeyPrefix)) {
    return annotate(issue_admin_token(), "issuing the administrator's token");
  }
  if (!parts_.pending.add(token)) {
    return absl::OkStatus();
  }
  parts_.pending.when_finished({"", first_key(kUserKeyPrefix)}, [this, token] {
    if (absl::Status status = issue_admin_token(); !status.ok()) {
      make_logger("manager")->error("the administrator's token could not be issued: {}", message_of(status));
    }
    parts_.pending.finish(token);
  });
  return absl::OkStatus();
}

absl::Status InitialResources::issue_admin_token() {
  TokenIssuer issuer(secrets_, parts_.pending, parts_.clock, {.key_wait_max = std::chrono::nanoseconds(0)});
  KUMA_ASSIGN_OR_RETURN(std::string token, issuer.user({std::string(kAdminName), {std::string(kAdminName)}},
                                                       kTokenLifetime));
  return ignore_existing(secrets_.create({"", std::string(kAdminUserToken)}, std::move(token)));
}

bool InitialResources::has_key(std::string_view prefix) const { return !secrets_.names("", prefix).empty(); }

}  // namespace kuma::manager
