#include "base/json.h"

#include <cmath>
#include <map>

#include "fmt/format.h"

namespace kuma {
namespace {

// "line 3, column 17" of an offset.
std::string position_text(std::string_view text, size_t offset) {
  size_t line = 1;
  size_t line_start = 0;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
  }
  return fmt::format("line {}, column {}", line, offset - line_start + 1);
}

void print(const json::value& value, size_t step, size_t indent, std::string& out) {
  const auto new_line = [&](size_t depth) {
    out += '\n';
    out.append(depth, ' ');
  };
  if (const json::object* object = value.if_object()) {
    if (object->empty()) {
      out += "{}";
      return;
    }
    out += '{';
    bool first = true;
    for (const auto& [key, member] : *object) {
      out += first ? "" : ",";
      first = false;
      new_line(indent + step);
      out += json::serialize(json::string(key));
      out += ": ";
      print(member, step, indent + step, out);
    }
    new_line(indent);
    out += '}';
  } else if (const json::array* array = value.if_array()) {
    if (array->empty()) {
      out += "[]";
      return;
    }
    out += '[';
    bool first = true;
    for (const json::value& element : *array) {
      out += first ? "" : ",";
      first = false;
      new_line(indent + step);
      print(element, step, indent + step, out);
    }
    new_line(indent);
    out += ']';
  } else {
    out += to_json(value);
  }
}

// Doubles as Go's encoder writes them: no exponent for usual magnitudes, no ".0".
std::string double_text(double number) {
  if (number != 0 && (std::abs(number) < 1e-6 || std::abs(number) >= 1e21)) {
    return fmt::format("{:e}", number);
  }
  std::string text = fmt::format("{}", number);
  if (text.ends_with(".0")) {
    text.resize(text.size() - 2);
  }
  if (text.find('e') != std::string::npos) {
    text = fmt::format("{:.0f}", number);
  }
  return text;
}

void print_compact(const json::value& value, std::string& out) {
  if (const json::object* object = value.if_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : *object) {
      out += first ? "" : ",";
      first = false;
      out += json::serialize(json::string(key));
      out += ':';
      print_compact(member, out);
    }
    out += '}';
  } else if (const json::array* array = value.if_array()) {
    out += '[';
    bool first = true;
    for (const json::value& element : *array) {
      out += first ? "" : ",";
      first = false;
      print_compact(element, out);
    }
    out += ']';
  } else if (const double* number = value.if_double()) {
    out += double_text(*number);
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

absl::StatusOr<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kNestingMax;
  json::stream_parser parser({}, options);
  json::error_code error;
  size_t consumed = parser.write_some(text.data(), text.size(), error);
  if (!error && parser.done()) {
    // Anything but blanks after the value is an error of its own.
    while (consumed < text.size() && std::string_view(" \t\r\n").find(text[consumed]) != std::string_view::npos) {
      ++consumed;
    }
    if (consumed < text.size()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: unexpected text after the JSON value", position_text(text, consumed)));
    }
    return parser.release();
  }
  if (!error) {
    parser.finish(error);
    if (!error) {
      return parser.release();
    }
    return absl::InvalidArgumentError(
        fmt::format("{}: unexpected end of JSON input", position_text(text, text.size())));
  }
  if (error == json::error::too_deep) {
    return absl::InvalidArgumentError(
        fmt::format("{}: nested deeper than {} levels", position_text(text, consumed), kNestingMax));
  }
  return absl::InvalidArgumentError(fmt::format("{}: {}", position_text(text, consumed), error.message()));
}

json::value sorted(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    std::map<std::string_view, const json::value*> members;
    for (const auto& [key, member] : *object) {
      members.emplace(std::string_view(key.data(), key.size()), &member);
    }
    json::object out;
    out.reserve(members.size());
    for (const auto& [key, member] : members) {
      out.emplace(key, sorted(*member));
    }
    return out;
  }
  if (const json::array* array = value.if_array()) {
    json::array out;
    out.reserve(array->size());
    for (const json::value& element : *array) {
      out.push_back(sorted(element));
    }
    return out;
  }
  return value;
}

std::string to_pretty_json(const json::value& value, size_t step) {
  std::string out;
  print(value, step, 0, out);
  out += '\n';
  return out;
}

std::string to_json(const json::value& value) {
  std::string out;
  print_compact(value, out);
  return out;
}

const json::value* find(const json::value& value, std::string_view member) {
  const json::object* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(member);
}

}  // namespace kuma
