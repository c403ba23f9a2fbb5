#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::ctl {

// The iptables rules that lead a host's traffic through its proxy, as text for iptables-restore (spec/transparent-proxy.md
// §2). Pure: what the host is like comes in.

// `--exclude-outbound-ports-for-uids`: one protocol's ports that some users reach without the proxy.
struct UidExclusion {
  std::string protocol;  // tcp, udp
  std::string ports;     // as iptables writes them: `53,3000:5000`
  std::string uids;      // `106`, `106:108`
};

// `uids`, `ports:uids` or `protocols:ports:uids`, one exclusion for each protocol. InvalidArgument in the words of the
// reference.
absl::StatusOr<std::vector<UidExclusion>> parse_uid_exclusion(const std::string& text);

// `80,443`. InvalidArgument `value 'x', is not valid uint16`.
absl::StatusOr<uint16_t> parse_port(const std::string& text);
absl::StatusOr<std::vector<uint16_t>> parse_ports(const std::string& text);

struct VirtualNetwork {
  std::string interface;  // of the host, `docker0` or `br+`
  std::string cidr;
};

// `interface:CIDR`. InvalidArgument.
absl::StatusOr<VirtualNetwork> parse_virtual_network(const std::string& text);

struct TransparentSettings {
  std::string uid = {};  // that kuma-dp runs as
  uint16_t outbound_port = 15001;
  bool redirect_inbound = true;
  uint16_t inbound_port = 15006;
  uint16_t inbound_port_v6 = 15010;
  std::vector<uint16_t> exclude_inbound = {};
  std::vector<uint16_t> exclude_outbound = {};
  std::vector<UidExclusion> exclude_for_uids = {};
  bool redirect_dns = false;      // to the name servers of the host
  bool redirect_all_dns = false;  // to any
  uint16_t dns_port = 15053;
  bool split_conntrack_zones = true;  // with DNS redirection
  std::vector<VirtualNetwork> networks = {};
  std::string loopback = "lo";
  std::string dns_upstream_chain = "RETURN";  // DOCKER_OUTPUT where docker's name server is in between
  std::vector<std::string> name_servers = {};  // of both families
  bool verbose = false;

  bool handles_dns() const { return redirect_dns || redirect_all_dns; }
};

enum class IpFamily { V4, V6 };

// All tables, raw first.
std::string transparent_rules(const TransparentSettings& settings, IpFamily family);

}  // namespace kuma::ctl
