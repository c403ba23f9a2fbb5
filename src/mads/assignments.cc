#include "mads/assignments.h"

#include <set>

#include "base/text.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "mesh/mesh_view.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "model/gateways.h"
#include "observability/v1/mads.pb.h"
#include "policy/envoy/pack.h"
#include "policy/legacy.h"
#include "xds/gen/metrics_settings.h"

namespace kuma::mads {
namespace {

using ::kuma::mesh::v1alpha1::Dataplane;
using ::kuma::mesh::v1alpha1::Mesh;
using ::kuma::mesh::v1alpha1::PrometheusTlsConfig;
using ::kuma::observability::v1::MonitoringAssignment;

// What may stand in the name of a label.
std::string sanitize(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    c = fine ? c : '_';
  }
  return out;
}

// The view's form of a dataplane, for those who choose policies by it.
mesh::DataplaneView view_of(const model::ResourcePtr& resource) {
  const auto& networking = resource->as<Dataplane>().networking();
  mesh::DataplaneView view{
      .resource = resource, .address = networking.address(), .advertised_address = networking.advertisedaddress(), .tag_sets = {}};
  for (const auto& inbound : networking.inbound()) {
    view.tag_sets.push_back(mesh::to_tags(inbound.tags()));
  }
  if (networking.has_gateway()) {
    view.tag_sets.push_back(mesh::to_tags(networking.gateway().tags()));
  }
  return view;
}

std::map<std::string, std::string> labels_of(const mesh::DataplaneView& dataplane, const mesh::ResourceList& gateways) {
  std::map<std::string, std::set<std::string>> values;
  for (const mesh::Tags& tags : dataplane.tag_sets) {
    for (const auto& [key, value] : tags) {
      values[key].insert(value);
    }
  }
  std::map<std::string, std::string> labels;
  for (const auto& [key, all] : values) {
    labels[sanitize(key)] = *all.begin();
    std::string list = ",";
    for (const std::string& value : all) {
      list += value + ",";
    }
    labels[sanitize(key + "s")] = std::move(list);
  }
  if (model::is_builtin_gateway(dataplane.resource->as<Dataplane>())) {
    const model::ResourcePtr* gateway = policy::select_for_dataplane(gateways, dataplane);
    labels["kuma_io_mesh_gateway"] = gateway == nullptr ? "" : (*gateway)->meta.name;
  }
  return labels;
}

void add_of_mesh(const model::Registry& registry, const store::Store& store, const model::Resource& mesh,
                 std::vector<Assignment>& assignments) {
  const auto list = [&](std::string_view type) {
    return store.list({.type = registry.find(type), .mesh = mesh.meta.name}).items;
  };
  const mesh::ResourceList gateways = list("MeshGateway");
  for (const model::ResourcePtr& resource : list("Dataplane")) {
    const auto settings = xds::metrics_settings(mesh.as<Mesh>(), resource->as<Dataplane>());
    if (!settings) {
      return;  // the mesh has none enabled
    }
    const mesh::DataplaneView dataplane = view_of(resource);
    // Prometheus comes from outside, as other proxies do.
    const std::string& address = dataplane.advertised_address.empty() ? dataplane.address : dataplane.advertised_address;
    const bool own_tls = settings->tls().mode() == PrometheusTlsConfig::providedTLS;
    assignments.push_back({.mesh = mesh.meta.name,
                           .dataplane = resource->meta.name,
                           .service = mesh::identifying_service(dataplane),
                           .scheme = own_tls ? "https" : "http",
                           .address = join_host_port(address, settings->port()),
                           .metrics_path = settings->path(),
                           .labels = labels_of(dataplane, gateways)});
  }
}

json::object to_object(const Assignment& assignment) {
  json::object labels;
  for (const auto& [name, value] : assignment.labels) {
    labels[name] = value;
  }
  json::object target{{"name", assignment.dataplane},
                      {"scheme", assignment.scheme},
                      {"address", assignment.address},
                      {"metrics_path", assignment.metrics_path},
                      {"labels", std::move(labels)}};
  return {{"@type", kTypeUrl},
          {"mesh", assignment.mesh},
          {"service", assignment.service},
          {"targets", json::array{std::move(target)}}};
}

MonitoringAssignment to_message(const Assignment& assignment) {
  MonitoringAssignment message;
  message.set_mesh(assignment.mesh);
  message.set_service(assignment.service);
  auto& target = *message.add_targets();
  target.set_name(assignment.dataplane);
  target.set_scheme(assignment.scheme);
  target.set_address(assignment.address);
  target.set_metrics_path(assignment.metrics_path);
  target.mutable_labels()->insert(assignment.labels.begin(), assignment.labels.end());
  return message;
}

}  // namespace

std::vector<Assignment> find_assignments(const model::Registry& registry, const store::Store& store) {
  std::vector<Assignment> assignments;
  for (const model::ResourcePtr& mesh : store.list({.type = registry.find("Mesh")}).items) {
    add_of_mesh(registry, store, *mesh, assignments);
  }
  return assignments;
}

Snapshot make_snapshot(const std::vector<Assignment>& assignments) {
  json::array resources;
  ::envoy::service::discovery::v3::DiscoveryResponse response;
  response.set_type_url(std::string(kTypeUrl));
  for (const Assignment& assignment : assignments) {
    resources.push_back(to_object(assignment));
    policy::envoy::pack(to_message(assignment), response.add_resources());
  }
  // Named after its content, so that clients that go from one control plane to another need nothing anew.
  Snapshot snapshot{.version = sha256_hex(to_json(resources)).substr(0, 32), .http = {}, .grpc = {}};
  response.set_version_info(snapshot.version);
  snapshot.grpc = policy::envoy::serialize(response);
  snapshot.http = json::object{{"version_info", snapshot.version}, {"resources", std::move(resources)}, {"type_url", kTypeUrl}};
  return snapshot;
}

}  // namespace kuma::mads
