#include "dp/access_log_line.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/json.h"
#include "fmt/format.h"

namespace kuma::dp {
namespace {

// As Go prints a string: `<`, `>` and `&` escaped for HTML.
void append_string(std::string_view text, std::string& out) {
  for (const char c : json::serialize(json::string(text))) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
}

// Compact, keys sorted, numbers without needless digits: receivers compare and parse what the reference sent them.
void append_json(const json::value& value, std::string& out) {
  if (const auto* object = value.if_object()) {
    std::vector<const json::key_value_pair*> members;
    for (const auto& member : *object) {
      members.push_back(&member);
    }
    std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
    out += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      out += i == 0 ? "" : ",";
      append_string(members[i]->key(), out);
      out += ':';
      append_json(members[i]->value(), out);
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (size_t i = 0; i < array->size(); ++i) {
      out += i == 0 ? "" : ",";
      append_json((*array)[i], out);
    }
    out += ']';
  } else if (const auto* text = value.if_string()) {
    append_string(*text, out);
  } else if (const auto* number = value.if_double()) {
    constexpr double kExactMax = 1e15;
    if (std::floor(*number) == *number && std::fabs(*number) < kExactMax) {
      out += fmt::format("{}", static_cast<int64_t>(*number));
    } else {
      out += fmt::format("{}", *number);
    }
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

absl::StatusOr<AccessLogLine> parse_access_log_line(std::string_view line) {
  if (line.starts_with('{')) {
    const auto document = parse_json(line);
    const json::value* address = document.ok() ? find(*document, "address") : nullptr;
    const json::value* message = document.ok() ? find(*document, "message") : nullptr;
    if (address != nullptr && address->is_string() && message != nullptr) {
      AccessLogLine out{.address = std::string(address->get_string()), .payload = ""};
      if (const auto* text = message->if_string()) {
        out.payload = std::string(*text);
      } else {
        append_json(*message, out.payload);
      }
      out.payload += '\n';
      return out;
    }
  }
  const size_t separator = line.find(';');
  if (separator == std::string_view::npos) {
    return absl::InvalidArgumentError("log format invalid: expected 2 components separated by ';' or a JSON object");
  }
  return AccessLogLine{.address = std::string(line.substr(0, separator)),
                       .payload = std::string(line.substr(separator + 1)) + '\n'};
}

}  // namespace kuma::dp
