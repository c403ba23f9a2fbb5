#pragma once

#include <string>

#include "absl/status/status.h"
#include "api/deps.h"

namespace kuma::api {

inline constexpr std::string_view kAdminName = "mesh-system:admin";
inline constexpr std::string_view kAuthenticatedGroup = "mesh-system:authenticated";

// Who sends a request (spec/rest-api.md §7.1): the local administrator, the bearer of a token, the holder of a client
// certificate, or nobody in particular. Unauthenticated for a token that is not valid.
//
// A web page that an operator opens can send requests to localhost. So nobody is the local administrator by address
// alone: not with an Origin (another page's script), not through a proxy (its clients are not local), and not under a
// host name that is not this machine's own (DNS that was made to point here).
absl::StatusOr<User> authenticate(const net::HttpRequest& request, const ApiDeps& deps);

// Whether the user or one of its groups is listed.
bool allows(const config::AccessList& list, const User& user);
// PermissionDenied `action not allowed` unless it is.
absl::Status check_allowed(const config::AccessList& list, const User& user);
// PermissionDenied unless the type is for everybody or the user is one of access.static.adminResources.
absl::Status check_resource_access(const ApiDeps& deps, const model::ResourceType& type, const User& user);

}  // namespace kuma::api
