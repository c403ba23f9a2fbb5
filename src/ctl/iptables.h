#pragma once

#include <iosfwd>
#include <string>

#include "absl/status/statusor.h"
#include "ctl/host.h"
#include "ctl/transparent_rules.h"

namespace kuma::ctl {

// The programs that set a family's rules, of one kind (nf_tables or legacy).
struct IptablesTools {
  std::string iptables = {}, save = {}, restore = {};
  bool is_legacy = false;
  bool has_docker_output = false;  // docker's name server has a chain in nat
};

// What of a family's rules can be set on this host, and with what: the preferred kind first, then the fallback
// (spec/transparent-proxy.md §1.3). FailedPrecondition `no valid iptables executable found: …`.
absl::StatusOr<std::vector<IptablesTools>> find_iptables(const Host& host, IpFamily family, const TransparentSettings& settings);

struct ApplyOptions {
  unsigned wait_seconds = 5;         // for the lock of others, legacy only
  unsigned wait_interval_us = 0;
  int retries_max = 5;
  std::chrono::nanoseconds pause = std::chrono::seconds(2);
};

// Sets the rules, trying each of `tools`, and all of them again after a pause. What happens goes to `out`.
absl::Status apply_rules(const Host& host, const std::vector<IptablesTools>& tools, const std::string& rules, IpFamily family,
                         const ApplyOptions& options, std::ostream& out);

}  // namespace kuma::ctl
