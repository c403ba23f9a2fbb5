#pragma once

// For tests only: a control plane without a store, a manager, a network: resources go in as YAML, configurations come out
// as JSON.

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/view_testing.h"
#include "mesh/vip_range.h"
#include "model/envoy_types.h"
#include "policy/policy.h"
#include "xds/gen/available_services.h"
#include "xds/gen/generator.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::xds::testing {

inline std::vector<model::ResourceType> all_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return types;
}

inline std::string text_of(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

// A resource as JSON, without the wrapper's type.
inline json::value to_json_value(const WireResource& wire) {
  google::protobuf::Any any;
  any.ParseFromString(*wire.any);
  std::string text;
  auto status = google::protobuf::util::MessageToJsonString(any, &text);
  if (!status.ok()) {  // something inside that this program is not compiled against
    const std::unique_ptr<google::protobuf::util::TypeResolver> types(
        google::protobuf::util::NewTypeResolverForDescriptorPool("type.googleapis.com", &model::envoy_types()));
    text.clear();
    status = google::protobuf::util::BinaryToJsonString(types.get(), "type.googleapis.com/google.protobuf.Any", *wire.any, &text);
  }
  auto value = parse_json(status.ok() ? text : R"({"error": "not printable"})");
  value->get_object().erase("@type");
  return *std::move(value);
}

inline json::object to_json_object(const Generation& generation) {
  static constexpr std::pair<XdsType, std::string_view> kKinds[] = {{XdsType::Cluster, "clusters"},
                                                                    {XdsType::Endpoint, "endpoints"},
                                                                    {XdsType::Listener, "listeners"},
                                                                    {XdsType::Route, "routes"}};
  json::object all;
  for (const auto& [type, kind] : kKinds) {
    json::object resources;
    for (const GeneratedResource& resource : generation.resources[static_cast<size_t>(type)]) {
      resources[resource.wire->name] = to_json_value(*resource.wire);
    }
    all[kind] = std::move(resources);
  }
  json::array secrets;
  for (const SecretRef& secret : generation.secrets) {
    secrets.push_back(json::value(secret.name));
  }
  all["secrets"] = std::move(secrets);
  return all;
}

// Keeps views and generations as the server would, with what the manager adds to resources that users write.
class Rig {
 public:
  explicit Rig(mesh::ViewOptions options = {}) : zone_(options.zone), store(all_types()), builder(store.registry(), options) {}

 private:
  std::string zone_;

 public:
  mesh::testing::TestStore store;
  mesh::ViewBuilder builder;
  Interner interner;
  SharedPieces pieces;
  AvailableServices available_services{{}};

  // Each document is a commit of its own; the updates of all are returned.
  std::vector<mesh::MeshUpdate> put(const std::string& yaml) {
    std::vector<mesh::MeshUpdate> updates;
    auto documents = parse_yaml_documents(yaml);
    if (!documents.ok()) {
      throw std::invalid_argument(std::string(message_of(documents.status())) + "\n" + yaml);
    }
    for (const json::value& document : *documents) {
      append(updates, put_one(document));
    }
    return updates;
  }

  std::vector<mesh::MeshUpdate> put_one(json::value document) {
    std::string type = text_of(document, "type"), name = text_of(document, "name");
    if (type == "Dataplane") {
      add_dataplane_defaults(document);
    }
    bool is_new = store.find(type, text_of(document, "mesh"), name) == nullptr;
    std::vector<model::Change> changes = {store.put_one(document)};
    if (type == "Mesh") {
      add_mesh_secrets(name, changes);
      if (is_new) {
        add_default_policies(name, document, changes);
      }
    }
    return settle(builder.apply(changes));
  }

  // Gives every service of `services` a VIP, as the allocator would: those that have one keep it.
  std::vector<mesh::MeshUpdate> put_vips(const std::string& mesh, const std::vector<std::string>& services) {
    mesh::VipTable wanted;
    for (const std::string& service : services) {
      wanted[{mesh::VipKind::Service, service}] = {"", {{0, {{"kuma.io/service", service}}, "service"}}};
    }
    auto view = builder.find(mesh);
    bool is_first = view == nullptr || view->vips == nullptr;
    auto table = mesh::allocate_vips(std::move(wanted), is_first ? mesh::VipTable() : view->vips->table,
                                     *mesh::VipRange::parse("240.0.0.0/4"), {})
                     .table;
    return put_one(json::object{{"type", "Config"},
                                {"name", mesh::vip_config_name(mesh)},
                                {"config", mesh::print_vip_table(table, mesh::VipForm::ByName)}});
  }

  std::vector<mesh::MeshUpdate> remove(std::string_view type, const std::string& mesh, const std::string& name) {
    return settle(builder.apply(store.remove(type, mesh, name)));
  }

  static ProxyInput zone_input(ProxyType type, const std::string& name) {
    ProxyInput proxy = input(name, "");
    proxy.metadata.proxy_type = type;
    return proxy;
  }

  // As the control plane does for a connected ingress: writes what the zone offers into its resource, if that is not there yet.
  std::vector<mesh::MeshUpdate> offer_services(const std::string& ingress) {
    auto resource = store.find("ZoneIngress", "", ingress);
    auto services = available_services.compute(builder.zone_view());
    auto spec = std::make_shared<kuma::mesh::v1alpha1::ZoneIngress>(resource->as<kuma::mesh::v1alpha1::ZoneIngress>());
    if (same_services(spec->availableservices(), services)) {
      return {};
    }
    *spec->mutable_availableservices() = services;
    model::Resource changed = *resource;
    changed.message = std::move(spec);
    return settle(builder.apply(store.put_resource(std::move(changed))));
  }

  static ProxyInput input(const std::string& name, const std::string& mesh = "default") {
    ProxyInput proxy;
    proxy.key = {mesh, name};
    proxy.metadata.admin_port = 9901;
    proxy.metadata.admin_address = "127.0.0.1";
    proxy.metadata.metrics_socket_path = "/tmp/kuma-mh.sock";
    proxy.metadata.access_log_socket_path = "/tmp/kuma-al.sock";
    proxy.metadata.features = {"feature-tcp-accesslog-via-named-pipe"};
    proxy.admin_tls = {"-----BEGIN CERTIFICATE-----\nca", "-----BEGIN CERTIFICATE-----\nserver",
                       "-----BEGIN PRIVATE KEY-----\nkey"};
    return proxy;
  }

  absl::StatusOr<Generation> generate(const ProxyInput& proxy, bool shared = true) {
    if (proxy.metadata.proxy_type != ProxyType::Dataplane) {
      return xds::generate(builder.zone_view(), proxy, {.interner = interner, .pieces = shared ? &pieces : nullptr});
    }
    auto view = builder.find(proxy.key.mesh);
    if (view == nullptr) {
      return absl::NotFoundError("no such mesh");
    }
    return xds::generate(*view, proxy, {.interner = interner, .pieces = shared ? &pieces : nullptr});
  }
  absl::StatusOr<Generation> generate(const std::string& name, const std::string& mesh = "default") {
    return generate(input(name, mesh));
  }

  // The configuration of a proxy; `{"error": …}` when there is none.
  json::object config(const std::string& name, const std::string& mesh = "default") {
    auto generation = generate(name, mesh);
    return generation.ok() ? to_json_object(*generation)
                           : json::object{{"error", std::string(message_of(generation.status()))}};
  }

  // What the proxies tell once they have their certificates.
  void issue_certificates(const std::vector<ProxyInput>& proxies) {
    for (const ProxyInput& proxy : proxies) {
      auto view = builder.find(proxy.key.mesh);
      if (view == nullptr || view->find_dataplane(proxy.key) == nullptr) {
        continue;
      }
      json::object insight{{"type", "DataplaneInsight"}, {"mesh", proxy.key.mesh}, {"name", proxy.key.name}};
      if (view->trust != nullptr) {
        insight["mTLS"] = json::object{{"issuedBackend", view->trust->backend}};
      }
      builder.apply(std::vector<model::Change>{store.put_one(json::value(insight))});
    }
  }

 private:
  static void append(std::vector<mesh::MeshUpdate>& to, std::vector<mesh::MeshUpdate> from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  }

  // The resolver knows one name.
  std::vector<mesh::MeshUpdate> settle(std::vector<mesh::MeshUpdate> updates) {
    for (const std::string& host : builder.hosts()) {
      append(updates, builder.set_resolved(host, host == "localhost" ? "127.0.0.1" : ""));
    }
    return updates;
  }

  void add_dataplane_defaults(json::value& document) {
    json::value* networking = document.get_object().if_contains("networking");
    auto add_zone = [&](json::value& holder) {
      if (json::value* tags = holder.get_object().if_contains("tags"); tags != nullptr && !zone_.empty()) {
        tags->get_object()["kuma.io/zone"] = zone_;
      }
    };
    if (json::value* inbounds = networking->get_object().if_contains("inbound")) {
      for (json::value& inbound : inbounds->get_array()) {
        add_zone(inbound);
        if (inbound.get_object().contains("serviceProbe") && !inbound.get_object().contains("state")) {
          inbound.get_object()["state"] = "NotReady";
        }
      }
    }
    if (json::value* gateway = networking->get_object().if_contains("gateway")) {
      add_zone(*gateway);
    }
  }

  void add_mesh_secrets(const std::string& mesh, std::vector<model::Change>& changes) {
    const auto resource = store.find("Mesh", "", mesh);
    for (const auto& backend : resource->as<kuma::mesh::v1alpha1::Mesh>().mtls().backends()) {
      for (std::string kind : {"cert", "key"}) {
        std::string name = fmt::format("{}.ca-builtin-{}-{}", mesh, kind, backend.name());
        if (backend.type() == "builtin" && store.find("Secret", mesh, name) == nullptr) {
          changes.push_back(store.put_one(json::value(json::object{
              {"type", "Secret"}, {"mesh", mesh}, {"name", name}, {"data", base64_encode(kind + " of " + backend.name())}})));
        }
      }
    }
  }

  void add_default_policies(const std::string& mesh, const json::value& document, std::vector<model::Change>& changes) {
    static constexpr std::tuple<std::string_view, std::string_view, std::string_view> kDefaults[] = {
        {"TrafficPermission", "allow-all", ""},
        {"TrafficRoute", "route-all", ", conf: {destination: {kuma.io/service: '*'}, loadBalancer: {roundRobin: {}}}"},
        {"Timeout", "timeout-all",
         ", conf: {connectTimeout: 5s, tcp: {idleTimeout: 3600s}, http: {idleTimeout: 3600s, requestTimeout: 15s, "
         "streamIdleTimeout: 1800s}}"},
        {"CircuitBreaker", "circuit-breaker-all",
         ", conf: {thresholds: {maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3}}"},
        {"Retry", "retry-all",
         ", conf: {http: {numRetries: 5, perTryTimeout: 16s, backOff: {baseInterval: 0.025s, maxInterval: 0.250s}}, tcp: "
         "{maxConnectAttempts: 5}, grpc: {numRetries: 5, perTryTimeout: 16s, backOff: {baseInterval: 0.025s, maxInterval: "
         "0.250s}}}"}};
    const json::value* skipped = find(document, "skipCreatingInitialPolicies");
    for (const auto& [type, name, conf] : kDefaults) {
      bool skip = skipped != nullptr && std::ranges::any_of(skipped->get_array(), [&](const json::value& one) {
                    return one.get_string() == "*" || std::string_view(one.get_string()) == type;
                  });
      if (!skip) {
        append_yaml(fmt::format("{{type: {}, mesh: {}, name: {}-{}, sources: [{{match: {{kuma.io/service: '*'}}}}], "
                                "destinations: [{{match: {{kuma.io/service: '*'}}}}]{}}}",
                                type, mesh, name, mesh, conf),
                    changes);
      }
    }
  }

  void append_yaml(const std::string& yaml, std::vector<model::Change>& changes) {
    for (model::Change& change : store.put(yaml)) {
      changes.push_back(std::move(change));
    }
  }
};

}  // namespace kuma::xds::testing
