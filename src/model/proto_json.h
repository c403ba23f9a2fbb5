#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/json.h"
#include "google/protobuf/message.h"

namespace kuma::model {

// protobuf's JSON mapping as clients of the control plane know it (spec/proto-tables.md): members in the order of
// declaration (protobuf's own printer orders by number), map keys sorted, defaults left out, enums by name, 64-bit
// integers as strings, Duration and Timestamp with 0, 3, 6 or 9 digits, wrappers and Struct as bare values.
// Any members are printed with "@type" when their type is linked in.
json::object to_json_object(const google::protobuf::Message& message);

// Fills `message` (cleared first). Takes lowerCamelCase and original names, enum names or numbers, numbers as strings,
// null as unset; ignores unknown members. A wrong kind of value is InvalidArgument that names the path and what would be
// right: `networking.inbound[0].port: expected a number, got the string "x"`.
//
// Durations are taken in any form that Go knows (`1h30m`), bytes only as base64 of the standard alphabet with padding,
// as the reference does. Nesting is bounded; nothing throws.
absl::Status from_json_value(const json::value& value, google::protobuf::Message& message);

// How the decoder of the reference words the same error, without the path, for where clients compare texts:
// `json: cannot unmarshal string into Go value of type uint32`. The status's own message where that isn't known.
std::string reference_text_of(const absl::Status& status);

}  // namespace kuma::model
