#include "model/access_log_format.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/text.h"
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

constexpr std::string_view kMeshOperators = "KUMA_";

std::string value_of(std::string_view command, const AccessLogValues& values) {
  command.remove_prefix(kMeshOperators.size());
  if (command == "SOURCE_ADDRESS") {
    return join_host_port(values.source_address, 0);
  }
  if (command == "SOURCE_ADDRESS_WITHOUT_PORT") {
    return values.source_address;
  }
  if (command == "SOURCE_SERVICE") {
    return values.source_service;
  }
  if (command == "DESTINATION_SERVICE") {
    return values.destination_service;
  }
  if (command == "MESH") {
    return values.mesh;
  }
  return command == "TRAFFIC_DIRECTION" ? std::string(values.direction) : "";
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string filled(const Operator& op, const AccessLogValues& values) {
  if (op.command.starts_with(kMeshOperators)) {
    return value_of(op.command, values);
  }
  if (op.command != "REQ" && op.command != "RESP" && op.command != "TRAILER") {
    return std::string(op.whole);
  }
  const size_t names = static_cast<size_t>(op.arguments.data() - op.whole.data());
  return std::string(op.whole.substr(0, names)) + lower_case(op.arguments) +
         std::string(op.whole.substr(names + op.arguments.size()));
}

// Calls `on_text` and `on_operator` for the parts of a format, in order.
template <typename OnText, typename OnOperator>
absl::Status walk(std::string_view format, OnText on_text, OnOperator on_operator) {
  size_t at = 0;
  while (at < format.size()) {
    const size_t percent = std::min(format.find('%', at), format.size());
    on_text(format.substr(at, percent - at));
    if (percent == format.size()) {
      break;
    }
    const auto op = parse_operator(format.substr(percent));
    if (!op) {
      return absl::InvalidArgumentError(
          fmt::format("format string is not valid: expected a command operator to start at position {}, instead got: {}",
                      percent + 1, quoted(format.substr(percent))));
    }
    if (std::string problem = problem_of(*op); !problem.empty()) {
      return absl::InvalidArgumentError("format string is not valid: " + problem);
    }
    on_operator(*op);
    at = percent + op->whole.size();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_access_log_format(std::string_view format) {
  return walk(format, [](std::string_view) {}, [](const Operator&) {});
}

absl::StatusOr<std::string> fill_access_log_format(std::string_view format, const AccessLogValues& values) {
  std::string out;
  absl::Status status = walk(
      format, [&](std::string_view text) { out += text; }, [&](const Operator& op) { out += filled(op, values); });
  if (!status.ok()) {
    return status;
  }
  return out;
}

AccessLogFields access_log_fields(std::string_view format) {
  AccessLogFields fields;
  const auto add_headers = [](std::string_view names, std::set<std::string>& to) {
    const size_t split = std::min(names.find('?'), names.size());
    for (const std::string_view name : {names.substr(0, split), names.substr(std::min(split + 1, names.size()))}) {
      if (!name.empty()) {
        to.insert(lower_case(name));
      }
    }
  };
  const absl::Status status = walk(format, [](std::string_view) {}, [&](const Operator& op) {
    if (op.command == "REQ") {
      add_headers(op.arguments, fields.request_headers);
    } else if (op.command == "RESP") {
      add_headers(op.arguments, fields.response_headers);
    } else if (op.command == "TRAILER") {
      add_headers(op.arguments, fields.response_trailers);
    } else if (op.command == "FILTER_STATE") {
      fields.filter_state.emplace(op.arguments);
    }
  });
  return status.ok() ? fields : AccessLogFields();
}

}  // namespace kuma::model
