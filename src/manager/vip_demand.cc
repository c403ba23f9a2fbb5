#include "manager/vip_demand.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "google/protobuf/util/message_differencer.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "mesh/v1alpha1/virtual_outbound.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "model/virtual_outbound.h"
#include "policy/legacy.h"

namespace kuma::manager {
namespace {

using mesh::Tags;
using mesh::VipKey;
using mesh::VipKind;
using mesh::VipPort;
using mesh::v1alpha1::Dataplane;
using mesh::v1alpha1::ExternalService;
using mesh::v1alpha1::MeshGateway;
using mesh::v1alpha1::VirtualOutbound;
using mesh::v1alpha1::ZoneIngress;
using Inbound = Dataplane::Networking::Inbound;

constexpr size_t kProblemsMax = 100;  // of one mesh; the others are counted

std::string describe_destination(const Tags& tags) {
  std::string text;
  for (const auto& [key, value] : tags) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

class DemandBuilder {
 public:
  explicit DemandBuilder(const VipSources& sources) : sources_(sources) {}

  VipDemand build() {
    for (const auto& dataplane : sources_.dataplanes) {
      add_dataplane(dataplane->as<Dataplane>());
    }
    for (const auto& ingress : sources_.zone_ingresses) {
      add_ingress(ingress->as<ZoneIngress>());
    }
    for (const auto& service : sources_.external_services) {
      add_external_service(service->meta.name, service->as<ExternalService>());
    }
    for (const auto& gateway : sources_.gateways) {
      add_gateway(gateway->meta, gateway->as<MeshGateway>());
    }
    if (left_out_ > 0) {
      demand_.problems.push_back(fmt::format("and {} more of the kind", left_out_));
    }
    return std::move(demand_);
  }

 private:
  void add_dataplane(const Dataplane& dataplane) {
    const auto& networking = dataplane.networking();
    use(networking.address());
    use(networking.advertisedaddress());
    for (const Inbound& inbound : networking.inbound()) {
      use(inbound.address());
      if (inbound.state() != Inbound::Ignored) {
        add_instance(mesh::to_tags(inbound.tags()));
      }
    }
  }

  void use(const std::string& address) {
    if (!address.empty()) {
      demand_.used_addresses.insert(address);
    }
  }

  void add_ingress(const ZoneIngress& ingress) {
    if (ingress.zone().empty() || ingress.zone() == sources_.zone) {
      return;
    }
    for (const auto& service : ingress.availableservices()) {
      if (service.mesh() == sources_.mesh) {
        add_instance(mesh::to_tags(service.tags()));
      } else {
        add_virtual_outbounds(mesh::to_tags(service.tags()));
      }
    }
  }

  // Most instances of a service have the same tags: they are looked at once.
  void add_instance(const Tags& tags) {
    if (!seen_.insert(tags).second) {
      return;
    }
    add_service(std::string(mesh::tag(tags, mesh::kServiceTag)), 0);
    add_virtual_outbounds(tags);
  }

  void add_service(const std::string& service, uint32_t port, const std::string& origin = "service") {
    if (sources_.service_vips && !service.empty()) {
      add({VipKind::Service, service}, {port, {{std::string(mesh::kServiceTag), service}}, origin});
    }
  }

  void add_external_service(const std::string& name, const ExternalService& external) {
    const std::string& address = external.networking().address();
    const size_t colon = address.rfind(':');
    const Tags tags = mesh::to_tags(external.tags());
    const std::string service(mesh::tag(tags, mesh::kServiceTag));
    uint32_t port = 0;
    if (colon != std::string::npos) {
      std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    }
    if (port == 0 || port > 65535 || service.empty()) {
      report(fmt::format("ExternalService \"{}\": its address \"{}\" has no port, so it gets no name", name, address));
      return;
    }
    add_service(service, port);
    const Tags destination{{std::string(mesh::kServiceTag), service}};
    if (!external.networking().disablehostdnsentry()) {
      std::string host = address.substr(0, colon);
      if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
      }
      add({VipKind::Host, host}, {port, destination, "external-service:" + name});
    }
    add_virtual_outbounds(destination);
  }

  void add_gateway(const model::ResourceMeta& meta, const MeshGateway& gateway) {
    for (const auto& listener : gateway.conf().listeners()) {
      if (!listener.crossmesh()) {
        continue;
      }
      std::string host = listener.hostname();
      if (host.empty() || host.find('*') != std::string::npos) {
        host = fmt::format("internal.{}.{}.{}", meta.name, meta.mesh, sources_.domain);
      }
      for (const auto& selector : gateway.selectors()) {
        Tags tags = mesh::to_tags(selector.match());
        tags.insert_or_assign(std::string(mesh::kMeshTag), meta.mesh);
        tags.insert(listener.tags().begin(), listener.tags().end());
        tags.insert(gateway.tags().begin(), gateway.tags().end());
        add({VipKind::Fqdn, host},
            {listener.port(), std::move(tags), fmt::format("mesh-gateway:{}:{}:{}", meta.mesh, meta.name, host)});
      }
    }
  }

  // The most specific first, of those the newest: that is who has a name that several want.
  void add_virtual_outbounds(const Tags& tags) {
    struct Candidate {
      policy::Rank rank;
      const model::Resource* policy;
    };
    std::vector<Candidate> candidates;
    for (const auto& policy : sources_.virtual_outbounds) {
      if (auto rank = policy::best_rank(*policy, policy::SelectorList::Selectors, {tags})) {
        candidates.push_back({*rank, policy.get()});
      }
    }
    std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
      return a.rank != b.rank ? a.rank > b.rank : a.policy->meta.creation_time > b.policy->meta.creation_time;
    });
    for (const Candidate& candidate : candidates) {
      add_virtual_outbound(*candidate.policy, tags);
    }
  }

  void add_virtual_outbound(const model::Resource& policy, const Tags& tags) {
    const auto& conf = policy.as<VirtualOutbound>().conf();
    std::map<std::string, std::string> parameters;
    Tags destination;
    for (const auto& parameter : conf.parameters()) {
      const std::string& key = model::tag_key_of(parameter);
      if (auto found = tags.find(key); found != tags.end()) {
        parameters[parameter.name()] = found->second;
        destination.insert(*found);
      }
    }
    if (!destination.contains(mesh::kServiceTag)) {
      return;  // where to is not said
    }
    auto host = model::evaluate_host(conf, parameters);
    auto port = host.ok() ? model::evaluate_port(conf, parameters) : absl::StatusOr<uint32_t>(0U);
    if (!host.ok() || !port.ok()) {
      report(fmt::format("VirtualOutbound \"{}\" gives {} no name: {}", policy.meta.name, describe_destination(tags),
                         message_of(host.ok() ? port.status() : host.status())));
      return;
    }
    add({VipKind::Fqdn, *std::move(host)}, {*port, std::move(destination), "virtual-outbound:" + policy.meta.name});
  }

  void add(VipKey key, VipPort port) {
    auto [found, is_new] = demand_.table.try_emplace(std::move(key));
    const auto& [name, entry] = *found;
    if (is_new && name.kind == VipKind::Host && is_ip_address(name.name)) {
      found->second.address = name.name;
    }
    auto at = std::ranges::lower_bound(entry.ports, port.port, {}, &VipPort::port);
    if (at == entry.ports.end() || at->port != port.port) {
      found->second.ports.insert(at, std::move(port));
    } else if (at->tags != port.tags) {
      report(fmt::format("{} wants {}:{} for {}, which {} has for {}", port.origin, name.name, port.port,
                         describe_destination(port.tags), at->origin, describe_destination(at->tags)));
    }
  }

  void report(std::string problem) {
    if (demand_.problems.size() < kProblemsMax) {
      demand_.problems.push_back(std::move(problem));
    } else {
      ++left_out_;
    }
  }

  const VipSources& sources_;
  VipDemand demand_;
  std::set<Tags> seen_;
  size_t left_out_ = 0;
};

bool same_inbound(const Inbound& a, const Inbound& b) {
  return a.address() == b.address() && (a.state() == Inbound::Ignored) == (b.state() == Inbound::Ignored) &&
         a.tags_size() == b.tags_size() && std::ranges::all_of(a.tags(), [&](const auto& tag) {
           auto found = b.tags().find(tag.first);
           return found != b.tags().end() && found->second == tag.second;
         });
}

// Readiness, ports, redirection: what changes often, names don't depend on.
bool same_for_names(const Dataplane& a, const Dataplane& b) {
  const auto &x = a.networking(), &y = b.networking();
  return x.address() == y.address() && x.advertisedaddress() == y.advertisedaddress() &&
         std::ranges::equal(x.inbound(), y.inbound(), same_inbound);
}

}  // namespace

VipDemand build_vip_demand(const VipSources& sources) { return DemandBuilder(sources).build(); }

bool concerns_vips(const model::Resource* before, const model::Resource* after) {
  const std::string_view type = (before != nullptr ? before : after)->type->name;
  const bool is_one = type == "Dataplane" || type == "ZoneIngress" || type == "ExternalService" ||
                      type == "VirtualOutbound" || type == "MeshGateway";
  if (!is_one || before == nullptr || after == nullptr) {
    return is_one;
  }
  if (type == "Dataplane") {
    return !same_for_names(before->as<Dataplane>(), after->as<Dataplane>());
  }
  return !google::protobuf::util::MessageDifferencer::Equals(*before->message, *after->message);
}

}  // namespace kuma::manager
