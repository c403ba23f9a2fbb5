#include "xds/bootstrap/sidecar_config.h"

#include <map>

#include "model/proto_json.h"

namespace kuma::bootstrap {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Applications = std::map<std::string, pb::PrometheusAggregateMetricsConfig>;

constexpr std::string_view kPrometheus = "prometheus";

bool is_transparent(const pb::Dataplane& dataplane) {
  const auto& redirect = dataplane.networking().transparent_proxying();
  return redirect.redirect_port_inbound() != 0 && redirect.redirect_port_outbound() != 0;
}

// By name; what is set here wins over what is there already.
void add_applications(const google::protobuf::Struct& conf, Applications& applications) {
  pb::PrometheusMetricsBackendConfig settings;
  // What does not fit was refused when it was stored.
  if (!model::from_json_value(model::to_json_object(conf), settings).ok()) {
    return;
  }
  for (const auto& application : settings.aggregate()) {
    applications[application.name()].MergeFrom(application);
  }
}

json::array build_aggregate(const pb::Dataplane& dataplane, const pb::Mesh& mesh) {
  json::array out;
  const std::string& enabled = mesh.metrics().enabledbackend();
  for (const pb::MetricsBackend& backend : mesh.metrics().backends()) {
    if (enabled.empty() || backend.name() != enabled || backend.type() != kPrometheus) {
      continue;
    }
    Applications applications;
    add_applications(backend.conf(), applications);
    if (dataplane.metrics().type() == kPrometheus) {
      add_applications(dataplane.metrics().conf(), applications);
    }
    for (const auto& [name, application] : applications) {
      if (application.has_enabled() && !application.enabled().value()) {
        continue;
      }
      const std::string& address =
          application.address().empty() ? dataplane.networking().address() : application.address();
      out.push_back(
          {{"name", name}, {"address", address}, {"port", application.port()}, {"path", application.path()}});
    }
  }
  return out;
}

}  // namespace

json::object build_sidecar_config(const pb::Dataplane* dataplane, const pb::Mesh* mesh) {
  const bool transparent = dataplane != nullptr && is_transparent(*dataplane);
  return {{"networking", {{"isUsingTransparentProxy", transparent}}},
          {"metrics",
           {{"aggregate",
             dataplane == nullptr || mesh == nullptr ? json::array() : build_aggregate(*dataplane, *mesh)}}}};
}

}  // namespace kuma::bootstrap
