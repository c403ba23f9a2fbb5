#pragma once

#include <memory>
#include <string>

namespace kuma {

// Immutable bytes that many streams hold at once: an interned Envoy resource, a message body. Never null.
using SharedBytes = std::shared_ptr<const std::string>;

inline SharedBytes share_bytes(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

}  // namespace kuma
