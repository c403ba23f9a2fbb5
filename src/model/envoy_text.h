#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

namespace kuma::model {

// Envoy resources as users write them into MeshProxyPatches and ProxyTemplates: YAML or JSON in protobuf's mapping, where any
// message of Envoy's API may stand in an Any. Errors are InvalidArgument and say what was wrong.

// What becomes of members that the message does not have: an error that names the first, or nothing.
enum class UnknownFields { Refuse, Ignore };

// `message` is one of ours or a dynamic one; on an error it is empty.
absl::Status read_envoy_text(std::string_view yaml, UnknownFields unknown, google::protobuf::Message& message);
absl::Status read_envoy_json(const json::value& value, UnknownFields unknown, google::protobuf::Message& message);
// The message that the member `@type` names.
absl::StatusOr<google::protobuf::Any> read_envoy_any(std::string_view yaml, UnknownFields unknown);

// In lowerCamelCase, without fields that have their default.
absl::StatusOr<json::value> to_envoy_json(const google::protobuf::Message& message);

// What a new resource has to be: readable, and within the constraints that Envoy declares for its fields.
absl::Status check_envoy_resource(std::string_view yaml, const google::protobuf::Message& prototype);
// What may be laid over a resource: readable.
absl::Status check_envoy_patch(std::string_view yaml, const google::protobuf::Message& prototype);

}  // namespace kuma::model
