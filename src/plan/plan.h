#pragma once

#include <string>
#include <vector>

#include "mesh/view_builder.h"
#include "plan/difference.h"
#include "xds/gen/generator.h"

namespace kuma::plan {

// What would a change do? The configuration of every dataplane of a mesh is generated as it is and as it would be, from two
// views of the mesh: the stored one, and one with changes laid over it that nobody stored (mesh::ViewBuilder::overlay). Pure.

// How much is told. What is left out is counted.
struct Limits {
  size_t differences_max = 200;
  size_t lines_max = 50;       // of one difference
  size_t dataplanes_max = 20;  // that one difference or effect names
  size_t effects_max = 200;
  size_t warnings_max = 100;
};

// Names, of which only the first are told.
struct Names {
  std::vector<std::string> first;
  size_t count = 0;
  void add(const std::string& name, size_t max) {
    if (++count <= max) {
      first.push_back(name);
    }
  }
};

// One Envoy resource that would be another, the same way for all these dataplanes.
struct Difference {
  std::string kind;     // cluster, endpoints, listener, route
  std::string name;
  std::string action;   // added, removed, changed
  Lines lines;          // of a change
  Names dataplanes;
};

// A setting that another policy would decide than now.
struct Effect {
  std::string type;     // of the policies
  std::string list;     // from, to; empty for policies with neither
  std::string subset;   // of the peers that it is for; empty: all
  std::string path;     // of the setting
  json::value before;   // null: not set
  json::value after;
  std::string loses;    // name of the policy that decides it now; empty: none does
  std::string wins;     // and of the one that would; empty: none would
  Names dataplanes;
  bool operator<(const Effect& other) const {
    return std::tie(type, list, subset, path, loses, wins) < std::tie(other.type, other.list, other.subset, other.path, other.loses, other.wins);
  }
};

struct Plan {
  size_t dataplanes_changed = 0;
  size_t dataplanes_unchanged = 0;
  Names changed;
  std::vector<Difference> differences;
  size_t differences_left_out = 0;
  std::vector<Effect> effects;
  size_t effects_left_out = 0;
  std::vector<std::string> warnings;  // each once
};

// `update` is what overlay() gave. A null view before or after: the mesh would be new, or gone.
Plan make_plan(const mesh::MeshUpdate& update, const Limits& limits = {});

json::object to_json_object(const Plan& plan);
json::object to_json_object(const Difference& difference);

}  // namespace kuma::plan
