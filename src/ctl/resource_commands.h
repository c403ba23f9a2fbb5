#pragma once

#include <string>

#include "ctl/command.h"
#include "model/resource_type.h"

namespace kuma::ctl {

// `/meshes/{mesh}/{path}` or `/{path}`.
std::string collection_path(const model::ResourceType& type, const std::string& mesh);
std::string item_path(const model::ResourceType& type, const std::string& mesh, const std::string& name);

// A text member anywhere below `value` ("networking.address"), or empty.
std::string text_at(const json::value& value, std::initializer_list<std::string_view> path);
// A number member, also when it is written as a string; 0 when it is not there.
uint64_t number_at(const json::value& value, std::initializer_list<std::string_view> path);
// The list at `path`; an empty one when it is not there.
const json::array& list_at(const json::value& value, std::initializer_list<std::string_view> path);
// The tags of a dataplane as `k=v1,v2 k2=v`, over all its inbounds or of its gateway.
std::string dataplane_tags(const json::value& dataplane);
// One resource as a YAML document: metadata, then what it says, each in order of names (spec/kumactl.md §4).
std::string resource_yaml(const json::value& resource);
// `k=v k2=v2` of one map.
std::string tags_text(const json::value& tags);

}  // namespace kuma::ctl
