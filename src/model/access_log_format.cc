#include "model/access_log_format.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "base/json.h"
#include "fmt/format.h"

namespace kuma::model {
namespace {

struct Operator {
  std::string_view whole;      // with the percent signs
  std::string_view command;
  bool has_arguments = false;
  std::string_view arguments;  // within the parentheses
  bool has_length = false;
};

std::string quoted(std::string_view text) { return json::serialize(json::string(text)); }

bool is_command_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// `%COMMAND%`, `%COMMAND(arguments)%`, each with an optional `:N`, at the start of `text`.
std::optional<Operator> parse_operator(std::string_view text) {
  size_t at = 1;
  while (at < text.size() && is_command_char(text[at])) {
    ++at;
  }
  if (at == 1) {
    return std::nullopt;
  }
  Operator out;
  out.command = text.substr(1, at - 1);
  if (at < text.size() && text[at] == '(') {
    const size_t close = text.find(')', at);
    if (close == std::string_view::npos) {
      return std::nullopt;
    }
    out.has_arguments = true;
    out.arguments = text.substr(at + 1, close - at - 1);
    at = close + 1;
  }
  if (at < text.size() && text[at] == ':') {
    const size_t digits = at + 1;
    at = digits;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    if (at == digits) {
      return std::nullopt;
    }
    out.has_length = true;
  }
  if (at >= text.size() || text[at] != '%') {
    return std::nullopt;
  }
  out.whole = text.substr(0, at + 1);
  return out;
}

std::string problem_of(const Operator& op) {
  if (op.command == "REQ" || op.command == "RESP" || op.command == "TRAILER") {
    if (!op.has_arguments || op.arguments.empty()) {
      return fmt::format("command \"%{}%\" requires a header and optional alternative header names as its arguments, instead got {}", op.command, quoted(op.whole));
    }
    if (std::count(op.arguments.begin(), op.arguments.end(), '?') > 1) {
      return fmt::format("more than 1 alternative header specified in {}", quoted(op.whole));
    }
  } else if (op.command == "DYNAMIC_METADATA") {
    if (!op.has_arguments || op.arguments.empty()) {
      return fmt::format("command \"%DYNAMIC_METADATA%\" requires a filter namespace and optional path as its arguments, instead got {}", quoted(op.whole));
    }
  } else if (op.command == "FILTER_STATE") {
    if (!op.has_arguments || op.arguments.empty()) {
      return fmt::format("command \"%FILTER_STATE%\" requires a key as its argument, instead got {}", quoted(op.whole));
    }
  } else if (op.command == "START_TIME") {
    if (op.arguments.find('\n') != std::string_view::npos) {
      return fmt::format("start time format string contains a newline in {}", quoted(op.whole));
    }
  } else if (op.has_arguments || op.has_length) {
    return fmt::format("command \"%{}%\" doesn't support arguments or max length constraint, instead got {}", op.command, quoted(op.whole));
  }
  return "";
}

}  // namespace

absl::Status check_access_log_format(std::string_view format) {
  for (size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%', at)) {
    const auto op = parse_operator(format.substr(at));
    if (!op) {
      return absl::InvalidArgumentError(fmt::format(
          "format string is not valid: expected a command operator to start at position {}, instead got: {}", at + 1, quoted(format.substr(at))));
    }
    if (std::string problem = problem_of(*op); !problem.empty()) {
      return absl::InvalidArgumentError("format string is not valid: " + problem);
    }
    at += op->whole.size();
  }
  return absl::OkStatus();
}

}  // namespace kuma::model
