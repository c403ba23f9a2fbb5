#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manager/secrets.h"

namespace kuma::manager {

// Where the signing keys of one kind of tokens are: `<prefix>-<key id>`, in a mesh or global; key `0` is `<prefix>` itself.
struct KeyRing {
  std::string mesh;  // empty: global secrets
  std::string prefix;

  model::ResourceKey secret_of(std::string_view key_id) const;
};

struct SigningKey {
  std::string key_id;
  std::string data;  // PEM or DER
};

// The key with the highest number signs. A name without a number counts as 0. NotFound as clients see it when there is
// none.
absl::StatusOr<SigningKey> newest_key(const Secrets& secrets, const KeyRing& ring);

// The key of that id; NotFound as clients see it.
absl::StatusOr<std::string> find_key(const Secrets& secrets, const KeyRing& ring, std::string_view key_id);

}  // namespace kuma::manager
