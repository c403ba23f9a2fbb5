#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "mesh/mesh_view.h"
#include "policy/refs.h"

namespace kuma::policy {

// Which part of a proxy's configuration a resource belongs to. Policies find their targets by it.
enum class Origin {
  Admin, Prometheus, Transparent, Inbound, Outbound, DirectAccess, Tracing, Probe, Dns, Secrets, Gateway, Ingress, Egress,
  MeshProxyPatch, ProxyTemplateRaw, ProxyTemplateModifications,
  AccessLog, Trace  // collectors of MeshAccessLogs and MeshTraces
};
std::string_view origin_name(Origin origin);  // "inbound", as users write it in ProxyTemplates

// Names what a resource is made from. Two resources with equal keys are equal, so one is made for both: a key has to hold
// everything that the making depends on. Parts are delimited by their length, so no two lists of parts give one key.
class PieceKey {
 public:
  explicit PieceKey(std::string_view kind) { add(kind); }

  PieceKey& add(std::string_view part) {
    append_raw(part.size());
    text_.append(part);
    return *this;
  }
  template <typename Number>
    requires(std::is_arithmetic_v<Number> || std::is_enum_v<Number>)
  PieceKey& add(Number part) {
    append_raw(part);
    return *this;
  }
  PieceKey& add(const mesh::Tags& tags) {
    append_raw(tags.size());
    for (const auto& [key, value] : tags) {
      add(std::string_view(key)).add(std::string_view(value));
    }
    return *this;
  }
  // An immutable object by its identity. Whoever keeps the key keeps the object, so its address stays its own.
  template <typename T>
  PieceKey& add(const std::shared_ptr<const T>& part) {
    append_raw(part.get());
    if (part != nullptr) {
      kept_.push_back(part);
    }
    return *this;
  }

  const std::string& text() const { return text_; }
  const std::vector<std::shared_ptr<const void>>& kept() const { return kept_; }

 private:
  template <typename T>
  void append_raw(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  std::string text_;
  std::vector<std::shared_ptr<const void>> kept_;
};

// What a listener, cluster or list of endpoints is for.
struct Subject {
  std::string service;           // of the inbound, or the destination
  mesh::Tags tags;               // of the inbound, or of the destination
  mesh::Protocol protocol = mesh::Protocol::Unknown;
  std::string address;           // listeners: where they listen; clusters of a gateway: the listener that sends to them
  uint32_t port = 0;
};

// An Envoy resource that is described but not made: what it is called, how to make it, how policies change it. It is made
// only if no other proxy has had one of the same key.
template <typename Message>
class Draft {
 public:
  using Make = std::function<void(Message&)>;
  // On an error the change is left out (the message is as it was), the resource is used without it.
  using Edit = std::function<absl::Status(Message&)>;

  struct Change {
    model::ResourcePtr blame;  // the policy that an error is put down to
    Edit edit;
    PieceKey fingerprint{""};  // of endpoints only, which are made again from a service's next state
  };

  std::string name;
  Origin origin = Origin::Outbound;
  std::shared_ptr<const Subject> subject;  // never null
  PieceKey key{""};
  Make make;
  std::vector<Change> changes;
  std::vector<const model::Resource*> shaped_by;  // of the view or of a rule's origins, which outlive the draft
  // Endpoints: they are those of the subject's service in the view, and depend on nothing else of the view.
  bool is_of_service = false;

  // A policy's change. `fingerprint` names everything that `edit` depends on beside the message: the policy's type and its
  // merged settings, as a rule. `by` must not be empty.
  void change(const PieceKey& fingerprint, const mesh::ResourceList& by, Edit edit) {
    for (const auto& policy : by) {
      shaped_by.push_back(policy.get());
    }
    Change one{by.back(), std::move(edit)};
    if constexpr (std::is_same_v<Message, ::envoy::config::endpoint::v3::ClusterLoadAssignment>) {
      one.fingerprint = fingerprint;
    }
    add_fingerprint(fingerprint);
    changes.push_back(std::move(one));
  }
  // A change that was made to another state of the same endpoints.
  void change_again(const Change& earlier) {
    add_fingerprint(earlier.fingerprint);
    changes.push_back(earlier);
  }
  // A policy, or null for none, that `make` depends on.
  void shaped(const model::ResourcePtr* policy) {
    if (policy != nullptr && *policy != nullptr) {
      shaped_by.push_back(policy->get());
    }
  }

 private:
  void add_fingerprint(const PieceKey& fingerprint) {
    key.add(std::string_view(fingerprint.text()));
    for (const auto& kept : fingerprint.kept()) {
      key.add(kept);
    }
  }
};

using ClusterDraft = Draft<::envoy::config::cluster::v3::Cluster>;
using EndpointsDraft = Draft<::envoy::config::endpoint::v3::ClusterLoadAssignment>;
using ListenerDraft = Draft<::envoy::config::listener::v3::Listener>;
using RouteDraft = Draft<::envoy::config::route::v3::RouteConfiguration>;

// A destination that the proxy's application reaches through an address of its own: one listener.
struct ProxyOutbound {
  std::string address;    // an IP
  uint32_t port = 0;
  mesh::Tags tags;        // with kuma.io/service
  bool from_vip = false;  // of an address that the control plane gave; false: written in the Dataplane

  std::string service() const { return std::string(mesh::tag(tags, mesh::kServiceTag)); }
};

// The configuration of one proxy in the making. The generators fill it, then the policies change it.
class ProxyResources {
 public:
  // What the proxy reaches, in order; complete before the first generator of resources runs.
  std::vector<ProxyOutbound> outbounds;
  // Connections are redirected to the proxy by the kernel, so its listeners need not bind their addresses.
  const mesh::DataplaneView* dataplane = nullptr;  // whose configuration it is; null: a zone proxy's
  bool transparent = false;
  // Where kuma-dp reads access logs that it sends on; empty: it doesn't.
  std::string access_log_path;
  bool access_log_pipe = true;  // false: a kuma-dp so old that it serves gRPC there, for TrafficLogs

  // By name; one that is set again replaces the earlier one.
  std::map<std::string, ClusterDraft> clusters;
  std::map<std::string, EndpointsDraft> endpoints;
  std::map<std::string, ListenerDraft> listeners;
  std::map<std::string, RouteDraft> routes;
  std::set<SecretRef> secrets;
  std::vector<Problem> problems;
  // The services looked at: a change of another one can't change this configuration.
  std::set<std::string> services;
  std::set<std::string> data_secrets;  // names of the mesh's secrets whose data is part of the configuration
  std::set<std::string> other_meshes;  // names of the meshes that destinations are in

  template <typename DraftType>
  static DraftType& put(std::map<std::string, DraftType>& all, DraftType draft) {
    std::string name = draft.name;
    return all.insert_or_assign(std::move(name), std::move(draft)).first->second;
  }

  // The secrets that mTLS within a mesh, or from it to another one, needs.
  void need_mesh_secrets(std::string_view mesh, std::string_view peer_mesh);
};

}  // namespace kuma::policy
