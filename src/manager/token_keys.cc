#include "manager/token_keys.h"

#include <charconv>

#include "base/status.h"
#include "manager/errors.h"

namespace kuma::manager {
namespace {

constexpr std::string_view kLegacyKeyId = "0";
constexpr std::string_view kFirstKeyId = "1";

int64_t serial_of(std::string_view name, std::string_view prefix) {
  name.remove_prefix(prefix.size());
  if (!name.starts_with('-')) {
    return 0;
  }
  name.remove_prefix(1);
  int64_t serial = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), serial);
  return read.ec == std::errc() && read.ptr == name.data() + name.size() ? serial : 0;
}

}  // namespace

model::ResourceKey KeyRing::secret_of(std::string_view key_id) const {
  return {mesh, key_id == kLegacyKeyId ? prefix : fmt::format("{}-{}", prefix, key_id)};
}

absl::StatusOr<SigningKey> newest_key(const Secrets& secrets, const KeyRing& ring) {
  std::string newest;
  int64_t newest_serial = -1;
  for (const std::string& name : secrets.names(ring.mesh, ring.prefix)) {
    if (const int64_t serial = serial_of(name, ring.prefix); serial > newest_serial) {
      newest = name;
      newest_serial = serial;
    }
  }
  if (newest.empty()) {
    return missing_signing_key(kFirstKeyId, ring.secret_of(kFirstKeyId).name, ring.mesh);
  }
  KUMA_ASSIGN_OR_RETURN(std::string data, secrets.get({ring.mesh, newest}));
  return SigningKey{fmt::format("{}", newest_serial), std::move(data)};
}

absl::StatusOr<std::string> find_key(const Secrets& secrets, const KeyRing& ring, std::string_view key_id) {
  const model::ResourceKey name = ring.secret_of(key_id);
  absl::StatusOr<std::string> data = secrets.get(name);
  return absl::IsNotFound(data.status()) ? missing_signing_key(key_id, name.name, ring.mesh) : data;
}

}  // namespace kuma::manager
