#include "policy/targets.h"

namespace kuma::policy {

OutboundServices::OutboundServices(const mesh::MeshView& view, const ProxyResources& resources) {
  for (const ProxyOutbound& outbound : resources.outbounds) {
    const std::string_view name = mesh::tag(outbound.tags, mesh::kServiceTag);
    const mesh::Service* service = view.find_service(name);
    protocols_[name] = service == nullptr ? mesh::Protocol::Unknown : service->protocol;
  }
  // Whoever made a cluster of the whole service knows best what this proxy reaches by it.
  for (const auto& [name, draft] : resources.clusters) {
    if (draft.origin == Origin::Outbound && name == draft.subject->service) {
      auto known = protocols_.find(name);
      if (known != protocols_.end()) {
        known->second = draft.subject->protocol;
      }
    }
  }
}

const mesh::Protocol* OutboundServices::find(std::string_view service) const {
  auto found = protocols_.find(service);
  return found == protocols_.end() ? nullptr : &found->second;
}

}  // namespace kuma::policy
