#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"

namespace kuma::policy::envoy {

using Rbac = ::envoy::extensions::filters::network::rbac::v3::RBAC;
using Principal = ::envoy::config::rbac::v3::Principal;

// A client with this tag in its certificate: spiffe://<mesh>/<service> for its service, kuma://<tag>/<value> otherwise.
Principal tag_principal(std::string_view mesh, std::string_view key, std::string_view value);
Principal not_principal(Principal principal);
// All of them at once; anybody when there are none.
Principal all_of(std::vector<Principal> principals);

// A filter that lets nobody in, to which policies are added. Its metrics are named after the listener.
Rbac deny_all(std::string_view listener);
// A policy for any request of any of the principals.
::envoy::config::rbac::v3::Policy policy_for(const std::vector<Principal>& principals);

}  // namespace kuma::policy::envoy
