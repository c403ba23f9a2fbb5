#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "google/protobuf/any.pb.h"

namespace kuma::policy::envoy {

// An Any of one of Envoy's messages (`type_name`, "envoy.extensions.retry.…") that our code need not be compiled against, from
// its JSON. NotFound: Envoy has no such message; InvalidArgument: the value does not fit it.
absl::StatusOr<google::protobuf::Any> any_of(std::string_view type_name, const json::value& value);

}  // namespace kuma::policy::envoy
