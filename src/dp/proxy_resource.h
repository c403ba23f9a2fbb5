#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kuma::dp {

// The Dataplane, ZoneIngress or ZoneEgress that kuma-dp was given.
struct ProxyResource {
  std::string type;  // "Dataplane"
  std::string mesh;  // empty for zone proxies
  std::string name;
  std::string json;     // REST form, as the bootstrap request carries it
  std::string warning;  // for standard error: a name that is only accepted because older versions did
};

// Fills the template, reads it (YAML or JSON) and validates it as the control plane will. Errors are in the words of
// the control plane: `networking: has to contain at least one inbound interface or gateway`, `invalid resource type
// "Foo"`.
absl::StatusOr<ProxyResource> parse_proxy_resource(std::string_view rendered);

// Dataplane for dataplane, ZoneIngress for ingress, ZoneEgress for egress; InvalidArgument for any other word.
absl::StatusOr<std::string_view> resource_type_of(std::string_view proxy_type);

}  // namespace kuma::dp
