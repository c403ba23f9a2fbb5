#include "policy/proxy_template.h"

#include <algorithm>

#include "base/status.h"
#include "mesh/v1alpha1/proxy_template.pb.h"
#include "model/envoy_text.h"
#include "policy/legacy.h"
#include "policy/modifications.h"

namespace kuma::policy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RouteConfiguration;
using mesh::v1alpha1::ProxyTemplate;
using mesh::v1alpha1::ProxyTemplateRawResource;
using Operation = Modification::Operation;
using Target = Modification::Target;

// False: the Any holds something else.
template <typename Message>
bool put_raw(const ProxyTemplateRawResource& raw, const google::protobuf::Any& any, const model::ResourcePtr& policy,
             std::map<std::string, Draft<Message>>& drafts) {
  auto message = std::make_shared<Message>();
  if (!any.UnpackTo(message.get())) {
    return false;
  }
  Draft<Message> draft;
  draft.name = raw.name();
  draft.origin = Origin::ProxyTemplateRaw;
  draft.subject = std::make_shared<Subject>();
  draft.key = PieceKey("raw");
  draft.key.add(std::string_view(raw.name())).add(std::string_view(raw.resource()));
  draft.shaped(&policy);
  draft.make = [message = std::move(message)](Message& made) { made = *message; };
  ProxyResources::put(drafts, std::move(draft));
  return true;
}

absl::Status add_raw(const ProxyTemplateRawResource& raw, const model::ResourcePtr& policy, ProxyResources& resources) {
  const auto any = model::read_envoy_any(raw.resource(), model::UnknownFields::Ignore);
  if (!any.ok()) {
    return any.status();
  }
  const bool known = put_raw<Cluster>(raw, *any, policy, resources.clusters) ||
                     put_raw<Listener>(raw, *any, policy, resources.listeners) ||
                     put_raw<ClusterLoadAssignment>(raw, *any, policy, resources.endpoints) ||
                     put_raw<RouteConfiguration>(raw, *any, policy, resources.routes);
  return known ? absl::OkStatus()
               : absl::InvalidArgumentError(fmt::format(
                     "a {} is not sent to proxies: clusters, listeners, endpoints and route configurations are", any->type_url()));
}

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::optional<Operation> operation_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Operation> kOperations[] = {
      {"add", Operation::Add},           {"remove", Operation::Remove},       {"patch", Operation::Patch},
      {"addFirst", Operation::AddFirst}, {"addBefore", Operation::AddBefore}, {"addAfter", Operation::AddAfter},
      {"addLast", Operation::AddLast}};
  const auto* found = std::ranges::find(kOperations, name, &std::pair<std::string_view, Operation>::first);
  return found == std::end(kOperations) ? std::nullopt : std::optional(found->second);
}

// What all kinds have; nothing: the operation is unknown.
template <typename From>
std::optional<Modification> read_common(Target target, const From& from) {
  const auto operation = operation_of(from.operation());
  if (!operation) {
    return std::nullopt;
  }
  Modification modification;
  modification.target = target;
  modification.operation = *operation;
  modification.origin = given(from.match().origin());
  modification.name = given(from.match().name());
  modification.value = from.value();
  return modification;
}

template <typename From>
std::optional<Modification> read_filter(Target target, const From& from) {
  auto modification = read_common(target, from);
  if (modification) {
    modification->listener_name = given(from.match().listenername());
    modification->listener_tags = mesh::to_tags(from.match().listenertags());
  }
  return modification;
}

std::optional<Modification> modification_of(const ProxyTemplate::Modifications& from) {
  std::optional<Modification> modification;
  switch (from.type_case()) {
    case ProxyTemplate::Modifications::kCluster:
      return read_common(Target::Cluster, from.cluster());
    case ProxyTemplate::Modifications::kListener:
      modification = read_common(Target::Listener, from.listener());
      if (modification) {
        modification->listener_tags = mesh::to_tags(from.listener().match().tags());
      }
      return modification;
    case ProxyTemplate::Modifications::kNetworkFilter:
      return read_filter(Target::NetworkFilter, from.networkfilter());
    case ProxyTemplate::Modifications::kHttpFilter:
      return read_filter(Target::HttpFilter, from.httpfilter());
    case ProxyTemplate::Modifications::kVirtualHost:
      modification = read_common(Target::VirtualHost, from.virtualhost());
      if (modification) {
        modification->route_config = given(from.virtualhost().match().routeconfigurationname());
      }
      return modification;
    case ProxyTemplate::Modifications::TYPE_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

model::ResourcePtr select_proxy_template(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  const model::ResourcePtr* found = select_for_dataplane(view.policies_of("ProxyTemplate"), dataplane);
  return found == nullptr ? nullptr : *found;
}

bool imports_default_proxy(const model::ResourcePtr& proxy_template) {
  if (proxy_template == nullptr) {
    return true;
  }
  const auto& imports = proxy_template->as<ProxyTemplate>().conf().imports();
  return std::ranges::find(imports, "default-proxy") != imports.end();
}

void add_raw_resources(const model::ResourcePtr& proxy_template, ProxyResources& resources) {
  if (proxy_template == nullptr) {
    return;
  }
  const auto& list = proxy_template->as<ProxyTemplate>().conf().resources();
  for (int i = 0; i < list.size(); ++i) {
    if (absl::Status status = add_raw(list[i], proxy_template, resources); !status.ok()) {
      resources.problems.push_back(
          {ref_of(*proxy_template), fmt::format("raw.resources[{}]{{name=\"{}\"}}: {}", i, list[i].name(), message_of(status))});
    }
  }
}

void apply_template_modifications(const model::ResourcePtr& proxy_template, ProxyResources& resources) {
  if (proxy_template == nullptr) {
    return;
  }
  std::vector<Modification> modifications;
  for (const auto& from : proxy_template->as<ProxyTemplate>().conf().modifications()) {
    if (auto modification = modification_of(from)) {
      modifications.push_back(*std::move(modification));
    }
  }
  apply_modifications(modifications, proxy_template, Origin::ProxyTemplateModifications, resources);
}

}  // namespace kuma::policy
