#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"
#include "policy/policy.h"
#include "policy/refs.h"
#include "policy/rules.h"

namespace kuma::policy {

// Rules once made, for other proxies on which the same policies match. Any thread. Bounded: when it is full, what nobody
// asked for since it was last half full is forgotten.
class RuleCache {
 public:
  // The rules of `items`, which `policies` (in order) and `what` (of those, which items) determine.
  template <typename MakeItems>
  absl::StatusOr<RulesPtr> get(std::string_view what, const mesh::ResourceList& policies, MakeItems make_items) {
    std::string key = key_of(what, policies);
    if (RulesPtr known = find(key)) {
      return known;
    }
    absl::StatusOr<RulesPtr> made = build_rules(make_items());
    if (made.ok()) {
      put(std::move(key), policies, *made);
    }
    return made;
  }

 private:
  static constexpr size_t kEntriesMax = 2048;
  struct Entry {
    mesh::ResourceList policies;  // kept, so that their addresses, which the key has, stay theirs
    RulesPtr rules;
  };
  static std::string key_of(std::string_view what, const mesh::ResourceList& policies);
  RulesPtr find(const std::string& key);
  void put(std::string key, const mesh::ResourceList& policies, RulesPtr rules);

  std::mutex mutex_;  // guards both maps
  std::map<std::string, Entry> recent_;
  std::map<std::string, Entry> older_;
};

// A listener of a dataplane that clients reach: policies' `from` rules are made for each.
struct InboundKey {
  std::string address;
  uint32_t port = 0;
  auto operator<=>(const InboundKey&) const = default;
};

// What a targetRef can select on a proxy.
struct SelectableInbound {
  InboundKey key;
  mesh::Tags tags;
  bool of_gateway = false;     // a listener of the MeshGateway that the dataplane runs
  mesh::Tags listener_tags;    // of_gateway: the listener's own
};
std::vector<SelectableInbound> selectable_inbounds(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

// The inbounds that a policy's top-level targetRef selects. `warning` is set when the target can't be resolved.
std::vector<InboundKey> selected_inbounds(const model::Resource& policy, const mesh::MeshView& view,
                                          const mesh::DataplaneView& dataplane,
                                          const std::vector<SelectableInbound>& inbounds, std::string* warning = nullptr);

// Why a stored policy is left out wherever it matches (Policy::leaves_out_invalid); empty: it is not.
std::string refusal_of(const model::Resource& policy);

// What one type's policies mean for a proxy.
struct MatchedPolicies {
  mesh::ResourceList policies;          // that select it, the widest target first, then by name
  std::map<InboundKey, RulesPtr> from;  // of each inbound that any of them selects; types with `from`
  RulesPtr to;                          // types with `to`; never null
  RulesPtr single;                      // types with neither: one rule for the whole proxy, or none; never null
  std::vector<Problem> problems;
};

// All targetRef policies of a proxy, matched when they are first asked for. Used by one thread, during one generation; the
// view and the dataplane have to outlive it.
class ProxyPolicies {
 public:
  // `cache` may be null.
  ProxyPolicies(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, RuleCache* cache);

  const mesh::MeshView& view() const { return view_; }
  const mesh::DataplaneView& dataplane() const { return dataplane_; }
  const MatchedPolicies& of(const model::ResourceType& type) const;
  // Of the type with this name; nothing matches when there is no such targetRef policy.
  const MatchedPolicies& of(std::string_view type_name) const;
  // What went wrong in all that was asked for.
  std::vector<Problem> problems() const;

 private:
  MatchedPolicies match(const model::ResourceType& type) const;

  const mesh::MeshView& view_;
  const mesh::DataplaneView& dataplane_;
  RuleCache* cache_;
  std::vector<SelectableInbound> inbounds_;
  mutable std::map<std::string_view, MatchedPolicies> matched_;
};

}  // namespace kuma::policy
