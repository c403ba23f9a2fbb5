#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mesh/mesh_view.h"
#include "mesh/zone_view.h"
#include "model/change.h"

namespace kuma::mesh {

struct ViewOptions {
  std::string zone;  // KUMA_MULTIZONE_ZONE_NAME; empty: none
  // Reads a file that a provided CA names. Null: such a CA has a problem that says so.
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
  VipNaming vip_naming{};
  bool auto_reachable = false;  // KUMA_EXPERIMENTAL_AUTO_REACHABLE_SERVICES
};

struct MeshUpdate {
  MeshViewPtr previous;  // null for a new mesh
  MeshViewPtr view;      // null when the mesh is gone
  MeshChange change;
};

// Folds the change feed into the next view of each mesh. The single writer of views: owned by one thread, pure apart from
// its state, knows no store, no clock, no network (host names are resolved by its owner, see unresolved_hosts).
class ViewBuilder {
 public:
  ViewBuilder(const model::Registry& registry, ViewOptions options);
  ~ViewBuilder();

  // One update per mesh whose view changed; status writes (insights) change none, but for Service::tls_ready.
  std::vector<MeshUpdate> apply(std::span<const model::Change> changes);

  // Host names in addresses of dataplanes and zone ingresses. Their owner asks the resolver now and then and tells.
  std::vector<std::string> hosts() const;
  // An empty address: it does not resolve, and what uses it is left out of the view.
  std::vector<MeshUpdate> set_resolved(const std::string& host, const std::string& address);

  MeshViewPtr find(std::string_view mesh) const;
  std::vector<MeshViewPtr> views() const;
  // All of it at once, for proxies that belong to no mesh. A change of a zone proxy is in it even when there is no mesh at all,
  // of which no update tells.
  ZoneView zone_view() const;

  // The view with changes laid over it that nobody stored ("what would this policy change?"). Leaves the builder alone.
  MeshUpdate overlay(std::string_view mesh, std::span<const model::Change> changes) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma::mesh
