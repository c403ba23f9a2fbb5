#include "api/attachments.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/fault_injection.pb.h"
#include "mesh/v1alpha1/rate_limit.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "policy/legacy.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "xds/gen/outbounds.h"

namespace kuma::api {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using mesh::MeshView;
using mesh::ResourceList;
using mesh::Tags;
using Networking = pb::Dataplane::Networking;

constexpr std::string_view kServiceTag = "kuma.io/service";

void add(Attachment& attachment, std::string_view type, const model::ResourcePtr* policy) {
  if (policy != nullptr) {
    attachment.policies[type].push_back(*policy);
  }
}

std::string service_of(const google::protobuf::Map<std::string, std::string>& tags) {
  const auto tag = tags.find(std::string(kServiceTag));
  return tag == tags.end() ? std::string() : tag->second;
}

// ---- inbounds

// Every policy for an inbound: one whose first source is narrower comes first, then one that was made later.
template <typename Message>
ResourceList all_for_inbound(const ResourceList& policies, const Tags& tags) {
  std::vector<std::pair<policy::Rank, model::ResourcePtr>> found;
  for (const model::ResourcePtr& resource : policies) {
    const auto& message = resource->as<Message>();
    if (!policy::best_rank(*resource, policy::SelectorList::Destinations, {tags})) {
      continue;
    }
    policy::Rank rank;
    if (message.sources_size() > 0) {
      for (const auto& [key, value] : message.sources(0).match()) {
        ++(value == "*" ? rank.wildcard : rank.exact);
      }
    }
    found.emplace_back(rank, resource);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first == b.first ? a.second->meta.creation_time > b.second->meta.creation_time : a.first > b.first;
  });
  ResourceList out;
  for (auto& [rank, resource] : found) {
    out.push_back(std::move(resource));
  }
  return out;
}

Attachment inbound_attachment(const MeshView& view, const std::string& address, const Networking::Inbound& inbound) {
  const Tags tags(inbound.tags().begin(), inbound.tags().end());
  Attachment out{
      .type = "inbound",
      .name = fmt::format("{}:{}:{}", inbound.address().empty() ? address : inbound.address(), inbound.port(),
                          inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport()),
      .service = service_of(inbound.tags())};
  add(out, "TrafficPermission", policy::select_for_inbound(view.policies_of("TrafficPermission"), tags));
  out.policies["FaultInjection"] = all_for_inbound<pb::FaultInjection>(view.policies_of("FaultInjection"), tags);
  out.policies["RateLimit"] = all_for_inbound<pb::RateLimit>(view.policies_of("RateLimit"), tags);
  return out;
}

// ---- outbounds and the services behind them

// The services that an outbound's traffic goes to by default: those of its route, or its own.
void add_destinations(const model::ResourcePtr* route, const std::string& service, std::set<std::string>& services) {
  if (route == nullptr) {
    services.insert(service);
    return;
  }
  const auto& conf = (*route)->as<pb::TrafficRoute>().conf();
  const auto insert = [&](const google::protobuf::Map<std::string, std::string>& tags) {
    const std::string destination = service_of(tags);
    services.insert(destination == "*" ? service : destination);
  };
  if (conf.split_size() == 0) {
    insert(conf.destination());
  }
  for (const auto& split : conf.split()) {
    insert(split.destination());
  }
}

void add_outbounds(const MeshView& view, const mesh::DataplaneView& dataplane, std::vector<Attachment>& out) {
  const auto policies = [&](std::string_view type) {
    return policy::OutboundPolicies(view.policies_of(type), dataplane);
  };
  const auto routes = policies("TrafficRoute"), timeouts = policies("Timeout"), rate_limits = policies("RateLimit");
  std::set<std::string> direct = {std::string(policy::kPassThroughService)};  // the outbounds' own services
  std::set<std::string> routed;                                // where their routes lead
  for (const policy::ProxyOutbound& outbound : xds::outbounds_of(view, dataplane, nullptr)) {
    const std::string service = outbound.service();
    Attachment attachment{
        .type = "outbound", .name = fmt::format("{}:{}", outbound.address, outbound.port), .service = service};
    const model::ResourcePtr* route = routes.select(service);
    add(attachment, "TrafficRoute", route);
    add(attachment, "Timeout", timeouts.select(service));
    add(attachment, "RateLimit", rate_limits.select(service));
    out.push_back(std::move(attachment));
    direct.insert(service);
    add_destinations(route, service, routed);
  }

  std::map<std::string, Attachment> services;
  const auto select = [&](std::string_view type, const std::set<std::string>& among) {
    const auto selected = policies(type);
    for (const std::string& service : among) {
      Attachment& attachment = services[service];
      attachment.type = "service";
      attachment.name = attachment.service = service;
      add(attachment, type, selected.select(service));
    }
  };
  select("TrafficLog", direct);
  for (const std::string_view type : {"HealthCheck", "CircuitBreaker", "Retry"}) {
    select(type, routed);
  }
  for (auto& [service, attachment] : services) {
    out.push_back(std::move(attachment));
  }
}

// ---- the proxy itself

Attachment dataplane_attachment(const MeshView& view, const mesh::DataplaneView& dataplane) {
  Attachment out{.type = "dataplane"};
  for (const std::string_view type : {"TrafficTrace", "ProxyTemplate"}) {
    add(out, type, policy::select_for_dataplane(view.policies_of(type), dataplane));
  }
  const policy::ProxyPolicies matched(view, dataplane, nullptr);
  for (const policy::Policy& policy : policy::policies()) {
    out.policies[policy.type.name] = matched.of(policy.type.name).policies;
  }
  return out;
}

}  // namespace

std::vector<Attachment> attachments_of(const MeshView& view, const mesh::DataplaneView& dataplane) {
  const auto& networking = dataplane.resource->as<pb::Dataplane>().networking();
  std::vector<Attachment> out;
  out.push_back(dataplane_attachment(view, dataplane));
  for (const auto& inbound : networking.inbound()) {
    if (inbound.state() != Networking::Inbound::Ignored) {
      out.push_back(inbound_attachment(view, dataplane.address, inbound));
    }
  }
  add_outbounds(view, dataplane, out);
  for (Attachment& attachment : out) {
    std::erase_if(attachment.policies, [](const auto& entry) { return entry.second.empty(); });
  }
  std::erase_if(out, [](const Attachment& attachment) { return attachment.policies.empty(); });
  std::stable_sort(out.begin(), out.end(), [](const Attachment& a, const Attachment& b) {
    return std::tie(a.type, a.name, a.service) < std::tie(b.type, b.name, b.service);
  });
  return out;
}

}  // namespace kuma::api
