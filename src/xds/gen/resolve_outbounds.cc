#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using Outbound = mesh::v1alpha1::Dataplane::Networking::Outbound;
using policy::ProxyOutbound;

constexpr char kAddressDefault[] = "127.0.0.1";

void add_explicit(const Outbound& outbound, std::vector<ProxyOutbound>& outbounds) {
  outbounds.push_back({.address = outbound.address().empty() ? kAddressDefault : outbound.address(),
                       .port = outbound.port(),
                       .tags = mesh::to_tags(outbound.tags()),
                       .from_vip = false});
}

}  // namespace

void resolve_outbounds(ProxyContext& context) {
  const auto& networking = context.spec.networking();
  const auto& redirection = networking.transparent_proxying();
  context.resources.transparent = redirection.redirect_port_inbound() != 0 && redirection.redirect_port_outbound() != 0;
  for (const Outbound& outbound : networking.outbound()) {
    add_explicit(outbound, context.resources.outbounds);
  }
}

}  // namespace kuma::xds
