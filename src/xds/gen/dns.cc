#include <array>
#include <map>
#include <string>

#include <arpa/inet.h>

#include "base/text.h"
#include "envoy/extensions/filters/udp/dns_filter/v3/dns_filter.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/pack.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::core::v3::SocketAddress;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::udp::dns_filter::v3::DnsFilterConfig;
using ::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
namespace make = policy::envoy;

constexpr std::string_view kListener = "kuma:dns";
constexpr std::string_view kDnsFilter = "envoy.filters.udp.dns_filter";
constexpr std::string_view kCaresResolver = "envoy.network.dns_resolver.cares";
constexpr char kLoopback[] = "127.0.0.1";
constexpr std::chrono::seconds kAnswerTtl{30};
constexpr uint64_t kLookupsMax = 256;

struct DnsListener {
  uint32_t port = 0;
  uint32_t empty_port = 0;  // where a server answers that there is no such name
  bool ipv6 = false;        // answer with an IPv6 form of the address as well
  std::map<std::string, std::string> addresses;  // by name
};

// ::ffff:f000:1 for 240.0.0.1: what applications that speak IPv6 only connect to. Empty for what is IPv6 already.
std::string to_ipv6(const std::string& address) {
  std::array<uint8_t, 4> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) != 1) {
    return "";
  }
  return fmt::format("::ffff:{:x}:{:x}", bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3]);
}

DnsFilterConfig make_filter(const DnsListener& from) {
  DnsFilterConfig filter;
  filter.set_stat_prefix("kuma_dns");
  auto& table = *filter.mutable_server_config()->mutable_inline_dns_table();
  for (const auto& [name, address] : from.addresses) {
    auto& domain = *table.add_virtual_domains();
    domain.set_name(name);
    *domain.mutable_answer_ttl() = make::to_duration(kAnswerTtl);
    auto& list = *domain.mutable_endpoint()->mutable_address_list();
    list.add_address(address);
    if (std::string second = from.ipv6 ? to_ipv6(address) : ""; !second.empty()) {
      list.add_address(std::move(second));
    }
  }
  CaresDnsResolverConfig resolver;
  make::set_address(*resolver.add_resolvers(), kLoopback, from.empty_port);
  auto& client = *filter.mutable_client_config();
  client.set_max_pending_lookups(kLookupsMax);
  client.mutable_typed_dns_resolver_config()->set_name(std::string(kCaresResolver));
  make::pack(resolver, client.mutable_typed_dns_resolver_config()->mutable_typed_config());
  return filter;
}

void make_listener(const DnsListener& from, Listener& listener) {
  set_inbound_listener(listener, kListener, kLoopback, from.port);
  listener.mutable_address()->mutable_socket_address()->set_protocol(SocketAddress::UDP);
  listener.mutable_enable_reuse_port()->set_value(true);
  auto& filter = *listener.add_listener_filters();
  filter.set_name(std::string(kDnsFilter));
  make::pack(make_filter(from), filter.mutable_typed_config());
}

}  // namespace

absl::Status generate_dns(ProxyContext& context) {
  const ProxyMetadata& metadata = context.proxy.metadata;
  const auto& networking = context.spec.networking();
  if (metadata.dns_port == 0 || metadata.dns_empty_port == 0 || !networking.has_transparent_proxying()) {
    return absl::OkStatus();
  }
  DnsListener from{.port = metadata.dns_port,
                   .empty_port = metadata.dns_empty_port,
                   .ipv6 = networking.transparent_proxying().redirect_port_inbound_v6() != 0,
                   .addresses = {}};
  policy::PieceKey key("dns-listener");
  key.add(from.port).add(from.empty_port).add(from.ipv6);
  // A name without a listener behind its address would lead nowhere.
  for (const policy::ProxyOutbound& outbound : context.resources.outbounds) {
    if (!outbound.from_vip) {
      continue;
    }
    for (const std::string& name : context.view.vips->names.at(outbound.address)) {
      from.addresses.emplace(name, outbound.address);
    }
  }
  for (const auto& [name, address] : from.addresses) {
    key.add(std::string_view(name)).add(std::string_view(address));
  }
  policy::ProxyResources::put(
      context.resources.listeners,
      own_draft<policy::ListenerDraft>(kListener, policy::Origin::Dns, std::move(key),
                                       [from = std::move(from)](Listener& listener) { make_listener(from, listener); }));
  return absl::OkStatus();
}

}  // namespace kuma::xds
