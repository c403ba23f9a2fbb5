#pragma once

#include "absl/status/status.h"
#include "manager/options.h"
#include "model/resource.h"
#include "store/store.h"

namespace kuma::mesh::v1alpha1 {
class Dataplane;
class Mesh;
}  // namespace kuma::mesh::v1alpha1

// What a write is checked for beyond its own spec (spec/resources.md §5). Pure reads.
namespace kuma::manager {

// Puts the zone's tag into every inbound and the gateway; on create, inbounds with a probe begin as not ready.
void set_dataplane_defaults(mesh::v1alpha1::Dataplane& dataplane, std::string_view zone, bool on_create);

// Whether the mesh's constraints let the dataplane in; see refused_membership().
absl::Status check_membership(const mesh::v1alpha1::Dataplane& dataplane, const std::string& mesh_name,
                              const mesh::v1alpha1::Mesh& mesh);

// A RateLimit of more than the service on an ExternalService can't be had; found on the write of either.
absl::Status check_rate_limit(const model::Resource& rate_limit, const model::Registry& registry, const store::Store& store);
absl::Status check_external_service(const model::Resource& service, const model::Registry& registry,
                                    const store::Store& store);

// Why something can't be deleted now.
absl::Status check_mesh_deletion(const std::string& mesh, const model::Registry& registry, const store::Store& store);
absl::Status check_zone_deletion(const std::string& zone, const model::Registry& registry, const store::Store& store);
absl::Status check_secret_deletion(const model::ResourceKey& secret, const model::Registry& registry,
                                   const store::Store& store);

}  // namespace kuma::manager
