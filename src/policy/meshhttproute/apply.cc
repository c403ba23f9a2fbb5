#include "policy/meshhttproute/apply.h"

#include "fmt/format.h"
#include "policy/conf_view.h"
#include "policy/envoy/destinations.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/meshhttproute/http_rule.h"
#include "policy/route_name.h"

namespace kuma::policy::meshhttproute {
namespace {

using ::envoy::config::listener::v3::Listener;
using mesh::Protocol;

constexpr char kName[] = "MeshHTTPRoute";

const json::value& path_for_all() {
  static const json::value kPath = json::object{{"value", "/"}, {"type", "PathPrefix"}};
  return kPath;
}

const json::value& matches_for_all() {
  static const json::value kMatches = json::array{json::object{{"path", path_for_all()}}};
  return kMatches;
}

// All that the listener of an outbound is made from.
struct HttpOutbound {
  ProxyOutbound outbound;
  bool transparent = false;
  std::string tags_header;
  std::vector<HttpRule> rules;
};

void make_listener(const HttpOutbound& from, Listener& listener) {
  envoy::set_outbound_listener(listener, from.outbound, from.transparent);
  const std::string service = from.outbound.service();
  envoy::Hcm hcm;
  hcm.set_stat_prefix(envoy::sanitize_stat(service));
  hcm.mutable_normalize_path()->set_value(true);
  auto& config = *hcm.mutable_route_config();
  config.set_name("outbound:" + service);
  config.mutable_validate_clusters()->set_value(false);
  envoy::add_tags_header(config, from.tags_header);
  auto& host = *config.add_virtual_hosts();
  host.set_name(service);
  host.add_domains("*");
  for (const HttpRule& rule : from.rules) {
    add_routes(rule, host);
  }
  envoy::add_router(hcm);
  envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
}

ListenerDraft draft_listener(HttpOutbound from, Protocol protocol, const mesh::ResourceList& origins) {
  ListenerDraft draft;
  draft.name = envoy::outbound_listener_name(from.outbound.address, from.outbound.port);
  draft.origin = Origin::Outbound;
  draft.subject = std::make_shared<const Subject>(Subject{.service = from.outbound.service(),
                                                          .tags = from.outbound.tags,
                                                          .protocol = protocol,
                                                          .address = from.outbound.address,
                                                          .port = from.outbound.port});
  draft.key = PieceKey("http-route-listener");
  draft.key.add(from.outbound.address).add(from.outbound.port).add(from.transparent).add(from.outbound.tags).add(from.tags_header);
  draft.key.add(from.rules.size());
  for (const HttpRule& rule : from.rules) {
    // The name is a hash of the matches.
    draft.key.add(rule.name).add(to_json(rule.filters)).add(rule.split.leaves_mesh).add(rule.split.clusters.size());
    for (const envoy::WeightedCluster& cluster : rule.split.clusters) {
      draft.key.add(cluster.name).add(cluster.weight);
    }
    for (const std::string& mirror : rule.mirrors) {
      draft.key.add(mirror);
    }
  }
  for (const auto& policy : origins) {
    draft.shaped(&policy);
  }
  draft.make = [from = std::move(from)](Listener& message) { make_listener(from, message); };
  return draft;
}

class Router {
 public:
  Router(const ProxyPolicies& policies, ProxyResources& resources)
      : matched_(policies.of(kName)),
        resources_(resources),
        tags_header_(envoy::tags_header(policies.dataplane().tag_sets)),
        destinations_(policies.view(), resources),
        splitter_(destinations_, {Protocol::Http, Protocol::Http2}) {}

  void run() {
    for (const ProxyOutbound& outbound : resources_.outbounds) {
      route(outbound);
    }
  }

 private:
  void route(const ProxyOutbound& outbound) {
    const std::string service = outbound.service();
    Protocol protocol = destinations_.protocol_of(outbound.tags).value_or(Protocol::Unknown);
    const Rule* rule = matched_.to->find_service(service);
    const std::vector<ConfView> given =
        rule == nullptr ? std::vector<ConfView>() : ConfView(&rule->conf->value, FieldPath())["Rules"].items();
    if (given.empty() && !mesh::is_http(protocol)) {
      return;
    }
    HttpOutbound made{.outbound = outbound, .transparent = resources_.transparent, .tags_header = tags_header_, .rules = {}};
    bool has_catch_all = false;
    for (const ConfView& one : given) {
      add_rule(service, one["matches"].value(), one["default"], rule, made.rules);
      has_catch_all = has_catch_all || *one["matches"].value() == matches_for_all();
    }
    if (!has_catch_all) {
      add_rule(service, &matches_for_all(), ConfView(nullptr, FieldPath()), rule, made.rules);
    }
    if (made.rules.empty()) {
      return;
    }
    // A listener of HTTP routes speaks HTTP whatever the service does, so policies for HTTP apply.
    ProxyResources::put(resources_.listeners,
                        draft_listener(std::move(made), mesh::is_http(protocol) ? protocol : Protocol::Http,
                                       rule == nullptr ? matched_.policies : rule->conf->origins));
  }

  void add_rule(const std::string& service, const json::value* matches, const ConfView& conf, const Rule* from,
                std::vector<HttpRule>& rules) {
    HttpRule rule;
    const json::value own = json::array{json::object{{"kind", "MeshService"}, {"name", service}, {"weight", 100}}};
    rule.split = splitter_.split(conf["backendRefs"] ? *conf["backendRefs"].value() : own);
    if (rule.split.empty()) {
      return;
    }
    rule.matches = with_paths(*matches);
    rule.name = route_name(rule.matches);
    if (conf["filters"]) {
      rule.filters = *conf["filters"].value();
    }
    for (const ConfView& filter : conf["filters"].items()) {
      if (filter["type"].text() == "RequestMirror") {
        rule.mirrors.push_back(mirror_of(filter["requestMirror"]["backendRef"], from));
      }
    }
    rules.push_back(std::move(rule));
  }

  std::string mirror_of(const ConfView& ref, const Rule* from) {
    auto cluster = ref ? splitter_.cluster_of(*ref.value()) : std::nullopt;
    if (cluster) {
      return *std::move(cluster);
    }
    if (from != nullptr && !from->conf->origins.empty()) {
      resources_.problems.push_back(
          {ref_of(*from->conf->origins.back()),
           fmt::format("requests are not mirrored to the service \"{}\": it has no instances that speak http or http2",
                       ref["name"].text())});
    }
    return "";
  }

  static json::value with_paths(const json::value& matches) {
    json::value complete = matches;
    for (json::value& match : complete.get_array()) {
      match.get_object().emplace("path", path_for_all());
    }
    return complete;
  }

  const MatchedPolicies& matched_;
  ProxyResources& resources_;
  std::string tags_header_;
  envoy::Destinations destinations_;
  envoy::Splitter splitter_;
};

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  if (!policies.of(kName).to->empty()) {
    Router(policies, resources).run();
  }
}

bool makes_outbounds(const ProxyPolicies& policies, mesh::Protocol protocol) {
  return (protocol == Protocol::Http || protocol == Protocol::Http2) && !policies.of(kName).to->empty();
}

bool has_rules_for(const ProxyPolicies& policies, const std::string& service) {
  return policies.of(kName).to->find_service(service) != nullptr;
}

}  // namespace kuma::policy::meshhttproute
