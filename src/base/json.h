#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "boost/json.hpp"

namespace kuma {

// JSON values keep the order of their members as written, so what we print is in the order that we say.
namespace json = boost::json;

// Nesting that parsers accept, for JSON and YAML alike.
inline constexpr size_t kNestingMax = 64;

// The error names line and column: `line 3, column 17: unexpected character …`.
absl::StatusOr<json::value> parse_json(std::string_view text);

// A YAML document (JSON is one too) as JSON: plain scalars become null, booleans, numbers as YAML 1.2's core schema has
// them, quoted ones strings; anchors and aliases are resolved within a bound of 10,000 nodes. Errors name line and column.
absl::StatusOr<json::value> parse_yaml(std::string_view text);
// All documents of a stream separated by `---`; empty ones are left out.
absl::StatusOr<std::vector<json::value>> parse_yaml_documents(std::string_view text);
// Block style, members in their order, strings quoted only where they must be.
std::string to_yaml(const json::value& value);

// `step` spaces a level and a trailing newline, no HTML escapes: how the REST API prints (kumactl: two).
std::string to_pretty_json(const json::value& value, size_t step = 1);
// Members in order of their names, at every level.
json::value sorted(const json::value& value);
// One line without spaces.
std::string to_json(const json::value& value);

// Member access that never throws: null when the value is no object or has no such member.
const json::value* find(const json::value& value, std::string_view member);

}  // namespace kuma
