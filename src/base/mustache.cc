#include "base/mustache.h"

#include <algorithm>
#include <vector>

#include "base/status.h"

namespace kuma {
namespace {

constexpr size_t kSectionsMax = 64;

std::string trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return "";
  }
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

struct Section {
  std::string name;
  bool shown = true;
  size_t line = 1;
};

}  // namespace

absl::StatusOr<std::string> render_mustache(std::string_view text, const std::map<std::string, std::string>& values,
                                            std::set<std::string>* without_value) {
  std::string out;
  std::vector<Section> sections;
  const auto line_of = [&](size_t at) { return 1 + static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')); };
  const auto hidden = [&] { return std::any_of(sections.begin(), sections.end(), [](const Section& s) { return !s.shown; }); };
  size_t at = 0;
  while (true) {
    const size_t open = text.find("{{", at);
    if (!hidden()) {
      out += text.substr(at, open == std::string_view::npos ? open : open - at);
    }
    if (open == std::string_view::npos) {
      break;
    }
    const bool triple = text.substr(open, 3) == "{{{";
    const std::string_view closing = triple ? "}}}" : "}}";
    const size_t begin = open + closing.size();
    const size_t close = text.find(closing, begin);
    if (close == std::string_view::npos) {
      return absl::InvalidArgumentError(fmt::format("line {}: \"{}\" is not closed by \"{}\"", line_of(open), text.substr(open, closing.size()), closing));
    }
    std::string name = trim(text.substr(begin, close - begin));
    at = close + closing.size();
    const char kind = triple ? '&' : name.empty() ? ' ' : name[0];
    if (!triple && (kind == '&' || kind == '#' || kind == '^' || kind == '/' || kind == '!')) {
      name = trim(std::string_view(name).substr(1));
    }
    const auto value = values.find(name);
    const bool truthy = value != values.end() && !value->second.empty() && value->second != "false";
    switch (kind) {
      case '!':
        break;
      case '#':
      case '^':
        if (sections.size() >= kSectionsMax) {
          return absl::InvalidArgumentError(fmt::format("line {}: sections nested deeper than {}", line_of(open), kSectionsMax));
        }
        sections.push_back({name, truthy == (kind == '#'), line_of(open)});
        break;
      case '/':
        if (sections.empty() || sections.back().name != name) {
          return absl::InvalidArgumentError(fmt::format("line {}: {{{{/{}}}}} closes no section of that name", line_of(open), name));
        }
        sections.pop_back();
        break;
      default:
        if (value != values.end() && !hidden()) {
          out += kind == '&' ? value->second : html_escape(value->second);
        } else if (without_value != nullptr && !hidden()) {
          without_value->insert(name);
        }
    }
  }
  if (!sections.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("line {}: the section \"{}\" is not closed", sections.back().line, sections.back().name));
  }
  return out;
}

}  // namespace kuma
