#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "mesh/v1alpha1/mesh_insight.pb.h"
#include "mesh/v1alpha1/service_insight.pb.h"
#include "model/change.h"

namespace kuma::insight {

// What the insights of one mesh say, counted along with the changes: a change costs what it touches, not the size of
// the mesh. The obvious twin that counts everything anew is in the test.
//
// Plain data without a thread of its own. Holds the stored resources themselves, so what a proxy counted for is taken
// off again by looking at the same resources once more.
class MeshCounts {
 public:
  // Takes a Dataplane, DataplaneInsight, ExternalService or policy of the mesh; others are ignored. Returns whether it
  // is one that the insights depend on.
  bool apply(const model::Change& change);

  // Whether nothing is counted.
  bool empty() const { return proxies_.empty() && services_.empty() && policies_.empty(); }

  // Every message is set, also empty ones, as clients are used to see them.
  mesh::v1alpha1::MeshInsight mesh_insight() const;
  mesh::v1alpha1::ServiceInsight service_insight() const;

 private:
  enum Kind { kStandard, kBuiltin, kDelegated, kKindCount };

  struct Stat {
    uint32_t online = 0, offline = 0, partially_degraded = 0;
    uint32_t all() const { return online + offline + partially_degraded; }
    void write(mesh::v1alpha1::MeshInsight::DataplaneStat& out, uint32_t total) const;
  };
  using StatByName = std::map<std::string, Stat, std::less<>>;

  struct Proxy {
    model::ResourcePtr dataplane;
    model::ResourcePtr insight;
  };

  struct Service {
    uint32_t online = 0, offline = 0;
    std::array<uint32_t, kKindCount> contributors{};  // inbounds and gateways, by what kind of proxy they are of
    std::map<std::string, uint32_t> issued_backends;
    std::map<std::string, std::string> external_addresses;  // by name of the ExternalService

    bool has_dataplanes() const {
      return contributors[kStandard] + contributors[kBuiltin] + contributors[kDelegated] > 0;
    }
  };

  void apply_external_service(const model::Change& change);
  // Adds (1) or takes off (-1) what a proxy counts for.
  void count(const Proxy& proxy, int sign);
  void count_services(const Proxy& proxy, Kind kind, bool online, const std::string& issued_backend, int sign);
  void count_service(const std::string& name, Kind kind, bool online, const std::string& issued_backend, int sign);
  static Kind kind_of(const Proxy& proxy);
  Kind first_kind(const std::string& service_name, const Service& service) const;
  mesh::v1alpha1::ServiceInsight::Service describe(const std::string& name, const Service& service) const;

  absl::btree_map<std::string, Proxy> proxies_;  // by name
  std::array<Stat, kKindCount> by_kind_;
  StatByName kuma_dp_versions_, envoy_versions_, issued_backends_, supported_backends_;
  absl::flat_hash_map<std::string, Service> services_;
  std::map<std::string_view, uint32_t> policies_;  // by type
  uint32_t external_services_ = 0;
};

}  // namespace kuma::insight
