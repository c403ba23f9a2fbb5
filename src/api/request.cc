#include "api/request.h"

#include <algorithm>
#include <cassert>

#include "api/router.h"

namespace kuma::api {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

void encode_query(std::string_view text, std::string& out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
      continue;
    }
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty() || pair.find(';') != std::string_view::npos) {
      continue;
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    auto key = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (key && value) {
      pairs_.emplace_back(*std::move(key), *std::move(value));
    }
  }
}

std::string_view Query::get(std::string_view key) const {
  for (const auto& [name, value] : pairs_) {
    if (name == key) {
      return value;
    }
  }
  return {};
}

bool Query::has(std::string_view key) const {
  return std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& pair) { return pair.first == key; });
}

std::vector<std::string_view> Query::all(std::string_view key) const {
  std::vector<std::string_view> out;
  for (const auto& [name, value] : pairs_) {
    if (name == key) {
      out.push_back(value);
    }
  }
  return out;
}

std::string Query::encode_with(std::string_view key, std::string_view value) const {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  pairs.reserve(pairs_.size() + 1);
  for (const auto& pair : pairs_) {
    if (pair.first != key) {
      pairs.emplace_back(pair.first, pair.second);
    }
  }
  pairs.emplace_back(key, value);
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [name, text] : pairs) {
    if (!out.empty()) {
      out += '&';
    }
    encode_query(name, out);
    out += '=';
    encode_query(text, out);
  }
  return out;
}

const std::string& Request::param(std::string_view name) const {
  const auto at = std::find(route->params.begin(), route->params.end(), name);
  assert(at != route->params.end());
  return params[static_cast<size_t>(at - route->params.begin())];
}

bool Request::has_param(std::string_view name) const {
  return std::find(route->params.begin(), route->params.end(), name) != route->params.end();
}

}  // namespace kuma::api
