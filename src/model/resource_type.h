#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/json.h"
#include "base/violations.h"

namespace google::protobuf {
class Message;
}

namespace kuma::model {

struct Resource;
class JsonSchema;

enum class Scope { Global, Mesh };

// Which way a type travels between global and zones. Both: ZoneIngress (a zone's own go up, those of others come down).
enum class KdsDirection { None, GlobalToZone, ZoneToGlobal, Both };

// All there is to know of a resource type. Adding a type is one entry in a list; the programs build a Registry from
// model::core_types() and policy::policy_types(), and nothing else lists types.
struct ResourceType {
  std::string_view name;              // "Dataplane", as in `type:`
  Scope scope = Scope::Mesh;
  std::string_view path;              // REST collection, "dataplanes"; empty: not in the REST API
  std::string_view kumactl_singular;  // "dataplane"; empty: kumactl has no command for it
  std::string_view kumactl_plural;
  std::string_view display_singular;  // "Mesh Timeout"
  std::string_view display_plural;
  bool read_only = false;             // the API refuses writes: made by control planes only
  bool admin_only = false;            // needs access.static.adminResources
  bool is_policy = false;             // in /policies, counted in MeshInsight, has …/_resources/dataplanes
  bool inspectable = false;           // has GET …/{name}/dataplanes
  bool is_target_ref = false;         // spec is JSON under `spec:` checked by `schema`; else a protobuf message, flat
  bool has_to = false;                // targetRef policies: isOutbound
  bool has_from = false;              // targetRef policies: isInbound
  KdsDirection kds = KdsDirection::None;
  std::string_view insight_type;      // "DataplaneInsight" for Dataplane; empty: has none

  const google::protobuf::Message* prototype = nullptr;  // of the spec; null for targetRef policies
  const JsonSchema* schema = nullptr;                    // of `spec`; targetRef policies only

  // targetRef policies: the settings of an element of `to` or `from`. Null: its `default`.
  json::value (*conf_of_item)(const json::value& item) = nullptr;

  // Adds what is wrong with a decoded spec, with paths as clients see them. Null: nothing is checked.
  void (*validate)(const Resource& resource, Violations& violations) = nullptr;
};

// The types of spec/resources.md §1.1, without the targetRef policies, which src/policy adds.
std::vector<ResourceType> core_types();

// Every type of a program. Immutable; pointers to its types stay valid as long as it lives and compare by identity.
class Registry {
 public:
  explicit Registry(std::vector<ResourceType> types);

  const ResourceType* find(std::string_view name) const;           // "Dataplane"
  const ResourceType* find_by_path(std::string_view path) const;   // "dataplanes"
  const ResourceType* find_by_kumactl(std::string_view word) const;  // singular or plural
  // In order of name.
  std::span<const ResourceType> types() const { return types_; }

 private:
  std::vector<ResourceType> types_;
};

}  // namespace kuma::model
