#include "policy/meshaccesslog/apply.h"

#include "base/status.h"
#include "base/text.h"
#include "policy/envoy/access_log.h"
#include "policy/envoy/collector.h"
#include "policy/meshaccesslog/backend.h"

namespace kuma::policy::meshaccesslog {
namespace {

using ::envoy::config::listener::v3::Listener;
using envoy::Collector;
using envoy::LoggedListener;

constexpr char kName[] = "MeshAccessLog";

// Adds the loggers of one proxy.
class Loggers {
 public:
  Loggers(const ProxyPolicies& policies, ProxyResources& resources)
      : resources_(resources), ipv6_(is_ipv6_address(policies.dataplane().address)) {}

  void add(const LoggedListener& listener, const Rule& rule) {
    const json::value* backends = find(rule.conf->value, "backends");
    if (backends == nullptr || !backends->is_array()) {
      return;
    }
    const json::array& list = backends->get_array();
    for (size_t i = 0; i < list.size(); ++i) {
      add_backend(listener, rule, list[i], i);
    }
  }

 private:
  void add_backend(const LoggedListener& listener, const Rule& rule, const json::value& backend, size_t index) {
    LogContext context{.values = listener.values, .access_log_path = resources_.access_log_path, .collector_cluster = {}};
    if (std::string_view endpoint = collector_of(backend); !endpoint.empty()) {
      auto collector = envoy::parse_otlp_endpoint(endpoint);
      if (!collector.ok()) {
        const Problem problem{ref_of(*rule.conf->origins.back()),
                              fmt::format("backends[{}].openTelemetry.endpoint: {}", index, message_of(collector.status()))};
        if (std::ranges::find(resources_.problems, problem) == resources_.problems.end()) {
          resources_.problems.push_back(problem);
        }
        return;
      }
      context.collector_cluster = cluster_of(*collector, rule.conf->origins);
    }
    PieceKey fingerprint(kName);
    fingerprint.add(to_json(backend)).add(context.access_log_path).add(context.collector_cluster);
    envoy::add_log_values(context.values, format_text(backend), fingerprint);
    listener.draft->change(fingerprint, rule.conf->origins, [conf = rule.conf, index, context](Listener& message) {
      const json::value& own = find(conf->value, "backends")->get_array()[index];
      return annotate(envoy::add_access_log(message,
                                            [&](bool http) {
                                              LogContext of_chain = context;
                                              of_chain.http = http;
                                              return make_logger(own, of_chain);
                                            }),
                      "backends[{}]", index);
    });
  }

  // Numbered in the order in which they are first needed.
  std::string cluster_of(const Collector& collector, const mesh::ResourceList& origins) {
    auto [entry, is_new] = clusters_.try_emplace(collector, fmt::format("meshaccesslog:opentelemetry:{}", clusters_.size()));
    if (is_new) {
      auto draft = envoy::draft_collector(entry->second, Origin::AccessLog, collector, ipv6_);
      for (const auto& origin : origins) {
        draft.shaped(&origin);
      }
      ProxyResources::put(resources_.clusters, std::move(draft));
    }
    return entry->second;
  }

  ProxyResources& resources_;
  bool ipv6_;
  std::map<Collector, std::string> clusters_;
};

const Rule* rule_for(const MatchedPolicies& matched, const LoggedListener& listener) {
  switch (listener.side) {
    case LoggedListener::Side::Inbound: {
      const Subject& subject = *listener.draft->subject;
      auto rules = matched.from.find({subject.address, subject.port});
      return rules == matched.from.end() ? nullptr : rules->second->find({});
    }
    case LoggedListener::Side::Outbound:
      return matched.to->find_service(listener.service);
    case LoggedListener::Side::Gateway:
      return matched.to->find({});
  }
  return nullptr;
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  if (matched.policies.empty()) {
    return;
  }
  Loggers loggers(policies, resources);
  for (const LoggedListener& listener : envoy::logged_listeners(policies.view(), policies.dataplane(), resources)) {
    if (const Rule* rule = rule_for(matched, listener)) {
      loggers.add(listener, *rule);
    }
  }
}

}  // namespace kuma::policy::meshaccesslog
