#pragma once

#include <map>
#include <string>
#include <vector>

#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/zone_view.h"

namespace kuma::xds {

// What a zone offers to the others through its ingresses (ZoneIngress.availableServices, spec/zone-proxies.md §4.1): instances
// that take traffic counted by mesh and tags, then external services of this zone, then gateways' cross-mesh listeners; each
// in order of mesh and tags.
//
// Kept between calls: a service whose endpoints are the same object as the last time is not counted again, so that one change
// among 20,000 instances costs one service. Used by one thread.
class AvailableServices {
 public:
  using List = google::protobuf::RepeatedPtrField<mesh::v1alpha1::ZoneIngress::AvailableService>;

  // Of tags, only those whose key starts with one of `tag_filters` are told; empty: all.
  explicit AvailableServices(std::vector<std::string> tag_filters) : tag_filters_(std::move(tag_filters)) {}

  List compute(const mesh::ZoneView& zone);

 private:
  using Counts = std::map<std::string, std::pair<mesh::Tags, uint32_t>>;  // by the tags as a text
  struct Counted {
    mesh::ServicePtr service;
    Counts counts;
    uint64_t round = 0;
  };
  const Counts& counts_of(const std::string& mesh, const mesh::ServicePtr& service);
  mesh::Tags filtered(const mesh::Tags& tags) const;
  void add_external(const mesh::MeshView& view, List& list) const;

  const std::vector<std::string> tag_filters_;
  std::map<std::pair<std::string, std::string>, Counted> counted_;  // by mesh and service
  uint64_t round_ = 0;
};

// Whether two lists say the same, in the same order.
bool same_services(const AvailableServices::List& a, const AvailableServices::List& b);

}  // namespace kuma::xds
