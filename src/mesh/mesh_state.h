#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "mesh/endpoints.h"
#include "mesh/mesh_view.h"
#include "mesh/view_builder.h"

namespace kuma::mesh {

// What all meshes share.
struct GlobalState {
  const ViewOptions* options = nullptr;
  const model::ResourceType* secret_type = nullptr;  // null: the registry has none
  std::map<std::string, model::ResourcePtr> zone_ingresses;  // by name, as stored
  std::map<std::string, model::ResourcePtr> zone_egresses;
  absl::flat_hash_map<std::string, std::string> resolved;    // host → IP; empty: does not resolve
  // The usable ones with IPs for hosts, as views hold them.
  ResourceList usable_ingresses;
  ResourceList usable_egresses;
  // All of them, resolved or not: for their own proxies.
  ResourceList all_ingresses;
  ResourceList all_egresses;

  std::optional<std::string> resolve(const std::string& host) const;
  void resolve_zone_proxies();
};

// The builder's working state of one mesh: indexes that say which parts of its next view a change touches. Changes are
// marked first and worked off in publish(), so that a batch of them costs one view and each service is built once.
//
// Copyable: an overlay is a copy that gets changes of its own. All big parts are shared pointers.
class MeshState {
 public:
  explicit MeshState(std::string name) : name_(std::move(name)) {}

  // Upserts (`after`) or deletes (null). No-ops are found out: a write that leaves the spec as it was changes nothing.
  void set_mesh(const model::ResourcePtr& after);
  void set_dataplane(const std::string& dataplane, const model::ResourcePtr& after, const GlobalState& global);
  void set_issued_backend(const std::string& dataplane, const std::string& backend);  // empty: none
  void set_secret(const std::string& secret, const model::ResourcePtr& after);
  void set_policy(const model::ResourceType& type, const std::string& policy, const model::ResourcePtr& after);
  void set_vips(const model::ResourcePtr& config, const VipNaming& naming);
  // What this mesh sees of another one; a null Mesh: it is gone.
  void set_other_mesh(const std::string& name, const OtherMesh& other);

  void mark_zone_proxies();                                       // they, or where they are, changed
  void re_resolve(const std::string& host, const GlobalState& global);
  void mark_committed(const model::Change& change);

  // Works off what other meshes see of this one: has to be asked of all meshes before any publishes, since each view shows
  // the others'. True when any of it differs from what was published.
  bool refresh_shown(const GlobalState& global);
  // What another mesh sees of this one.
  OtherMesh shown_to(const MeshState& other) const;

  // The next view, if it differs from the last.
  std::optional<MeshUpdate> publish(const GlobalState& global);

  const std::string& name() const { return name_; }
  const model::ResourcePtr& mesh() const { return mesh_; }
  const MeshViewPtr& view() const { return view_; }
  bool empty() const;
  void add_hosts(std::set<std::string>& hosts) const;

  // A copy for another mesh's overlay: only what the others see of it.
  MeshState outline() const;

 private:
  // The dataplanes with an inbound or gateway of one service; `ready` of them have a certificate of the enabled backend.
  struct Members {
    std::map<std::string, DataplaneStatePtr> dataplanes;
    size_t ready = 0;
  };

  bool refresh_trust(const GlobalState& global);
  bool refresh_gateways(const GlobalState& global);
  // Reads the files that gateways' certificates lie in, when a gateway has changed.
  void refresh_files(const GlobalState& global);
  ZoneInputs zone_inputs(const GlobalState& global) const;
  void add_member(const std::string& dataplane, const DataplaneStatePtr& state);
  void remove_member(const std::string& dataplane, const DataplaneStatePtr& state);
  bool has_certificate(const std::string& dataplane) const;
  void recount_ready();
  void refresh_zone_endpoints(const GlobalState& global);
  void mark_differences(const ZoneEndpoints::ByService& before, const ZoneEndpoints::ByService& after);
  ServicePtr build_service(const std::string& service) const;
  void publish_dataplanes(MeshView& next, MeshChange& change);
  void publish_services(MeshView& next, MeshChange& change);
  void publish_reach(MeshView& next, MeshChange& change, const GlobalState& global);

  std::string name_;
  model::ResourcePtr mesh_;
  TrustPtr trust_;
  bool is_outline_ = false;  // what it shows of its gateways stays as it is
  bool mtls_ = false;
  bool permissive_ = false;
  bool zone_egress_ = false;

  std::map<std::string, DataplaneStatePtr> dataplanes_;
  std::map<std::string, Members, std::less<>> members_;  // by service
  std::map<std::string, std::string> issued_backends_;   // by dataplane
  ZoneEndpoints zone_endpoints_;
  uint32_t local_weight_ = 1;  // that the endpoints of dataplanes_ were made with
  // For other meshes; null: none. A mesh goes through egresses to other zones' when both say so: only then they let it.
  std::shared_ptr<const GatewayServices> gateways_;
  std::shared_ptr<const GatewayServices> gateways_through_egress_;

  MeshViewPtr view_;  // the last one published; null before the first
  // The maps of the next view that need no working off.
  std::map<std::string, std::shared_ptr<const ResourceList>, std::less<>> policies_;
  SharedMap<std::string, model::ResourcePtr> secrets_;
  std::map<std::string, OtherMesh, std::less<>> other_meshes_;
  VipsPtr vips_;

  // Since the last publish():
  MeshChange pending_;                // all but dataplanes and services
  std::set<std::string> dirty_dataplanes_;
  std::set<std::string> dirty_services_;
  bool mesh_changed_ = false;         // mesh_ was replaced
  bool trust_dirty_ = false;
  bool zone_dirty_ = false;
  bool gateways_dirty_ = false;
  bool reach_dirty_ = true;           // tags that reachability depends on may have changed
  uint64_t sequence_ = 0;
};

bool same_endpoints(const std::vector<EndpointPtr>& a, const std::vector<EndpointPtr>& b);
bool same_service(const Service& a, const Service& b);
// Whether two specs say the same.
bool same_spec(const model::Resource& a, const model::Resource& b);

}  // namespace kuma::mesh
