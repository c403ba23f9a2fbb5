#include "dp/proxy_resource.h"

#include "base/json.h"
#include "base/status.h"
#include "model/old_names.h"
#include "model/resource_type.h"
#include "model/rest.h"

namespace kuma::dp {
namespace {

// How the reference writes times that are not known.
constexpr std::string_view kNoTime = "0001-01-01T00:00:00Z";


absl::StatusOr<std::string> check_name(const model::Resource& resource) {
  Violations strict;
  model::validate_meta(*resource.type, resource.meta, {.existing = false, .zone_name = ""}, strict);
  if (strict.empty()) {
    return "";
  }
  Violations lenient;
  model::validate_meta(*resource.type, resource.meta, {.existing = true, .zone_name = ""}, lenient);
  if (!lenient.empty()) {
    return absl::InvalidArgumentError(strict.text());
  }
  return std::string(model::kOldNameWarning);
}

}  // namespace

absl::StatusOr<std::string_view> resource_type_of(std::string_view proxy_type) {
  if (proxy_type == "dataplane") {
    return "Dataplane";
  }
  if (proxy_type == "ingress") {
    return "ZoneIngress";
  }
  if (proxy_type == "egress") {
    return "ZoneEgress";
  }
  return absl::InvalidArgumentError(fmt::format("invalid proxy type \"{}\"", proxy_type));
}

absl::StatusOr<ProxyResource> parse_proxy_resource(std::string_view rendered) {
  KUMA_ASSIGN_OR_RETURN(const json::value document, parse_yaml(rendered));
  const json::value* type = find(document, "type");
  const std::string type_name = type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
  const model::Registry registry(model::core_types());
  if (registry.find(type_name) == nullptr) {
    return absl::InvalidArgumentError(fmt::format("invalid resource type \"{}\"", type_name));
  }
  auto read = model::from_rest(registry, document);
  if (const std::string hint = model::decode_hint_of(read.status()); !hint.empty()) {
    return absl::Status(read.status().code(), fmt::format("{}\n{}", message_of(read.status()), hint));
  }
  KUMA_ASSIGN_OR_RETURN(const model::RestDocument parsed, std::move(read));
  KUMA_ASSIGN_OR_RETURN(std::string warning, check_name(parsed.resource));
  json::object rest = model::to_rest(parsed.resource);
  rest["creationTime"] = kNoTime;
  rest["modificationTime"] = kNoTime;
  return ProxyResource{.type = type_name,
                       .mesh = parsed.resource.meta.mesh,
                       .name = parsed.resource.meta.name,
                       .json = to_json(rest),
                       .warning = std::move(warning)};
}

}  // namespace kuma::dp
