#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/violations.h"

namespace kuma::model {

// The shape of a targetRef policy's `spec`: what the reference's OpenAPI schema of the type checks, and the order in which
// members are printed. Built with the functions below into one constant per policy:
//
//   const JsonSchema kSpec = object({
//       {"targetRef", target_ref(), kRequired},
//       {"from", array(object({{"targetRef", target_ref(), kRequired}, {"default", object({…})}}))},
//   });
class JsonSchema {
 public:
  enum class Kind {
    Object,
    Map,          // object with any keys, values of one schema
    Array,
    String,
    Integer,      // 64-bit signed range checks by minimum/maximum
    Number,
    Boolean,
    Duration,     // Go duration text; printed in Go's normal form
    IntOrString,  // keeps which of the two it is
    Any,          // any JSON value, kept as it is
  };

  struct Member;

  Kind kind = Kind::Any;
  std::vector<Member> members;            // Object, in order of output
  std::vector<JsonSchema> element;        // Array, Map: exactly one
  std::vector<std::string> enum_values;   // String
  std::optional<std::string> pattern;     // String, RE2-like ECMAScript
  std::optional<double> minimum, maximum;
  std::optional<size_t> min_length, max_length, min_items, max_items;
  // How an absent and an empty list differ: a plain list that is empty is printed as absent; a `nullable` one keeps `[]`.
  bool keeps_empty = false;

  // Adds every violation of the schema below `path` in the words of the reference: `in body is required`,
  // `in body must be of type string: "number"`, `in body should be one of [A B]`, … .
  void check(const json::value& value, const FieldPath& path, Violations& violations) const;

  // The value in normal form: unknown members dropped, members in schema order, empty lists and maps dropped unless
  // keeps_empty, durations normalised. Requires a value that passed check(); an unreadable duration is InvalidArgument.
  absl::StatusOr<json::value> normalize(const json::value& value) const;
};

inline constexpr bool kRequired = true;

struct JsonSchema::Member {
  std::string name;
  JsonSchema schema;
  bool required = false;
};

JsonSchema object(std::vector<JsonSchema::Member> members);
JsonSchema map_of(JsonSchema element);
JsonSchema array(JsonSchema element);
JsonSchema string();
JsonSchema enumeration(std::vector<std::string> values);
JsonSchema integer();
JsonSchema number();
JsonSchema boolean();
JsonSchema duration();
JsonSchema int_or_string();
JsonSchema any();

}  // namespace kuma::model
