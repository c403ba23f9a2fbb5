#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mesh/mesh_view.h"
#include "xds/gen/generator.h"

namespace kuma::xds {

// Most changes of a busy mesh are endpoints that come and go. Where nothing else has changed for a proxy, only its lists of
// endpoints are made again, from what they were made from, in some microseconds instead of a whole generation.
//
// Remembers, of the view that a dataplane's configuration was generated from, what that looked at: no more, so that old views
// go. Used by one thread at a time, for one proxy with the same metadata and admin certificate all the time.
class EndpointRefresh {
 public:
  // `last` was generated from `view`.
  EndpointRefresh(const mesh::MeshView& view, const ProxyInput& proxy, std::shared_ptr<const Generation> last);

  // The lists that generate() would give, in the order of `endpoints`, which are the last ones: in order of name. Nothing when
  // more has changed than endpoints; then this has served its time.
  std::optional<std::vector<WireResourcePtr>> refresh(const mesh::MeshView& view, const std::vector<WireResourcePtr>& endpoints,
                                                      const GeneratorContext& context);

 private:
  bool is_possible(const mesh::MeshView& view) const;
  // The services that have other endpoints now, with their state before; nothing when they differ in more than those.
  std::optional<std::map<std::string, mesh::ServicePtr, std::less<>>> take_changed(const mesh::MeshView& view);

  const model::ResourceKey proxy_;
  const std::shared_ptr<const Generation> last_;
  bool possible_ = true;

  // Of the view:
  const model::ResourcePtr mesh_;
  const mesh::TrustPtr trust_;
  const mesh::DataplanePtr dataplane_;
  const decltype(mesh::MeshView::policies) policies_;
  const decltype(mesh::MeshView::other_meshes) other_meshes_;
  const mesh::VipsPtr vips_;
  const mesh::ReachTagsPtr reach_tags_;
  std::vector<mesh::ServicePtr> services_;          // in the order of last_->services
  std::vector<model::ResourcePtr> data_secrets_;    // in the order of last_->data_secrets
};

}  // namespace kuma::xds
