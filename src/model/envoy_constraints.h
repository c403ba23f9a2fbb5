#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace kuma::model {

// The constraints that Envoy's API declares for its fields (protoc-gen-validate's `validate.rules`): required fields, lengths,
// bounds of numbers and durations, known enum values. The first violation is InvalidArgument in the validator's own words:
// `invalid VirtualHost.Domains: value must contain at least 1 item(s)`.
//
// Patterns, lists of allowed values and what is packed in an Any are left to Envoy, as are dynamic messages, whose
// descriptors don't carry the rules.
absl::Status check_envoy_constraints(const google::protobuf::Message& message);

}  // namespace kuma::model
