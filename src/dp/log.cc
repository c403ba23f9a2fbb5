#include "dp/log.h"

#include "fmt/chrono.h"
#include "fmt/format.h"

namespace kuma::dp {
namespace {

// JSON with a space after each colon and comma.
void append_spaced(const json::value& value, std::string& out) {
  std::string_view separator;
  if (const auto* object = value.if_object()) {
    out += '{';
    for (const auto& [key, member] : *object) {
      out += separator;
      out += json::serialize(json::string(key));
      out += ": ";
      append_spaced(member, out);
      separator = ", ";
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (const json::value& element : *array) {
      out += separator;
      append_spaced(element, out);
      separator = ", ";
    }
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

std::string format_time(WallTime time) {
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (millis - seconds).count());
}

}  // namespace

void Log::error(std::string_view component, std::string_view message, json::object fields) {
  if (level_ != Level::Off) {
    write("ERROR", component, message, fields);
  }
}

void Log::info(std::string_view component, std::string_view message, json::object fields) {
  if (level_ != Level::Off) {
    write("INFO", component, message, fields);
  }
}

void Log::debug(std::string_view component, std::string_view message, json::object fields) {
  if (level_ == Level::Debug) {
    write("DEBUG", component, message, fields);
  }
}

void Log::write(std::string_view level, std::string_view component, std::string_view message,
                const json::object& fields) {
  std::string line = fmt::format("{}\t{}\tkuma-dp.{}\t{}", format_time(clock_.wall_now()), level, component, message);
  if (!fields.empty()) {
    line += '\t';
    append_spaced(fields, line);
  }
  line += '\n';
  const std::lock_guard lock(writing_);
  write_(line);
}

}  // namespace kuma::dp
