#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kuma::api {

// Envoy's config dump as the API shows it (spec/rest-api.md): members are named as in protobuf's JSON (`dynamicListeners`),
// the tokens with which the proxy dials the control plane are taken out of its bootstrap. Envoy itself leaves out private
// keys. What is of a type that we don't know stays as it came.
absl::StatusOr<std::string> sanitize_config_dump(std::string_view dump);

}  // namespace kuma::api
