#include "ctl/inspect_status.h"

#include "ctl/resource_commands.h"
#include "fmt/format.h"

namespace kuma::ctl {
namespace {

bool is_not_ready(const json::value& inbound) {
  const json::value* health = find(inbound, "health");
  if (health != nullptr) {
    const json::value* ready = find(*health, "ready");
    if (ready == nullptr || !ready->is_bool() || !ready->get_bool()) {
      return true;
    }
  }
  return text_at(inbound, {"state"}) == "NotReady";
}

}  // namespace

SubscriptionSummary summarize(const json::value& insight) {
  SubscriptionSummary summary;
  for (const json::value& subscription : list_at(insight, {"subscriptions"})) {
    const bool connected = !text_at(subscription, {"connectTime"}).empty();
    summary.online = summary.online || (connected && text_at(subscription, {"disconnectTime"}).empty());
    summary.updates += number_at(subscription, {"status", "total", "responsesSent"});
    summary.errors += number_at(subscription, {"status", "total", "responsesRejected"});
    summary.last = &subscription;
  }
  if (summary.last != nullptr) {
    summary.last_connected = text_at(*summary.last, {"connectTime"});
    summary.last_updated = text_at(*summary.last, {"status", "lastUpdateTime"});
    summary.kuma_dp_version = text_at(*summary.last, {"version", "kumaDp", "version"});
    summary.envoy_version = text_at(*summary.last, {"version", "envoy", "version"});
  }
  return summary;
}

std::string dataplane_status(const json::value& dataplane, bool online) {
  if (!online) {
    return "Offline";
  }
  const json::value* networking = find(dataplane, "networking");
  if (networking != nullptr && find(*networking, "gateway") != nullptr) {
    return "Online";
  }
  const json::array& inbounds = list_at(dataplane, {"networking", "inbound"});
  const size_t not_ready = inbound_problems(dataplane).size();
  if (not_ready == inbounds.size()) {
    return "Offline";
  }
  return not_ready > 0 ? "Partially degraded" : "Online";
}

std::vector<std::string> inbound_problems(const json::value& dataplane) {
  std::vector<std::string> problems;
  for (const json::value& inbound : list_at(dataplane, {"networking", "inbound"})) {
    if (is_not_ready(inbound)) {
      problems.push_back(fmt::format("inbound[port={},svc={}] is not ready", number_at(inbound, {"port"}),
                                     text_at(inbound, {"tags", "kuma.io/service"})));
    }
  }
  return problems;
}

}  // namespace kuma::ctl
