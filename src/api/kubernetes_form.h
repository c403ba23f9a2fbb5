#pragma once

#include <string_view>

#include "base/json.h"
#include "model/resource.h"

namespace kuma::api {

// A resource as the Kubernetes object that it would be, for `?format=k8s`. `namespace_name` empty: the system's.
json::object to_kubernetes(const model::Resource& resource, std::string_view namespace_name,
                           std::string_view system_namespace);

}  // namespace kuma::api
