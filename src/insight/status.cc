#include "insight/status.h"

namespace kuma::insight {

namespace pb = ::kuma::mesh::v1alpha1;

ProxyStatus dataplane_status(const pb::Dataplane& dataplane, const pb::DataplaneInsight* insight) {
  if (insight == nullptr || !is_online(insight->subscriptions())) {
    return ProxyStatus::Offline;
  }
  if (dataplane.networking().has_gateway()) {
    return ProxyStatus::Online;
  }
  const auto& inbounds = dataplane.networking().inbound();
  const auto not_ready =
      std::count_if(inbounds.begin(), inbounds.end(), [](const pb::Dataplane::Networking::Inbound& inbound) {
        return (inbound.has_health() && !inbound.health().ready()) ||
               inbound.state() == pb::Dataplane::Networking::Inbound::NotReady;
      });
  if (not_ready == inbounds.size()) {
    return ProxyStatus::Offline;
  }
  return not_ready > 0 ? ProxyStatus::PartiallyDegraded : ProxyStatus::Online;
}

}  // namespace kuma::insight
