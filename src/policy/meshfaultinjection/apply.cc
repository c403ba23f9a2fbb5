#include "policy/meshfaultinjection/apply.h"

#include <algorithm>

#include "base/status.h"
#include "policy/conf_view.h"
#include "policy/envoy/client_tags.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/faults.h"
#include "policy/legacy.h"
#include "policy/meshfaultinjection/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshfaultinjection {
namespace {

using ::envoy::config::listener::v3::Listener;
using envoy::HttpFault;

constexpr char kName[] = "MeshFaultInjection";

uint32_t status_of(const ConfView& status) { return static_cast<uint32_t>(status.number().value_or(0)); }
double percent_of(const ConfView& section) { return section["percentage"].decimal().value_or(0); }

// Whom a rule is for, by the header with the client's tags. Of several values that a key must not have only the last one
// counts, as in the reference: the header of a client with one of the others passes.
void match_subset(const Subset& subset, HttpFault& fault) {
  mesh::Tags wanted, unwanted;
  for (const SubsetTag& tag : subset) {
    (tag.negated ? unwanted : wanted)[tag.key] = tag.value;
  }
  if (!wanted.empty()) {
    envoy::match_client_tags(wanted, false, *fault.add_headers());
  }
  if (!unwanted.empty()) {
    envoy::match_client_tags(unwanted, true, *fault.add_headers());
  }
}

HttpFault fault_of(const ConfView& conf, const Subset& subset) {
  HttpFault fault;
  if (const ConfView delay = conf["delay"]) {
    envoy::set_delay(delay["value"].duration().value_or(std::chrono::nanoseconds(0)), percent_of(delay), fault);
  }
  if (const ConfView abort = conf["abort"]) {
    envoy::set_abort(status_of(abort["httpStatus"]), percent_of(abort), fault);
  }
  if (const ConfView bandwidth = conf["responseBandwidth"]) {
    envoy::set_bandwidth(envoy::parse_bandwidth(bandwidth["limit"].text()).value_or(1), percent_of(bandwidth), fault);
  }
  match_subset(subset, fault);
  return fault;
}

// The rules that can be used; of the others, why not.
mesh::ResourceList usable_rules(const Rules& rules, std::vector<const Rule*>& usable, std::vector<Problem>& problems) {
  mesh::ResourceList origins;
  for (const Rule& rule : rules.list()) {
    if (absl::Status status = check_mesh_fault_injection_conf(rule.conf->value); !status.ok()) {
      Problem problem{ref_of(*rule.conf->origins.back()), std::string(message_of(status))};
      if (std::ranges::find(problems, problem) == problems.end()) {
        problems.push_back(std::move(problem));
      }
      continue;
    }
    usable.push_back(&rule);
    for (const auto& origin : rule.conf->origins) {
      if (std::ranges::find(origins, origin) == origins.end()) {
        origins.push_back(origin);
      }
    }
  }
  return origins;
}

absl::Status insert_faults(const std::vector<const Rule*>& rules, envoy::Hcm& hcm) {
  for (const Rule* rule : rules) {
    for (const ConfView& fault : ConfView(&rule->conf->value, FieldPath("default"))["http"].items()) {
      KUMA_RETURN_IF_ERROR(envoy::insert_before_router(hcm, envoy::kFault, fault_of(fault, rule->subset)));
    }
  }
  return absl::OkStatus();
}

void change_listener(const RulesPtr& rules, ListenerDraft& draft, std::vector<Problem>& problems) {
  std::vector<const Rule*> usable;
  const mesh::ResourceList origins = usable_rules(*rules, usable, problems);
  if (usable.empty()) {
    return;
  }
  PieceKey fingerprint(kName);
  fingerprint.add(rules);
  draft.change(fingerprint, origins, [rules, usable = std::move(usable)](Listener& listener) {
    return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) { return insert_faults(usable, hcm); });
  });
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  const mesh::ResourceList& legacy = policies.view().policies_of("FaultInjection");
  for_inbound_listeners(matched, resources, [&](ListenerDraft& draft, const RulesPtr& rules) {
    const bool is_http = draft.subject->protocol == mesh::Protocol::Http || draft.subject->protocol == mesh::Protocol::Http2;
    if (is_http && all_for_inbound(legacy, draft.subject->tags).empty()) {
      change_listener(rules, draft, resources.problems);
    }
  });
  for_gateway_listeners(matched, resources, [&](const GatewayListener& listener, const RulesPtr& rules) {
    if (listener.protocol == mesh::Protocol::Http) {
      change_listener(rules, listener.draft, resources.problems);
    }
  });
}

}  // namespace kuma::policy::meshfaultinjection
