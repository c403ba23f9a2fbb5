#include "base/log.h"

#include <atomic>
#include <mutex>

#include "spdlog/sinks/stdout_sinks.h"

namespace kuma {
namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%L%$ %n: %v";

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(std::string_view name) {
  static std::mutex making;
  const std::lock_guard lock(making);
  const std::string key(name);
  if (auto existing = spdlog::get(key)) {
    return existing;
  }
  auto logger = spdlog::stderr_logger_mt(key);
  logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::get_level());
  logger->flush_on(spdlog::level::info);
  return logger;
}

bool set_log_level(std::string_view level) {
  if (level == "off") {
    spdlog::set_level(spdlog::level::off);
  } else if (level == "error") {
    spdlog::set_level(spdlog::level::err);
  } else if (level == "info") {
    spdlog::set_level(spdlog::level::info);
  } else if (level == "debug") {
    spdlog::set_level(spdlog::level::debug);
  } else {
    return false;
  }
  return true;
}

}  // namespace kuma
