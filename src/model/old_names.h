#pragma once

#include <string_view>

namespace kuma::model {

// What kuma-dp and kumactl say of a name that only the older rule lets pass (spec/resources.md §3: accepted on updates).
inline constexpr std::string_view kOldNameWarning =
    "[WARNING] Kuma 2.5.x introduces more strict validation rules for resource name, it must consist of lower case "
    "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character. You can't CREATE "
    "resources with invalid names anymore, but it's possible to UPDATE such resources until Kuma 2.7.x is released.";

}  // namespace kuma::model
