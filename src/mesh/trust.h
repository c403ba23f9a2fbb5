#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "mesh/mesh_view.h"

namespace kuma::mesh::v1alpha1 {
class CertificateAuthorityBackend;
class Mesh;
}  // namespace kuma::mesh::v1alpha1

namespace kuma::mesh {

// Where the parts of a certificate authority come from.
struct TrustSources {
  // A secret's bytes by its name in the mesh; null when there is none.
  std::function<const std::string*(std::string_view name)> secret;
  // Null: files can't be read here.
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
};

// The certificate authority of the mesh's enabled backend; null when mTLS is off. What is missing or unreadable is said in
// `problem`: mTLS stays on, without anything usable, so a lost secret never opens a mesh.
TrustPtr load_trust(const model::Resource& mesh, const TrustSources& sources);

// The enabled backend of a Mesh; null when mTLS is off or the name is that of no backend.
const v1alpha1::CertificateAuthorityBackend* enabled_backend(const v1alpha1::Mesh& mesh);

// Names of the secrets in which a builtin backend keeps its certificate and key.
std::string builtin_certificate_secret(std::string_view mesh, std::string_view backend);
std::string builtin_key_secret(std::string_view mesh, std::string_view backend);

}  // namespace kuma::mesh
