#pragma once

#include <string>

#include "model/resource.h"

namespace kuma::policy {

// Names a policy in explanations.
struct PolicyRef {
  std::string type;
  std::string name;
  std::string mesh = {};  // empty: it belongs to none
  auto operator<=>(const PolicyRef&) const = default;
};

inline PolicyRef ref_of(const model::Resource& policy) {
  return {std::string(policy.type->name), policy.meta.name, policy.meta.mesh};
}

// A secret that the configuration refers to; the server provides it (identities are made per proxy).
struct SecretRef {
  enum class Kind { Identity, Ca, AllCas };
  Kind kind = Kind::Identity;
  std::string mesh;
  std::string name;  // "identity_cert:secret:default", "mesh_ca:secret:default", "mesh_ca:secret:all"
  auto operator<=>(const SecretRef&) const = default;
};

// Why part of a configuration was left out; readable on the proxy and on the policy.
struct Problem {
  PolicyRef policy;
  std::string message;
  bool operator==(const Problem&) const = default;
};

}  // namespace kuma::policy
