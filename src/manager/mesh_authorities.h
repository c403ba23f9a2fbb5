#pragma once

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/violations.h"
#include "manager/secrets.h"
#include "model/resource.h"
#include "security/key_pool.h"

namespace kuma::manager {

// Adds what is wrong with the mTLS backends of a mesh that is about to be written: unknown types, and unless its
// skipValidation is set names, settings and the certificates of provided authorities (spec/mtls.md §2, §3). Reads secrets
// of the mesh and files.
void check_authorities(const model::Resource& mesh, const Secrets& secrets, Violations& violations);

// Makes the secrets of each builtin backend that lacks them. Half of a pair is completed: a certificate is made anew for
// the key that is there, a lost key takes its certificate with it. Takes keys from the pool, or makes them here.
absl::Status ensure_authorities(const model::Resource& mesh, Secrets& secrets, security::KeyPool& keys, const Clock& clock);

// The mTLS backend of the mesh that uses the secret, empty for none.
std::string backend_using_secret(const model::Resource& mesh, std::string_view secret);

}  // namespace kuma::manager
