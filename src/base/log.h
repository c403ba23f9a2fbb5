#pragma once

#include <memory>
#include <string_view>

#include "spdlog/spdlog.h"

namespace kuma {

// A named logger writing to standard error: `2026-01-02T15:04:05.000Z INFO xds.server message {json}`.
// Cheap to copy; loggers of one name are the same. Set the level once at start.
std::shared_ptr<spdlog::logger> make_logger(std::string_view name);

// `off`, `error`, `info` (default), `debug`. False for any other word.
bool set_log_level(std::string_view level);

}  // namespace kuma
