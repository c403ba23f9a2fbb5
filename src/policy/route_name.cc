#include "policy/route_name.h"

#include <initializer_list>

#include "base/text.h"

namespace kuma::policy {
namespace {

// Text in quotes, escaped as Go's encoder does: names must not differ from those that other control planes give.
void append_text(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += '\\';
      out += c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
    } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else if (text.substr(i, 3) == "\u2028" || text.substr(i, 3) == "\u2029") {
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += text[i];
    }
  }
  out += '"';
}

void append_name(std::string_view name, std::string& out) {
  if (out.back() != '{') {
    out += ',';
  }
  append_text(name, out);
  out += ':';
}

// The text members of an object in this order. `if_empty`: the one that is there even when it is empty.
void append_object(const json::value& object, std::initializer_list<std::string_view> members, std::string_view if_empty,
                   std::string& out) {
  out += '{';
  for (std::string_view member : members) {
    const json::value* value = find(object, member);
    if (value == nullptr || !value->is_string() || (value->get_string().empty() && member != if_empty)) {
      continue;
    }
    append_name(member, out);
    append_text(value->get_string(), out);
  }
  out += '}';
}

void append_list(const json::value& match, std::string_view name, std::string_view if_empty, std::string& out) {
  const json::value* list = find(match, name);
  if (list == nullptr || !list->is_array() || list->get_array().empty()) {
    return;
  }
  append_name(name, out);
  out += '[';
  for (const json::value& element : list->get_array()) {
    if (out.back() != '[') {
      out += ',';
    }
    append_object(element, {"type", "name", "value"}, if_empty, out);
  }
  out += ']';
}

void append_match(const json::value& match, std::string& out) {
  out += '{';
  if (const json::value* path = find(match, "path")) {
    append_name("path", out);
    append_object(*path, {"value", "type"}, "value", out);
  }
  if (const json::value* method = find(match, "method"); method != nullptr && method->is_string()) {
    append_name("method", out);
    append_text(method->get_string(), out);
  }
  append_list(match, "queryParams", "value", out);
  append_list(match, "headers", "", out);
  out += '}';
}

}  // namespace

std::string route_name(const json::value& matches) {
  std::string text = "[";
  if (matches.is_array()) {
    for (const json::value& match : matches.get_array()) {
      if (text.back() != '[') {
        text += ',';
      }
      append_match(match, text);
    }
  }
  text += ']';
  return base64_encode(sha256(text));
}

}  // namespace kuma::policy
