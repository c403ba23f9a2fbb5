#include "manager/errors.h"

#include "base/status.h"
#include "base/violations.h"

namespace kuma::manager {
namespace {

constexpr std::string_view kMembershipPayload = "kuma/refused-membership";

}  // namespace

absl::Status missing_mesh(std::string_view mesh) {
  Violations violations;
  violations.add(FieldPath("mesh"), "mesh of name {} is not found", mesh);
  return violations.to_status();
}

bool is_missing_mesh(const absl::Status& status) {
  const Violations violations = violations_of(status);
  return violations.list().size() == 1 && violations.list()[0].field == "mesh" &&
         violations.list()[0].message.starts_with("mesh of name ") &&
         violations.list()[0].message.ends_with(" is not found");
}

absl::Status refused_membership(std::string_view message) {
  absl::Status status = absl::InternalError(to_absl(message));
  status.SetPayload(to_absl(kMembershipPayload), absl::Cord());
  return status;
}

bool is_refused_membership(const absl::Status& status) {
  return status.GetPayload(to_absl(kMembershipPayload)).has_value();
}

absl::Status missing_signing_key(std::string_view key_id, std::string_view secret, std::string_view mesh) {
  static constexpr std::string_view kHint = "If signing key was rotated, regenerate the token";
  if (mesh.empty()) {
    return absl::NotFoundError(fmt::format(
        "there is no signing key with KID {}. GlobalSecret of name \"{}\" is not found. {}", key_id, secret, kHint));
  }
  return absl::NotFoundError(
      fmt::format("there is no signing key with KID {}. Secret of name \"{}\" in mesh \"{}\" is not found. {}", key_id,
                  secret, mesh, kHint));
}

}  // namespace kuma::manager
