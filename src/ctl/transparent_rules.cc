#include "ctl/transparent_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace kuma::ctl {
namespace {

constexpr std::string_view kInbound = "KUMA_MESH_INBOUND";
constexpr std::string_view kOutbound = "KUMA_MESH_OUTBOUND";
constexpr std::string_view kInboundRedirect = "KUMA_MESH_INBOUND_REDIRECT";
constexpr std::string_view kOutboundRedirect = "KUMA_MESH_OUTBOUND_REDIRECT";
constexpr uint16_t kDns = 53;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// One option of a rule, with its short and its long name.
struct Option {
  std::string_view brief;
  std::string_view verbose;
  std::string value;
  bool is_negated = false;

  std::string text(bool in_full) const { return fmt::format("{}{} {}", is_negated ? "! " : "", in_full ? verbose : brief, value); }
};

Option protocol(std::string_view name) { return {"-p", "--protocol", std::string(name)}; }
Option destination_port(uint16_t port) { return {"--dport", "--destination-port", std::to_string(port)}; }
Option source_port(uint16_t port) { return {"--sport", "--source-port", std::to_string(port)}; }
Option match(std::string_view module) { return {"-m", "--match", std::string(module)}; }
Option owner(const std::string& uid) { return {"--uid-owner", "--uid-owner", uid}; }
Option source(std::string_view address) { return {"-s", "--source", std::string(address)}; }
Option destination(std::string_view address) { return {"-d", "--destination", std::string(address)}; }
Option in_interface(const std::string& name) { return {"-i", "--in-interface", name}; }
Option out_interface(const std::string& name) { return {"-o", "--out-interface", name}; }
Option jump(std::string_view target) { return {"-j", "--jump", std::string(target)}; }
Option to_ports(uint16_t port) { return {"--to-ports", "--to-ports", std::to_string(port)}; }
Option zone(int number) { return {"--zone", "--zone", std::to_string(number)}; }
Option negated(Option option) {
  option.is_negated = true;
  return option;
}

class Table {
 public:
  Table(std::string_view name, bool verbose) : name_(name), verbose_(verbose) {}

  void add_chain(std::string_view chain) { chains_.emplace_back(chain); }
  void append(std::string_view chain, const std::vector<Option>& options) {
    add(fmt::format("{} {}", verbose_ ? "--append" : "-A", chain), options);
  }
  void insert(std::string_view chain, size_t position, const std::vector<Option>& options) {
    add(fmt::format("{} {} {}", verbose_ ? "--insert" : "-I", chain, position), options);
  }

  // Empty for a table without rules.
  std::string text() const {
    if (rules_.empty()) {
      return "";
    }
    std::vector<std::string> lines{fmt::format("* {}", name_)};
    const auto add_group = [&](std::string_view title, const std::vector<std::string>& group) {
      if (verbose_ && !group.empty()) {
        lines.insert(lines.end(), {"", fmt::format("# {}:", title)});
      }
      lines.insert(lines.end(), group.begin(), group.end());
    };
    std::vector<std::string> chains;
    for (const std::string& chain : chains_) {
      chains.push_back(fmt::format("{} {}", verbose_ ? "--new-chain" : "-N", chain));
    }
    add_group("Custom Chains", chains);
    add_group("Rules", rules_);
    if (verbose_) {
      lines.emplace_back();
    }
    lines.emplace_back("COMMIT");
    return fmt::format("{}\n", fmt::join(lines, "\n"));
  }

 private:
  void add(std::string rule, const std::vector<Option>& options) {
    for (const Option& option : options) {
      rule += " " + option.text(verbose_);
    }
    rules_.push_back(std::move(rule));
  }

  std::string_view name_;
  bool verbose_;
  std::vector<std::string> chains_, rules_;
};

// What differs between the two families.
struct Addresses {
  std::string_view self;       // that Envoy dials from, past these rules
  std::string_view localhost;
};

Addresses addresses_of(IpFamily family) {
  return family == IpFamily::V6 ? Addresses{"::6/128", "::1/128"} : Addresses{"127.0.0.6/32", "127.0.0.1/32"};
}

bool is_of(const std::string& address, IpFamily family) { return is_ipv6_address(address.substr(0, address.find('/'))) == (family == IpFamily::V6); }

std::vector<std::string> name_servers_of(const TransparentSettings& settings, IpFamily family) {
  std::vector<std::string> servers;
  std::copy_if(settings.name_servers.begin(), settings.name_servers.end(), std::back_inserter(servers),
               [&](const std::string& server) { return is_of(server, family); });
  return servers;
}

// Calls `add` with what a DNS rule begins with: nothing for all DNS traffic, else the destination of each name server.
template <typename Add>
void for_each_dns_destination(const TransparentSettings& settings, IpFamily family, Add add) {
  if (settings.redirect_all_dns) {
    add(std::vector<Option>());
  } else if (settings.redirect_dns) {
    for (const std::string& server : name_servers_of(settings, family)) {
      add(std::vector<Option>{destination(server)});
    }
  }
}

std::vector<Option> joined(std::vector<Option> first, const std::vector<Option>& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

void add_prerouting(const TransparentSettings& settings, IpFamily family, Table& nat) {
  size_t position = 1;
  for (const VirtualNetwork& network : settings.networks) {
    if (!is_of(network.cidr, family)) {
      continue;
    }
    nat.insert("PREROUTING", position++, {in_interface(network.interface), match("udp"), protocol("udp"), destination_port(kDns), jump("REDIRECT"), to_ports(settings.dns_port)});
    nat.insert("PREROUTING", position++, {negated(destination(network.cidr)), in_interface(network.interface), protocol("tcp"), jump("REDIRECT"), to_ports(settings.outbound_port)});
  }
  const std::vector<Option> to_mesh = {protocol("tcp"), jump(kInbound)};
  if (position == 1) {
    nat.append("PREROUTING", to_mesh);
  } else {
    nat.insert("PREROUTING", position, to_mesh);
  }
}

void add_output(const TransparentSettings& settings, IpFamily family, Table& nat) {
  size_t position = 1;
  for (const UidExclusion& exclusion : settings.exclude_for_uids) {
    nat.insert("OUTPUT", position++,
               {match("multiport"), protocol(exclusion.protocol), Option{"--dport", "--destination-port", exclusion.ports}, match("owner"),
                owner(exclusion.uids), jump("RETURN")});
  }
  if (settings.handles_dns()) {
    nat.insert("OUTPUT", position++,
               {protocol("udp"), destination_port(kDns), match("owner"), owner(settings.uid),
                jump(family == IpFamily::V4 ? std::string_view(settings.dns_upstream_chain) : "RETURN")});
  }
  for_each_dns_destination(settings, family, [&](const std::vector<Option>& start) {
    nat.insert("OUTPUT", position++, joined(start, {protocol("udp"), destination_port(kDns), jump("REDIRECT"), to_ports(settings.dns_port)}));
  });
  nat.append("OUTPUT", {protocol("tcp"), jump(kOutbound)});
}

void add_mesh_inbound(const TransparentSettings& settings, Table& nat) {
  if (!settings.redirect_inbound) {
    nat.append(kInbound, {protocol("tcp"), jump("RETURN")});
    return;
  }
  for (const uint16_t port : settings.exclude_inbound) {
    nat.append(kInbound, {protocol("tcp"), destination_port(port), jump("RETURN")});
  }
  nat.append(kInbound, {protocol("tcp"), jump(kInboundRedirect)});
}

void add_mesh_outbound(const TransparentSettings& settings, IpFamily family, Table& nat) {
  const Addresses addresses = addresses_of(family);
  for (const uint16_t port : settings.exclude_outbound) {
    nat.append(kOutbound, {protocol("tcp"), destination_port(port), jump("RETURN")});
  }
  std::vector<Option> tcp = {protocol("tcp")};
  if (settings.handles_dns()) {
    tcp.push_back(negated(destination_port(kDns)));
  }
  nat.append(kOutbound, {source(addresses.self), out_interface(settings.loopback), jump("RETURN")});
  nat.append(kOutbound, joined(tcp, {out_interface(settings.loopback), negated(destination(addresses.localhost)), match("owner"), owner(settings.uid),
                                     jump(kInboundRedirect)}));
  nat.append(kOutbound, joined(tcp, {out_interface(settings.loopback), match("owner"), negated(owner(settings.uid)), jump("RETURN")}));
  nat.append(kOutbound, {match("owner"), owner(settings.uid), jump("RETURN")});
  for_each_dns_destination(settings, family, [&](const std::vector<Option>& start) {
    nat.append(kOutbound, joined(start, {protocol("tcp"), destination_port(kDns), jump("REDIRECT"), to_ports(settings.dns_port)}));
  });
  nat.append(kOutbound, {destination(addresses.localhost), jump("RETURN")});
  nat.append(kOutbound, {jump(kOutboundRedirect)});
}

std::string nat_table(const TransparentSettings& settings, IpFamily family) {
  Table nat("nat", settings.verbose);
  for (const std::string_view chain : {kInbound, kOutbound, kInboundRedirect, kOutboundRedirect}) {
    nat.add_chain(chain);
  }
  add_prerouting(settings, family, nat);
  add_output(settings, family, nat);
  add_mesh_inbound(settings, nat);
  add_mesh_outbound(settings, family, nat);
  const uint16_t inbound_port = family == IpFamily::V6 ? settings.inbound_port_v6 : settings.inbound_port;
  nat.append(kInboundRedirect, {protocol("tcp"), jump("REDIRECT"), to_ports(inbound_port)});
  nat.append(kOutboundRedirect, {protocol("tcp"), jump("REDIRECT"), to_ports(settings.outbound_port)});
  return nat.text();
}

// Keeps the proxy's own DNS connections apart from those that are redirected to it (§2.3).
std::string raw_table(const TransparentSettings& settings, IpFamily family) {
  Table raw("raw", settings.verbose);
  if (!settings.handles_dns() || !settings.split_conntrack_zones) {
    return "";
  }
  for_each_dns_destination(settings, family, [&](const std::vector<Option>& start) {
    raw.append("PREROUTING", joined(start, {protocol("udp"), source_port(kDns), jump("CT"), zone(1)}));
  });
  raw.append("OUTPUT", {protocol("udp"), destination_port(kDns), match("owner"), owner(settings.uid), jump("CT"), zone(1)});
  raw.append("OUTPUT", {protocol("udp"), source_port(settings.dns_port), match("owner"), owner(settings.uid), jump("CT"), zone(2)});
  for_each_dns_destination(settings, family, [&](const std::vector<Option>& start) {
    raw.append("OUTPUT", joined(start, {protocol("udp"), destination_port(kDns), jump("CT"), zone(2)}));
  });
  return raw.text();
}

absl::Status check_value_or_range(const std::string& text) {
  for (const std::string& value : split(text, '-')) {
    if (const auto port = parse_port(value); !port.ok()) {
      return absl::InvalidArgumentError(fmt::format("values or range '{}' failed validation: {}", text, message_of(port.status())));
    }
  }
  return absl::OkStatus();
}

std::string with_colons(std::string text) {
  std::replace(text.begin(), text.end(), '-', ':');
  return text;
}

absl::StatusOr<std::string> parse_exclusion_ports(const std::string& text) {
  if (text.empty() || text == "*") {
    return "1:65535";
  }
  for (const std::string& range : split(text, ',')) {
    KUMA_RETURN_IF_ERROR(check_value_or_range(range));
  }
  return with_colons(text);
}

absl::StatusOr<std::string> parse_uids(const std::string& text) {
  if (text == "*") {
    return absl::InvalidArgumentError("can't use wildcard '*' for uids");
  }
  if (text.find(',') != std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("uid entry invalid:'{}', it should either be a single item or a range", text));
  }
  KUMA_RETURN_IF_ERROR(check_value_or_range(text));
  return with_colons(text);
}

absl::StatusOr<std::vector<std::string>> parse_protocols(const std::string& text) {
  if (text.empty() || text == "*") {
    return std::vector<std::string>{"tcp", "udp"};
  }
  std::vector<std::string> protocols = split(text, ',');
  for (const std::string& name : protocols) {
    if (name != "tcp" && name != "udp") {
      return absl::InvalidArgumentError(fmt::format("protocol '{}' is invalid or unsupported", name));
    }
  }
  std::sort(protocols.begin(), protocols.end());  // tcp first
  return protocols;
}

}  // namespace

absl::StatusOr<uint16_t> parse_port(const std::string& text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, port);
  if (text.empty() || failure != std::errc() || rest != end) {
    return absl::InvalidArgumentError(fmt::format("value '{}', is not valid uint16", text));
  }
  return port;
}

absl::StatusOr<std::vector<uint16_t>> parse_ports(const std::string& text) {
  std::vector<uint16_t> ports;
  if (text.empty()) {
    return ports;
  }
  for (std::string part : split(text, ',')) {
    std::erase(part, ' ');
    KUMA_ASSIGN_OR_RETURN(const uint16_t port, parse_port(part));
    ports.push_back(port);
  }
  return ports;
}

absl::StatusOr<std::vector<UidExclusion>> parse_uid_exclusion(const std::string& text) {
  std::vector<std::string> parts = split(text, ':');
  if (parts.size() > 3 || text.empty()) {
    return absl::InvalidArgumentError(fmt::format("value: '{}' is invalid - format for excluding ports by uids <protocol:>?<ports:>?uids", text));
  }
  parts.insert(parts.begin(), 3 - parts.size(), "*");
  KUMA_ASSIGN_OR_RETURN(const std::vector<std::string> protocols, parse_protocols(parts[0]));
  KUMA_ASSIGN_OR_RETURN(const std::string ports, parse_exclusion_ports(parts[1]));
  KUMA_ASSIGN_OR_RETURN(const std::string uids, parse_uids(parts[2]));
  std::vector<UidExclusion> exclusions;
  for (const std::string& name : protocols) {
    exclusions.push_back({.protocol = name, .ports = ports, .uids = uids});
  }
  return exclusions;
}

absl::StatusOr<VirtualNetwork> parse_virtual_network(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(fmt::format("incorrect definition of virtual network: {}", text));
  }
  VirtualNetwork network{.interface = text.substr(0, colon), .cidr = text.substr(colon + 1)};
  const size_t slash = network.cidr.find('/');
  const std::string address = network.cidr.substr(0, slash);
  const auto bits = parse_port(slash == std::string::npos ? "" : network.cidr.substr(slash + 1));
  if (!is_ip_address(address) || !bits.ok() || *bits > (is_ipv6_address(address) ? 128 : 32)) {
    return absl::InvalidArgumentError(fmt::format("incorrect CIDR definition: invalid CIDR address: {}", network.cidr));
  }
  return network;
}

std::string transparent_rules(const TransparentSettings& settings, IpFamily family) {
  const std::string raw = raw_table(settings, family);
  return raw + (raw.empty() || !settings.verbose ? "" : "\n") + nat_table(settings, family);
}

}  // namespace kuma::ctl
