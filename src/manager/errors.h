#pragma once

#include <string_view>

#include "absl/status/status.h"

// The errors of this folder beyond those of the store. Validation errors are a Violations status (violations_of).
namespace kuma::manager {

// Violations with the single field `mesh`: `mesh of name X is not found`; clients see it with a detail of its own.
absl::Status missing_mesh(std::string_view mesh);
bool is_missing_mesh(const absl::Status& status);

// A mesh's constraints refuse a dataplane. Internal, as the reference answers 500 to it over REST; proxies that register
// themselves are shown the message.
absl::Status refused_membership(std::string_view message);
bool is_refused_membership(const absl::Status& status);

// NotFound `there is no signing key with KID …`, as clients see it. `mesh` is empty for keys in global secrets.
absl::Status missing_signing_key(std::string_view key_id, std::string_view secret, std::string_view mesh);

}  // namespace kuma::manager
