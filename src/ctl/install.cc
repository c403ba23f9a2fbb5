#include "base/status.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/iptables.h"

namespace kuma::ctl {
namespace {

struct InstallFlags {
  bool dry_run = false, verbose = false, redirect_dns = false, redirect_all_dns = false, skip_zone_split = false, store_firewalld = false,
       ebpf = false;
  bool redirect_inbound = true;
  std::string user, uid;
  std::string outbound_port = "15001", inbound_port = "15006", inbound_port_v6 = "15010", dns_port = "15053";
  std::string exclude_inbound, exclude_outbound;
  std::vector<std::string> exclude_for_uids, exclude_tcp_for_uids, exclude_udp_for_uids, networks;
  unsigned wait = 5, wait_interval = 0;
  int retries = 5;
  std::string pause = "2s";
  std::string ignored;
};

absl::Status annotated(const absl::Status& status, std::string_view what) {
  return annotate(status, "failed to setup transparent proxy: {}", what);
}

absl::Status read_port(const std::string& text, std::string_view what, uint16_t& out) {
  const auto port = parse_port(text);
  if (!port.ok()) {
    return annotated(port.status(), fmt::format("parsing {} port failed", what));
  }
  out = *port;
  return absl::OkStatus();
}

absl::Status read_ports(const std::string& text, std::string_view direction, std::vector<uint16_t>& out) {
  auto ports = parse_ports(text);
  if (!ports.ok()) {
    return annotated(ports.status(), fmt::format("cannot parse {} ports to exclude", direction));
  }
  out = *std::move(ports);
  return absl::OkStatus();
}

absl::StatusOr<std::string> find_uid(const Host& host, const InstallFlags& flags) {
  if (!flags.uid.empty() && (host.has_uid(flags.uid) || flags.user.empty())) {
    return flags.uid;  // one that nobody has is taken as it is
  }
  if (const auto uid = host.uid_of(flags.user)) {
    return *uid;
  }
  return absl::NotFoundError("unable to find the kuma-dp user: --kuma-dp-user or --kuma-dp-uid should refer to a valid user on the host");
}

absl::Status check(const InstallFlags& flags) {
  if (flags.user.empty() && flags.uid.empty()) {
    return absl::InvalidArgumentError("--kuma-dp-user or --kuma-dp-uid should be supplied");
  }
  if (flags.redirect_dns && flags.redirect_all_dns) {
    return absl::InvalidArgumentError("one of --redirect-dns or --redirect-all-dns-traffic should be specified");
  }
  if (flags.ebpf) {
    return absl::UnimplementedError("--ebpf-enabled: this version sets transparent proxying up with iptables only; leave the flag out");
  }
  if (flags.store_firewalld) {
    return absl::UnimplementedError("--store-firewalld: this version does not write firewalld's configuration; run the command at each start instead");
  }
  if (!flags.exclude_for_uids.empty() && !(flags.exclude_tcp_for_uids.empty() && flags.exclude_udp_for_uids.empty())) {
    return absl::InvalidArgumentError(
        "--exclude-outbound-ports-for-uids set you can't use --exclude-outbound-tcp-ports-for-uids and --exclude-outbound-udp-ports-for-uids anymore");
  }
  return absl::OkStatus();
}

absl::Status read_exclusions(const InstallFlags& flags, std::ostream& err, std::vector<UidExclusion>& out) {
  std::vector<std::string> texts = flags.exclude_for_uids;
  for (const auto& [protocol, values] : {std::pair("tcp", &flags.exclude_tcp_for_uids), std::pair("udp", &flags.exclude_udp_for_uids)}) {
    if (!values->empty()) {
      err << fmt::format("# [WARNING] flag --exclude-outbound-{}-ports-for-uids is deprecated use --exclude-outbound-ports-for-uids instead\n", protocol);
    }
    for (const std::string& value : *values) {
      texts.push_back(fmt::format("{}:{}", protocol, value));
    }
  }
  for (const std::string& text : texts) {
    auto exclusions = parse_uid_exclusion(text);
    if (!exclusions.ok()) {
      return annotated(exclusions.status(), "parsing excluded outbound ports for uids failed");
    }
    out.insert(out.end(), exclusions->begin(), exclusions->end());
  }
  return absl::OkStatus();
}

absl::StatusOr<TransparentSettings> read_settings(const InstallFlags& flags, const Host& host, std::ostream& err) {
  KUMA_RETURN_IF_ERROR(check(flags));
  TransparentSettings settings{.redirect_inbound = flags.redirect_inbound, .redirect_dns = flags.redirect_dns, .redirect_all_dns = flags.redirect_all_dns,
                               .split_conntrack_zones = !flags.skip_zone_split, .loopback = host.loopback(), .verbose = flags.verbose};
  KUMA_ASSIGN_OR_RETURN(settings.uid, find_uid(host, flags));
  KUMA_RETURN_IF_ERROR(read_port(flags.inbound_port, "inbound redirect", settings.inbound_port));
  KUMA_RETURN_IF_ERROR(read_port(flags.inbound_port_v6.empty() ? "0" : flags.inbound_port_v6, "inbound redirect IPv6", settings.inbound_port_v6));
  KUMA_RETURN_IF_ERROR(read_port(flags.outbound_port, "outbound redirect", settings.outbound_port));
  KUMA_RETURN_IF_ERROR(read_port(flags.dns_port, "agent DNS listener", settings.dns_port));
  KUMA_RETURN_IF_ERROR(read_ports(flags.exclude_inbound, "inbound", settings.exclude_inbound));
  KUMA_RETURN_IF_ERROR(read_ports(flags.exclude_outbound, "outbound", settings.exclude_outbound));
  KUMA_RETURN_IF_ERROR(read_exclusions(flags, err, settings.exclude_for_uids));
  for (const std::string& text : flags.networks) {
    auto network = parse_virtual_network(text);
    if (!network.ok()) {
      return annotated(network.status(), "parsing virtual networks failed");
    }
    settings.networks.push_back(*std::move(network));
  }
  return settings;
}

bool succeeds(const Host& host, const std::vector<std::string>& arguments) {
  const auto result = host.run(arguments);
  return result.ok() && result->code == 0;
}

bool uses_ipv6(const Host& host, const TransparentSettings& settings) {
  return settings.inbound_port_v6 != 0 && host.has_ipv6_address() && succeeds(host, {"ip6tables", "-t", "nat", "-L"});
}

// Conntrack zones are left out on a host whose iptables does not know them.
void check_conntrack(const Host& host, std::ostream& err, TransparentSettings& settings) {
  if (!settings.handles_dns() || !settings.split_conntrack_zones) {
    return;
  }
  const auto result = host.run({"iptables", "-m", "conntrack", "--help"});
  if (!result.ok() || result->code != 0) {
    settings.split_conntrack_zones = false;
    err << fmt::format(
        "# [WARNING] error occurred when validating if 'conntrack' iptables module is present. Rules for DNS conntrack zone splitting won't be applied: {}\n",
        result.ok() ? fmt::format("exit status {}", result->code) : std::string(message_of(result.status())));
  }
}

absl::Status install_family(const Host& host, TransparentSettings settings, IpFamily family, const ApplyOptions& options, std::ostream& out) {
  KUMA_ASSIGN_OR_RETURN(const std::vector<IptablesTools> tools, find_iptables(host, family, settings));
  if (tools.front().has_docker_output) {
    settings.dns_upstream_chain = "DOCKER_OUTPUT";
  }
  return apply_rules(host, tools, transparent_rules(settings, family), family, options, out);
}

absl::Status install(const Environment& environment, const InstallFlags& flags) {
  const Host& host = environment.host;
  KUMA_ASSIGN_OR_RETURN(TransparentSettings settings, read_settings(flags, host, environment.err));
  KUMA_ASSIGN_OR_RETURN(const std::chrono::nanoseconds pause, parse_go_duration(flags.pause));
  const ApplyOptions options{.wait_seconds = flags.wait, .wait_interval_us = flags.wait_interval, .retries_max = flags.retries, .pause = pause};
  const bool ipv6 = uses_ipv6(host, settings);
  check_conntrack(host, environment.err, settings);
  if (flags.dry_run) {
    environment.out << transparent_rules(settings, ipv6 ? IpFamily::V6 : IpFamily::V4);
  } else {
    environment.out << "# kumactl is about to apply the iptables rules that will enable transparent proxying on the machine. The SSH connection may "
                       "drop. If that happens, just reconnect again.\n"
                    << std::flush;
    if (settings.redirect_dns) {
      settings.name_servers = host.name_servers();
    }
    KUMA_RETURN_IF_ERROR(annotate(install_family(host, settings, IpFamily::V4, options, environment.out), "failed to setup transparent proxy"));
    if (ipv6) {
      (void)host.run({"ip", "-6", "addr", "add", "::6/128", "dev", settings.loopback});  // it may be there
      KUMA_RETURN_IF_ERROR(annotate(install_family(host, settings, IpFamily::V6, options, environment.out), "failed to setup transparent proxy"));
    }
    environment.out << "# iptables set to divert the traffic to Envoy\n";
  }
  environment.out << "# Transparent proxy set up successfully, you can now run kuma-dp using transparent-proxy.\n";
  return absl::OkStatus();
}

void add_dns_flags(CLI::App& app, InstallFlags& flags) {
  app.add_flag("--redirect-dns", flags.redirect_dns, "redirect DNS to the name servers of this host");
  app.add_flag("--redirect-all-dns-traffic", flags.redirect_all_dns, "redirect all DNS");
  app.add_option("--redirect-dns-port", flags.dns_port, "port of kuma-dp's DNS");
  app.add_option("--redirect-dns-upstream-target-chain", flags.ignored, "deprecated, no effect")->group("");
  app.add_flag("--skip-dns-conntrack-zone-split", flags.skip_zone_split, "keep DNS connections in one conntrack zone");
}

void add_ebpf_flags(CLI::App& app, InstallFlags& flags) {
  app.add_flag("--ebpf-enabled", flags.ebpf, "not available in this version");
  for (const char* name : {"--ebpf-programs-source-path", "--ebpf-instance-ip", "--ebpf-bpffs-path", "--ebpf-cgroup-path", "--ebpf-tc-attach-iface"}) {
    app.add_option(name, flags.ignored)->group("");
  }
}

void add_flags(CLI::App& app, InstallFlags& flags) {
  app.add_flag("--dry-run", flags.dry_run, "print the rules, change nothing");
  app.add_flag("--verbose", flags.verbose, "rules with long option names and comments");
  app.add_option("--kuma-dp-user", flags.user, "user that kuma-dp runs as");
  app.add_option("--kuma-dp-uid", flags.uid, "uid that kuma-dp runs as");
  app.add_flag("--redirect-inbound", flags.redirect_inbound, "redirect what comes in; false for gateways");
  app.add_option("--redirect-inbound-port", flags.inbound_port, "port that inbound traffic goes to");
  app.add_option("--redirect-inbound-port-v6", flags.inbound_port_v6, "the same for IPv6; 0 leaves IPv6 alone");
  app.add_option("--redirect-outbound-port", flags.outbound_port, "port that outbound traffic goes to");
  app.add_option("--exclude-inbound-ports", flags.exclude_inbound, "ports that are not redirected, 22,80");
  app.add_option("--exclude-outbound-ports", flags.exclude_outbound, "ports that are not redirected, 3306,5432");
  app.add_option("--exclude-outbound-ports-for-uids", flags.exclude_for_uids, "[protocol:][ports:]uids that are not redirected")->allow_extra_args(false);
  app.add_option("--exclude-outbound-tcp-ports-for-uids", flags.exclude_tcp_for_uids, "deprecated")->allow_extra_args(false);
  app.add_option("--exclude-outbound-udp-ports-for-uids", flags.exclude_udp_for_uids, "deprecated")->allow_extra_args(false);
  add_dns_flags(app, flags);
  app.add_flag("--store-firewalld", flags.store_firewalld, "not available in this version");
  app.add_option("--vnet", flags.networks, "virtual network as interface:CIDR, docker0:172.17.0.0/16")->allow_extra_args(false);
  app.add_option("--wait", flags.wait, "seconds to wait for iptables' lock");
  app.add_option("--wait-interval", flags.wait_interval, "microseconds between two looks at the lock");
  app.add_option("--max-retries", flags.retries, "further attempts");
  app.add_option("--sleep-between-retries", flags.pause, "pause before each");
  add_ebpf_flags(app, flags);
}

}  // namespace

void add_install(CommandTree& tree) {
  CLI::App& group = tree.group(tree.root(), "install", "Set up what runs beside the control plane");
  Command& command = tree.leaf(group, "transparent-proxy", "Lead this host's traffic through its proxy");
  auto flags = std::make_shared<InstallFlags>();
  add_flags(*command.app, *flags);
  command.action = [&invocation = tree.invocation(), flags] { return install(invocation.environment, *flags); };

  CLI::App& uninstall = tree.group(tree.root(), "uninstall", "Undo what install did");
  Command& undo = tree.leaf(uninstall, "transparent-proxy", "Stop leading this host's traffic through its proxy");
  auto undo_flags = std::make_shared<InstallFlags>();
  undo.app->add_flag("--dry-run", undo_flags->dry_run, "print only");
  undo.app->add_flag("--verbose", undo_flags->verbose, "print more");
  add_ebpf_flags(*undo.app, *undo_flags);
  undo.action = [] { return absl::UnimplementedError("transparent proxy cleanup failed: cleanup is not supported"); };
}

}  // namespace kuma::ctl
