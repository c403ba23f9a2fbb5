#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "api/deps.h"
#include "config/config.h"
#include "manager/resource_manager.h"
#include "manager/token_validator.h"
#include "net/call_observer.h"
#include "net/tls.h"
#include "observe/metrics.h"

namespace kuma {

// The synchronisation between control planes, as the mode asks for: a global serves its zones, a zone dials its global.
// Has a thread of its own, and workers that write.
//
// Life: start(), stop() after the servers of the API and before the store goes.
class Multizone {
 public:
  struct Parts {
    const config::Config& config;
    const model::Registry& registry;
    store::Store& store;
    manager::ResourceManager& manager;
    manager::TokenValidator& validator;
    observe::Metrics& metrics;
    net::CallObserver& server_calls;
    net::CallObserver& client_calls;
    std::string instance_id;
    std::shared_ptr<const net::TlsContext> tls;  // of a global's port; null: clear text
    api::FetchAdminPage fetch_admin_page;        // from a proxy of this control plane
  };
  static absl::StatusOr<std::unique_ptr<Multizone>> start(Parts parts);
  ~Multizone();  // stop()

  // Pages of proxies: of a zone's own, or, in a global, of any zone's. Valid until stop().
  api::FetchAdminPage fetch_admin_page() const;
  // Zones that a global turned away; none in a zone. Valid until stop().
  api::RefusedZones refused_zones() const;
  void stop();

 private:
  struct Impl;
  explicit Multizone(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma
