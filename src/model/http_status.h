#pragma once

#include <cstdint>

namespace kuma::model {

// Whether the number is an HTTP status code that IANA lists (503 is, 599 isn't).
bool is_registered_http_status(uint32_t code);

}  // namespace kuma::model
