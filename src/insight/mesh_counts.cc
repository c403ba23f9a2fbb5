#include "insight/mesh_counts.h"

#include "insight/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"

namespace kuma::insight {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

constexpr std::string_view kServiceTag = "kuma.io/service";
constexpr std::string_view kUnknownVersion = "unknown";

void step(uint32_t& count, int sign) { count = static_cast<uint32_t>(static_cast<int64_t>(count) + sign); }

template <typename Stat>
void step(Stat& stat, ProxyStatus status, int sign) {
  switch (status) {
    case ProxyStatus::Online:
      return step(stat.online, sign);
    case ProxyStatus::PartiallyDegraded:
      return step(stat.partially_degraded, sign);
    case ProxyStatus::Offline:
      return step(stat.offline, sign);
  }
}

// Counts in an entry of a map, which goes when nothing is left in it.
template <typename StatByName>
void step_in(StatByName& map, std::string_view name, ProxyStatus status, int sign) {
  auto at = map.find(name);
  if (at == map.end()) {
    at = map.emplace(std::string(name), typename StatByName::mapped_type{}).first;
  }
  step(at->second, status, sign);
  if (at->second.all() == 0) {
    map.erase(at);
  }
}

const pb::DataplaneInsight* insight_in(const model::ResourcePtr& resource) {
  return resource == nullptr ? nullptr : &resource->as<pb::DataplaneInsight>();
}

std::string_view or_unknown(const std::string& version) { return version.empty() ? kUnknownVersion : version; }

template <typename TagMap>
const std::string* find_service(const TagMap& tags) {
  const auto tag = tags.find(std::string(kServiceTag));
  return tag == tags.end() ? nullptr : &tag->second;
}

// Calls visit(service) for each service that a dataplane contributes to: its gateway's, and its inbounds' but ignored
// ones.
template <typename Visit>
void for_each_service(const pb::Dataplane& dataplane, Visit visit) {
  static const std::string kNone;
  const auto& networking = dataplane.networking();
  if (networking.has_gateway()) {
    const std::string* service = find_service(networking.gateway().tags());
    visit(service == nullptr ? kNone : *service);
  }
  for (const auto& inbound : networking.inbound()) {
    if (inbound.state() != pb::Dataplane::Networking::Inbound::Ignored) {
      const std::string* service = find_service(inbound.tags());
      visit(service == nullptr ? kNone : *service);
    }
  }
}

}  // namespace

void MeshCounts::Stat::write(pb::MeshInsight::DataplaneStat& out, uint32_t total) const {
  out.set_online(online);
  out.set_offline(offline);
  out.set_partially_degraded(partially_degraded);
  out.set_total(total);
}

bool MeshCounts::apply(const model::Change& change) {
  const model::ResourceType& type = change.type();
  const bool is_dataplane = type.name == "Dataplane";
  if (is_dataplane || type.name == "DataplaneInsight") {
    const std::string& name = change.meta().name;
    Proxy& proxy = proxies_[name];
    count(proxy, -1);
    (is_dataplane ? proxy.dataplane : proxy.insight) = change.after;
    count(proxy, 1);
    if (proxy.dataplane == nullptr && proxy.insight == nullptr) {
      proxies_.erase(name);
    }
    return true;
  }
  if (type.name == "ExternalService") {
    apply_external_service(change);
    return true;
  }
  if (!type.is_policy) {
    return false;
  }
  const int sign = (change.after != nullptr) - (change.before != nullptr);
  const auto at = policies_.try_emplace(type.name).first;
  step(at->second, sign);
  if (at->second == 0) {
    policies_.erase(at);
  }
  return sign != 0;
}

void MeshCounts::apply_external_service(const model::Change& change) {
  const auto service_of = [](const model::Resource& resource) {
    const std::string* service = find_service(resource.as<pb::ExternalService>().tags());
    return service == nullptr ? std::string() : *service;
  };
  const std::string& name = change.meta().name;
  if (change.before != nullptr) {
    const auto at = services_.find(service_of(*change.before));
    if (at != services_.end() && at->second.external_addresses.erase(name) > 0) {
      --external_services_;
      if (at->second.external_addresses.empty() && !at->second.has_dataplanes()) {
        services_.erase(at);
      }
    }
  }
  if (change.after != nullptr) {
    const auto& service = change.after->as<pb::ExternalService>();
    services_[service_of(*change.after)].external_addresses[name] = service.networking().address();
    ++external_services_;
  }
}

MeshCounts::Kind MeshCounts::kind_of(const Proxy& proxy) {
  const auto& networking = proxy.dataplane->as<pb::Dataplane>().networking();
  if (!networking.has_gateway()) {
    return kStandard;
  }
  return networking.gateway().type() == pb::Dataplane::Networking::Gateway::BUILTIN ? kBuiltin : kDelegated;
}

void MeshCounts::count(const Proxy& proxy, int sign) {
  if (proxy.dataplane == nullptr) {
    return;
  }
  const pb::DataplaneInsight* insight = insight_in(proxy.insight);
  const ProxyStatus status = dataplane_status(proxy.dataplane->as<pb::Dataplane>(), insight);
  const Kind kind = kind_of(proxy);
  step(by_kind_[kind], status, sign);

  static const pb::Version kNoVersion;
  const bool has_subscription = insight != nullptr && insight->subscriptions_size() > 0;
  const pb::Version& version = has_subscription ? insight->subscriptions().rbegin()->version() : kNoVersion;
  step_in(kuma_dp_versions_, or_unknown(version.kumadp().version()), status, sign);
  step_in(envoy_versions_, or_unknown(version.envoy().version()), status, sign);

  std::string issued_backend;
  if (insight != nullptr && insight->has_mtls()) {
    issued_backend = insight->mtls().issuedbackend();
    step_in(issued_backends_, issued_backend, status, sign);
    for (const std::string& backend : insight->mtls().supportedbackends()) {
      step_in(supported_backends_, backend, status, sign);
    }
  }
  // A proxy that is up only in part counts as not there for its services.
  count_services(proxy, kind, status == ProxyStatus::Online, issued_backend, sign);
}

void MeshCounts::count_services(const Proxy& proxy, Kind kind, bool online, const std::string& issued_backend,
                                int sign) {
  for_each_service(proxy.dataplane->as<pb::Dataplane>(),
                   [&](const std::string& service) { count_service(service, kind, online, issued_backend, sign); });
}

void MeshCounts::count_service(const std::string& name, Kind kind, bool online, const std::string& issued_backend,
                               int sign) {
  const auto at = services_.try_emplace(name).first;
  Service& service = at->second;
  step(online ? service.online : service.offline, sign);
  step(service.contributors[kind], sign);
  if (!issued_backend.empty()) {
    const auto backend = service.issued_backends.try_emplace(issued_backend).first;
    step(backend->second, sign);
    if (backend->second == 0) {
      service.issued_backends.erase(backend);
    }
  }
  if (!service.has_dataplanes() && service.external_addresses.empty()) {
    services_.erase(at);
  }
}

pb::MeshInsight MeshCounts::mesh_insight() const {
  pb::MeshInsight out;
  Stat gateways, all;
  for (const Stat& stat : {by_kind_[kBuiltin], by_kind_[kDelegated]}) {
    gateways.online += stat.online;
    gateways.offline += stat.offline;
    gateways.partially_degraded += stat.partially_degraded;
  }
  const Stat& standard = by_kind_[kStandard];
  all = {gateways.online + standard.online, gateways.offline + standard.offline,
         gateways.partially_degraded + standard.partially_degraded};
  all.write(*out.mutable_dataplanes(), all.all());
  auto& by_type = *out.mutable_dataplanesbytype();
  standard.write(*by_type.mutable_standard(), standard.all());
  gateways.write(*by_type.mutable_gateway(), gateways.all());
  by_kind_[kBuiltin].write(*by_type.mutable_gatewaybuiltin(), by_kind_[kBuiltin].all());
  by_kind_[kDelegated].write(*by_type.mutable_gatewaydelegated(), by_kind_[kDelegated].all());

  for (const auto& [type, total] : policies_) {
    (*out.mutable_policies())[std::string(type)].set_total(total);
  }
  // The totals of versions leave out what is up in part, as clients of the reference see them.
  const auto write_versions = [](const StatByName& from, auto& to) {
    for (const auto& [version, stat] : from) {
      stat.write(to[version], stat.online + stat.offline);
    }
  };
  write_versions(kuma_dp_versions_, *out.mutable_dpversions()->mutable_kumadp());
  write_versions(envoy_versions_, *out.mutable_dpversions()->mutable_envoy());
  const auto write_backends = [](const StatByName& from, auto& to) {
    for (const auto& [backend, stat] : from) {
      stat.write(to[backend], stat.all());
    }
  };
  write_backends(issued_backends_, *out.mutable_mtls()->mutable_issuedbackends());
  write_backends(supported_backends_, *out.mutable_mtls()->mutable_supportedbackends());

  uint32_t internal = 0;
  for (const auto& [name, service] : services_) {
    internal += service.has_dataplanes();
  }
  out.mutable_services()->set_internal(internal);
  out.mutable_services()->set_external(external_services_);
  out.mutable_services()->set_total(internal + external_services_);
  return out;
}

// What kind of proxy comes first among those of a service: all are of one kind, but for odd meshes, where the first by
// name decides.
MeshCounts::Kind MeshCounts::first_kind(const std::string& service_name, const Service& service) const {
  for (const Kind kind : {kStandard, kBuiltin, kDelegated}) {
    if (service.contributors[kind] == service.online + service.offline) {
      return kind;
    }
  }
  for (const auto& [name, proxy] : proxies_) {
    bool contributes = false;
    if (proxy.dataplane != nullptr) {
      for_each_service(proxy.dataplane->as<pb::Dataplane>(),
                       [&](const std::string& contributed) { contributes |= contributed == service_name; });
    }
    if (contributes) {
      return kind_of(proxy);
    }
  }
  return kStandard;
}

pb::ServiceInsight::Service MeshCounts::describe(const std::string& name, const Service& service) const {
  using Out = pb::ServiceInsight::Service;
  Out out;
  out.mutable_dataplanes()->set_online(service.online);
  out.mutable_dataplanes()->set_offline(service.offline);
  for (const auto& [backend, count] : service.issued_backends) {
    (*out.mutable_issuedbackends())[backend] = count;
  }
  if (!service.external_addresses.empty()) {
    out.set_addressport(service.external_addresses.rbegin()->second);
  }
  if (!service.has_dataplanes()) {
    out.set_servicetype(Out::external);
    out.set_status(Out::not_available);
    return out;
  }
  const Kind kind = first_kind(name, service);
  out.set_servicetype(kind == kStandard  ? Out::internal
                      : kind == kBuiltin ? Out::gateway_builtin
                                         : Out::gateway_delegated);
  out.set_status(service.online == 0 ? Out::offline : service.offline == 0 ? Out::online : Out::partially_degraded);
  return out;
}

pb::ServiceInsight MeshCounts::service_insight() const {
  pb::ServiceInsight out;
  for (const auto& [name, service] : services_) {
    (*out.mutable_services())[name] = describe(name, service);
  }
  return out;
}

}  // namespace kuma::insight
