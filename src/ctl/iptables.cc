#include "ctl/iptables.h"

#include <ostream>

#include "base/status.h"
#include "fmt/format.h"

namespace kuma::ctl {
namespace {

std::string base_name(IpFamily family) { return family == IpFamily::V6 ? "ip6tables" : "iptables"; }

// The output, when the program is there and ends well.
absl::StatusOr<std::string> output_of(const Host& host, std::vector<std::string> arguments) {
  KUMA_ASSIGN_OR_RETURN(ProgramResult result, host.run(arguments));
  if (result.code != 0) {
    return absl::UnavailableError(fmt::format("{} ended with {}: {}", arguments[0], result.code, result.output));
  }
  return std::move(result.output);
}

// Programs without `--version`, and those that name no kind, are of the legacy kind.
bool is_of_kind(const Host& host, const std::string& program, bool legacy) {
  const auto result = host.run({program, "--version"});
  return result.ok() && (result->output.find("(nf_tables)") == std::string::npos) == legacy;
}

// `iptables`, `iptables-save`, `iptables-restore` of a kind: by the name with the kind, then without, in PATH and the usual
// directories.
absl::StatusOr<std::string> find_program(const Host& host, const std::string& base, const std::string& suffix, bool legacy) {
  for (const std::string& name : {base + (legacy ? "-legacy" : "-nft") + suffix, base + suffix}) {
    for (const char* directory : {"", "/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"}) {
      if (is_of_kind(host, directory + name, legacy)) {
        return directory + name;
      }
    }
  }
  return absl::NotFoundError(fmt::format("{}{} of the {} kind was not found", base, suffix, legacy ? "legacy" : "nft"));
}

absl::StatusOr<IptablesTools> find_tools(const Host& host, IpFamily family, bool legacy, const TransparentSettings& settings) {
  const std::string base = base_name(family);
  IptablesTools tools{.is_legacy = legacy};
  KUMA_ASSIGN_OR_RETURN(tools.iptables, find_program(host, base, "", legacy));
  KUMA_ASSIGN_OR_RETURN(tools.save, find_program(host, base, "-save", legacy));
  KUMA_ASSIGN_OR_RETURN(tools.restore, find_program(host, base, "-restore", legacy));
  KUMA_ASSIGN_OR_RETURN(const std::string nat, output_of(host, {tools.save, "-t", "nat"}));
  for (const char* module : {"owner", "tcp", "udp"}) {
    KUMA_RETURN_IF_ERROR(output_of(host, {tools.iptables, "-m", module, "--help"}).status());
  }
  if (settings.handles_dns() && settings.split_conntrack_zones) {
    KUMA_RETURN_IF_ERROR(output_of(host, {tools.save, "-t", "raw"}).status());
  }
  tools.has_docker_output = settings.handles_dns() && nat.find("DOCKER_OUTPUT") != std::string::npos;
  return tools;
}

absl::Status restore(const Host& host, const IptablesTools& tools, const std::string& file, const ApplyOptions& options) {
  std::vector<std::string> command{tools.restore};
  if (tools.is_legacy) {
    command.push_back(fmt::format("--wait={}", options.wait_seconds));
    if (options.wait_interval_us != 0) {
      command.push_back(fmt::format("--wait-interval={}", options.wait_interval_us));
    }
  }
  command.insert(command.end(), {"--noflush", file});
  return output_of(host, command).status();
}

}  // namespace

absl::StatusOr<std::vector<IptablesTools>> find_iptables(const Host& host, IpFamily family, const TransparentSettings& settings) {
  auto nft = find_tools(host, family, false, settings);
  auto legacy = find_tools(host, family, true, settings);
  if (!nft.ok() && !legacy.ok()) {
    return absl::FailedPreconditionError(
        fmt::format("no valid {} executable found: {}, {}", base_name(family), message_of(nft.status()), message_of(legacy.status())));
  }
  std::vector<IptablesTools> found;
  if (nft.ok()) {
    found.push_back(*std::move(nft));
  }
  if (legacy.ok()) {
    const bool first = !found.empty() && legacy->has_docker_output && !found[0].has_docker_output;
    found.insert(first ? found.begin() : found.end(), *std::move(legacy));
  }
  return found;
}

absl::Status apply_rules(const Host& host, const std::vector<IptablesTools>& tools, const std::string& rules, IpFamily family,
                         const ApplyOptions& options, std::ostream& out) {
  KUMA_ASSIGN_OR_RETURN(const std::string file, host.write_temporary(base_name(family) + "-rules-", rules));
  out << "# writing following contents to rules file: " << file << "\n" << rules << "\n";
  absl::Status status;
  for (int attempt = 0; attempt <= options.retries_max; ++attempt) {
    if (attempt > 0) {
      out << fmt::format("# [{} of {}] trying again: {}\n", attempt, options.retries_max, message_of(status)) << std::flush;
      host.pause(options.pause);
    }
    for (const IptablesTools& one : tools) {
      status = restore(host, one, file, options);
      if (status.ok()) {
        return status;
      }
    }
  }
  return annotate(status, "{} failed {} times", tools.front().restore, options.retries_max + 1);
}

}  // namespace kuma::ctl
