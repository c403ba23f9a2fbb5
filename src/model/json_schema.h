#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
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
//
// Immutable once built; any thread.
class JsonSchema {
 public:
  enum class Kind {
    Object,
    Map,          // object with any keys, values of one schema
    Array,
    String,
    Integer,
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
  std::vector<int64_t> enum_numbers;      // Integer
  std::optional<std::string> pattern;     // String, RE2
  std::optional<double> minimum, maximum;
  std::optional<size_t> min_length, max_length, min_items, max_items;
  // Integer: what the field can hold. Beyond it normalize() fails; minimum and maximum are the schema's and come first.
  int64_t smallest = INT64_MIN, largest = INT64_MAX;
  // How an absent and an empty list differ: a plain list that is empty is printed as absent; a `nullable` one keeps `[]`.
  bool keeps_empty = false;
  // An object that is always printed: absent is the same as `{}`.
  bool always_there = false;

  // Adds every violation of the schema below `path` in the words of the reference: `in body is required`,
  // `in body must be of type string: "number"`, `in body should be one of [A B]`, … .
  void check(const json::value& value, const FieldPath& path, Violations& violations) const;

  // The value in normal form: unknown members dropped, members in schema order, empty lists and maps dropped unless
  // keeps_empty, durations normalised. Requires a value that passed check(); what is left to fail is InvalidArgument: an
  // unreadable duration (the message is Go's own), a number that does not fit its field, a map of something else.
  absl::StatusOr<json::value> normalize(const json::value& value) const;

  // Builder-like refinements: `string().matching("^a+$")`.
  JsonSchema matching(std::string regex) const;
  JsonSchema length(size_t min, std::optional<size_t> max = std::nullopt) const;
  JsonSchema items(std::optional<size_t> min, std::optional<size_t> max = std::nullopt) const;
  JsonSchema range(std::optional<double> min, std::optional<double> max = std::nullopt) const;
  JsonSchema keeping_empty() const;
  JsonSchema always() const;
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
JsonSchema integer();          // 64 bits, signed
JsonSchema int32();
JsonSchema uint32();
JsonSchema number();
JsonSchema boolean();
JsonSchema duration();
JsonSchema int_or_string();
JsonSchema any();

}  // namespace kuma::model
