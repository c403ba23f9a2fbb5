#include <algorithm>
#include <set>

#include "absl/hash/hash.h"
#include "policy/reachability.h"
#include "xds/gen/outbounds.h"
#include "xds/gen/proxy_context.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::xds {
namespace {

using Outbound = mesh::v1alpha1::Dataplane::Networking::Outbound;
using TransparentProxying = mesh::v1alpha1::Dataplane::Networking::TransparentProxying;
using policy::ProxyOutbound;

constexpr char kAddressDefault[] = "127.0.0.1";
constexpr std::string_view kAccessLogPipe = "feature-tcp-accesslog-via-named-pipe";

// Where the proxy or its application listens: a VIP there would take the application's own traffic away.
std::set<std::pair<std::string, uint32_t>> own_addresses(const mesh::DataplaneView& dataplane,
                                                         const mesh::v1alpha1::Dataplane& spec) {
  std::set<std::pair<std::string, uint32_t>> own;
  for (const auto& inbound : spec.networking().inbound()) {
    const std::string& listens = inbound.address().empty() ? dataplane.address : inbound.address();
    own.emplace(listens, inbound.port());
    own.emplace(inbound.serviceaddress().empty() ? listens : inbound.serviceaddress(),
                inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport());
  }
  return own;
}

// Chooses the VIP outbounds of one proxy, by what its mesh has and what it may and wants to reach.
class VipChoice {
 public:
  VipChoice(const mesh::Vips& vips, std::set<std::pair<std::string, uint32_t>> own) : vips_(vips), own_(std::move(own)) {}

  // A list in the Dataplane is taken as it is: it says what the application needs.
  void add_listed(const TransparentProxying& redirection) {
    std::set<size_t> listed;  // in order of the mesh's
    for (const std::string& service : redirection.reachable_services()) {
      if (auto found = vips_.outbounds_of_service.find(service); found != vips_.outbounds_of_service.end()) {
        listed.insert(found->second.begin(), found->second.end());
      }
    }
    for (size_t index : listed) {
      add(vips_.outbounds[index]);
    }
  }

  void add_reachable(policy::ReachableServices& reachable) {
    for (const mesh::VipOutbound& one : vips_.outbounds) {
      if (reachable.contains(one.tags)) {
        add(one);
      }
    }
  }

  void add_all() {
    chosen_.reserve(vips_.outbounds.size());
    for (const mesh::VipOutbound& one : vips_.outbounds) {
      add(one);
    }
  }

  std::vector<const mesh::VipOutbound*> take() { return std::move(chosen_); }

 private:
  void add(const mesh::VipOutbound& one) {
    if (!own_.contains({one.address, one.port})) {
      chosen_.push_back(&one);
    }
  }

  const mesh::Vips& vips_;
  const std::set<std::pair<std::string, uint32_t>> own_;
  std::vector<const mesh::VipOutbound*> chosen_;
};

const mesh::Vips* vips_of(const mesh::MeshView& view, const mesh::v1alpha1::Dataplane& spec) {
  return spec.networking().has_transparent_proxying() ? view.vips.get() : nullptr;
}

std::vector<const mesh::VipOutbound*> choose_vips(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                                  SharedPieces* pieces) {
  const auto& spec = dataplane.resource->as<mesh::v1alpha1::Dataplane>();
  const mesh::Vips* vips = vips_of(view, spec);
  if (vips == nullptr) {
    return {};
  }
  VipChoice choice(*vips, own_addresses(dataplane, spec));
  if (const auto& redirection = spec.networking().transparent_proxying(); !redirection.reachable_services().empty()) {
    choice.add_listed(redirection);
  } else if (view.reach_tags != nullptr) {
    auto graph = pieces == nullptr ? std::make_shared<const policy::ReachGraph>(view, nullptr) : pieces->reach_graph(view);
    policy::ReachableServices reachable(*graph, dataplane.tag_sets);
    choice.add_reachable(reachable);
  } else {
    choice.add_all();
  }
  return choice.take();
}

}  // namespace

std::vector<ProxyOutbound> outbounds_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                        SharedPieces* pieces) {
  const auto& spec = dataplane.resource->as<mesh::v1alpha1::Dataplane>();
  const mesh::Vips* vips = vips_of(view, spec);
  std::vector<ProxyOutbound> outbounds;
  for (const mesh::VipOutbound* one : choose_vips(view, dataplane, pieces)) {
    outbounds.push_back({.address = one->address, .port = one->port, .tags = one->tags, .from_vip = true});
  }
  for (const Outbound& outbound : spec.networking().outbound()) {
    std::string address = outbound.address().empty() ? kAddressDefault : outbound.address();
    if (vips == nullptr || !vips->has_address(address)) {
      outbounds.push_back(
          {.address = std::move(address), .port = outbound.port(), .tags = mesh::to_tags(outbound.tags()), .from_vip = false});
    }
  }
  return outbounds;
}

uint64_t vip_fingerprint(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, SharedPieces* pieces) {
  uint64_t fingerprint = 0;
  for (const mesh::VipOutbound* one : choose_vips(view, dataplane, pieces)) {
    fingerprint = absl::HashOf(fingerprint, one->fingerprint);
  }
  return fingerprint;
}

void resolve_outbounds(ProxyContext& context) {
  const auto& redirection = context.spec.networking().transparent_proxying();
  context.resources.transparent = redirection.redirect_port_inbound() != 0 && redirection.redirect_port_outbound() != 0;
  const ProxyMetadata& metadata = context.proxy.metadata;
  context.resources.access_log_path = metadata.access_log_socket_path;
  context.resources.access_log_pipe = std::ranges::find(metadata.features, kAccessLogPipe) != metadata.features.end();
  context.resources.outbounds = outbounds_of(context.view, context.dataplane, context.pieces);
}

}  // namespace kuma::xds
