#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace kuma::dp {

// kuma-dp's own log, in the form its users parse:
// `2026-01-02T03:04:05.678Z<TAB>INFO<TAB>kuma-dp.run<TAB>message<TAB>{"key": 1}` (the last column only with fields).
// Envoy's output is not part of it. Any thread.
class Log {
 public:
  enum class Level { Off, Info, Debug };
  using Write = std::function<void(std::string_view line)>;  // whole lines, one call at a time

  Log(const Clock& clock, Level level, Write write) : clock_(clock), level_(level), write_(std::move(write)) {}

  // `component` is the last part of the third column: "run" for kuma-dp.run.
  void error(std::string_view component, std::string_view message, json::object fields = {});
  void info(std::string_view component, std::string_view message, json::object fields = {});
  void debug(std::string_view component, std::string_view message, json::object fields = {});

 private:
  void write(std::string_view level, std::string_view component, std::string_view message, const json::object& fields);

  const Clock& clock_;
  const Level level_;
  std::mutex writing_;
  const Write write_;  // guarded by writing_
};

}  // namespace kuma::dp
