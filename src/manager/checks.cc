#include "manager/checks.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "base/violations.h"
#include "manager/errors.h"
#include "manager/mesh_authorities.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/rate_limit.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::manager {
namespace {

namespace v1alpha1 = kuma::mesh::v1alpha1;
using Tags = google::protobuf::Map<std::string, std::string>;
using Rules = v1alpha1::Mesh::DataplaneProxyConstraints::Rules;

constexpr std::string_view kServiceTag = "kuma.io/service";
constexpr std::string_view kZoneTag = "kuma.io/zone";

absl::Status violation(std::string_view field, std::string message) {
  Violations violations;
  violations.add(std::string(field), std::move(message));
  return violations.to_status();
}

std::string text_of(const Tags& tags) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : tags) {
    parts.push_back(fmt::format("{}={}", key, value));
  }
  std::sort(parts.begin(), parts.end());
  return absl::StrJoin(parts, " ");
}

bool matches(const Rules& rules, const Tags& tags) {
  return std::all_of(rules.tags().begin(), rules.tags().end(), [&](const auto& rule) {
    const auto found = tags.find(rule.first);
    return found != tags.end() && (rule.second == "*" ? !found->second.empty() : found->second == rule.second);
  });
}

absl::Status check_tags(const Tags& tags, const std::string& mesh,
                        const v1alpha1::Mesh::DataplaneProxyConstraints& constraints) {
  const auto& requirements = constraints.requirements();
  if (!requirements.empty() && std::none_of(requirements.begin(), requirements.end(),
                                            [&](const Rules& rules) { return matches(rules, tags); })) {
    return refused_membership(
        fmt::format("dataplane cannot be a member of mesh \"{}\" because its tags \"{}\" does not fulfill any "
                    "requirements defined on the Mesh",
                    mesh, text_of(tags)));
  }
  for (const Rules& restriction : constraints.restrictions()) {
    if (matches(restriction, tags)) {
      return refused_membership(fmt::format(
          "dataplane cannot be a member of mesh \"{}\" because its tags \"{}\" matches restricted tags \"{}\" defined on "
          "the Mesh",
          mesh, text_of(tags), text_of(restriction.tags())));
    }
  }
  return absl::OkStatus();
}

std::vector<model::ResourcePtr> list(const store::Store& store, const model::ResourceType& type, const std::string& mesh) {
  store::ListQuery query;
  query.type = &type;
  query.mesh = mesh;
  return store.list(query).items;
}

std::string service_of(const Tags& tags) {
  const auto found = tags.find(std::string(kServiceTag));
  return found == tags.end() ? std::string() : found->second;
}

// Whether a destination names a service and more than that.
bool is_narrow(const Tags& destination) { return destination.size() > 1 && destination.contains(std::string(kServiceTag)); }

bool is_online(const system::v1alpha1::ZoneInsight& insight) {
  return std::any_of(insight.subscriptions().begin(), insight.subscriptions().end(), [](const auto& subscription) {
    return subscription.has_connect_time() && !subscription.has_disconnect_time();
  });
}

}  // namespace

void set_dataplane_defaults(v1alpha1::Dataplane& dataplane, std::string_view zone, bool on_create) {
  auto& networking = *dataplane.mutable_networking();
  for (auto& inbound : *networking.mutable_inbound()) {
    if (!zone.empty()) {
      (*inbound.mutable_tags())[std::string(kZoneTag)] = zone;
    }
    if (on_create && inbound.has_serviceprobe()) {
      inbound.set_state(v1alpha1::Dataplane::Networking::Inbound::NotReady);
      inbound.mutable_health()->set_ready(false);
    }
  }
  if (!zone.empty() && networking.has_gateway()) {
    (*networking.mutable_gateway()->mutable_tags())[std::string(kZoneTag)] = zone;
  }
}

absl::Status check_membership(const v1alpha1::Dataplane& dataplane, const std::string& mesh_name,
                              const v1alpha1::Mesh& mesh) {
  const auto& constraints = mesh.constraints().dataplaneproxy();
  if (dataplane.networking().has_gateway()) {
    if (absl::Status status = check_tags(dataplane.networking().gateway().tags(), mesh_name, constraints); !status.ok()) {
      return status;
    }
  }
  for (const auto& inbound : dataplane.networking().inbound()) {
    if (absl::Status status = check_tags(inbound.tags(), mesh_name, constraints); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status check_rate_limit(const model::Resource& rate_limit, const model::Registry& registry,
                              const store::Store& store) {
  const auto services = list(store, *registry.find("ExternalService"), rate_limit.meta.mesh);
  for (const auto& destination : rate_limit.as<v1alpha1::RateLimit>().destinations()) {
    if (!is_narrow(destination.match())) {
      continue;
    }
    const std::string wanted = service_of(destination.match());
    const bool hits = std::any_of(services.begin(), services.end(), [&](const model::ResourcePtr& service) {
      return wanted == "*" || wanted == service_of(service->as<v1alpha1::ExternalService>().tags());
    });
    if (hits) {
      return violation("ratelimit",
                       "RateLimit applied to external service only supports kuma.io/service as destination match");
    }
  }
  return absl::OkStatus();
}

absl::Status check_external_service(const model::Resource& service, const model::Registry& registry,
                                    const store::Store& store) {
  const std::string name = service_of(service.as<v1alpha1::ExternalService>().tags());
  for (const model::ResourcePtr& rate_limit : list(store, *registry.find("RateLimit"), service.meta.mesh)) {
    for (const auto& destination : rate_limit->as<v1alpha1::RateLimit>().destinations()) {
      const std::string wanted = service_of(destination.match());
      if (is_narrow(destination.match()) && (wanted == "*" || wanted == name)) {
        return violation("externalservice",
                         fmt::format("ExternalService would match RateLimit '{}' which includes incompatible destination "
                                     "matches",
                                     rate_limit->meta.name));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status check_mesh_deletion(const std::string& mesh, const model::Registry& registry, const store::Store& store) {
  store::ListQuery query;
  query.type = registry.find("Dataplane");
  query.mesh = mesh;
  query.size = 1;
  return store.list(query).total == 0
             ? absl::OkStatus()
             : violation("mesh", "unable to delete mesh, there are still some dataplanes attached");
}

absl::Status check_zone_deletion(const std::string& zone, const model::Registry& registry, const store::Store& store) {
  const auto insight = store.get(*registry.find("ZoneInsight"), {"", zone});
  if (!insight.ok() || !is_online((*insight)->as<system::v1alpha1::ZoneInsight>())) {
    return absl::OkStatus();
  }
  return violation("zone", "unable to delete Zone, Zone CP is still connected, please shut it down first");
}

absl::Status check_secret_deletion(const model::ResourceKey& secret, const model::Registry& registry,
                                   const store::Store& store) {
  const auto mesh = store.get(*registry.find("Mesh"), {"", secret.mesh});
  const std::string backend = mesh.ok() ? backend_using_secret(**mesh, secret.name) : std::string();
  if (backend.empty()) {
    return absl::OkStatus();
  }
  return violation("name", fmt::format("The secret \"{}\" that you are trying to remove is currently in use in Mesh "
                                       "\"{}\" in mTLS backend \"{}\". Please remove the reference from the \"{}\" "
                                       "backend before removing the secret.",
                                       secret.name, secret.mesh, backend, backend));
}

}  // namespace kuma::manager
