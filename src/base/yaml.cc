#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>

#include "base/json.h"
#include "fmt/format.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/parser.h"
#include "yaml-cpp/yaml.h"

namespace kuma {
namespace {

constexpr size_t kYamlNodesMax = 1'000'000;
constexpr size_t kYamlExpandedNodesMax = 10'000;  // that come from aliases, which multiply

absl::Status error_at(const YAML::Mark& mark, std::string_view message) {
  return absl::InvalidArgumentError(fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, message));
}

// YAML 1.2's core schema for plain scalars.
json::value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") {
    return true;
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    return false;
  }
  const char* begin = text.data();
  const char* end = begin + text.size();
  const bool plus = *begin == '+';
  if (text.find_first_not_of("0123456789+-") == std::string::npos) {
    int64_t number = 0;
    auto [rest, failure] = std::from_chars(begin + (plus ? 1 : 0), end, number);
    if (failure == std::errc() && rest == end) {
      return number;
    }
    uint64_t large = 0;
    auto [rest_large, failure_large] = std::from_chars(begin + (plus ? 1 : 0), end, large);
    if (failure_large == std::errc() && rest_large == end) {
      return large;
    }
  }
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
    int64_t number = 0;
    auto [rest, failure] = std::from_chars(begin + 2, end, number, text[1] == 'x' ? 16 : 8);
    if (failure == std::errc() && rest == end) {
      return number;
    }
  }
  if (text.find_first_not_of("0123456789+-.eE") == std::string::npos &&
      text.find_first_of("0123456789") != std::string::npos) {
    double number = 0;
    auto [rest, failure] = std::from_chars(begin + (plus ? 1 : 0), end, number);
    if (failure == std::errc() && rest == end) {
      return number;
    }
  }
  return json::value(json::string(text));
}

struct Expansion {
  size_t nodes = 0;
};

absl::StatusOr<json::value> convert(const YAML::Node& node, size_t depth, Expansion& expansion) {
  if (depth > kNestingMax) {
    return error_at(node.Mark(), fmt::format("nested deeper than {} levels", kNestingMax));
  }
  if (++expansion.nodes > kYamlNodesMax) {
    return error_at(node.Mark(), fmt::format("more than {} values in one document", kYamlNodesMax));
  }
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return json::value(nullptr);
    case YAML::NodeType::Scalar:
      if (node.Tag() == "?" || node.Tag().empty()) {
        return plain_scalar(node.Scalar());
      }
      return json::value(json::string(node.Scalar()));
    case YAML::NodeType::Sequence: {
      json::array array;
      array.reserve(node.size());
      for (const YAML::Node& element : node) {
        auto value = convert(element, depth + 1, expansion);
        if (!value.ok()) {
          return value.status();
        }
        array.push_back(*std::move(value));
      }
      return json::value(std::move(array));
    }
    case YAML::NodeType::Map: {
      json::object object;
      for (const auto& entry : node) {
        const YAML::Node& key = entry.first;
        if (!key.IsScalar()) {
          return error_at(key.Mark(), "a key has to be a scalar");
        }
        if (object.contains(key.Scalar())) {
          return error_at(key.Mark(), fmt::format("the key \"{}\" is there twice", key.Scalar()));
        }
        auto value = convert(entry.second, depth + 1, expansion);
        if (!value.ok()) {
          return value.status();
        }
        object.emplace(key.Scalar(), *std::move(value));
      }
      return json::value(std::move(object));
    }
  }
  return json::value(nullptr);
}

// Counts what a document would have with its aliases expanded, before anything of it is built: a few lines of aliases of
// aliases stand for billions of values, and nesting without bound exhausts the stack of a recursive reader.
class Measure final : public YAML::EventHandler {
 public:
  // The library takes what belongs to no value (a `,` outside of a list) for an empty document, again and again.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos == last_start_) {
      throw YAML::ParserException(mark, "expected a value");
    }
    last_start_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override { leaf(anchor); }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t anchor, const std::string&) override { leaf(anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const size_t size = anchor < sizes_.size() ? sizes_[anchor] : 1;
    expanded_ += size;
    if (expanded_ > kYamlExpandedNodesMax) {
      throw YAML::ParserException(mark, fmt::format("aliases stand for more than {} values", kYamlExpandedNodesMax));
    }
    add(size);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  int last_start_ = -1;  // where the last document began
  struct Open {
    YAML::anchor_t anchor;
    size_t size;
  };
  void remember(YAML::anchor_t anchor, size_t size) {
    if (anchor != 0) {
      sizes_.resize(std::max(sizes_.size(), anchor + 1), 1);
      sizes_[anchor] = size;
    }
  }
  void add(size_t size) {
    if (!open_.empty()) {
      open_.back().size += size;
    }
  }
  void leaf(YAML::anchor_t anchor) {
    remember(anchor, 1);
    add(1);
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= kNestingMax) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {} levels", kNestingMax));
    }
    open_.push_back({anchor, 1});
  }
  void close() {
    const Open closed = open_.back();
    open_.pop_back();
    remember(closed.anchor, closed.size);
    add(closed.size);
  }

  std::vector<Open> open_;
  std::vector<size_t> sizes_;  // of anchors, by number
  size_t expanded_ = 0;
};

// yaml-cpp's reader is recursive for flow collections; an input that is nothing but brackets is refused before it.
absl::Status check_brackets(std::string_view text) {
  size_t depth = 0;
  size_t line = 1;
  for (const char c : text) {
    line += c == '\n' ? 1 : 0;
    if (c == '[' || c == '{') {
      if (++depth > 16 * kNestingMax) {
        return absl::InvalidArgumentError(fmt::format("line {}: nested deeper than {} levels", line, kNestingMax));
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return absl::OkStatus();
}

// A date or a time: YAML 1.1 readers, which users have too, take it for one when it is not quoted.
bool looks_like_time(const std::string& text) {
  return text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
         text.find_first_not_of("0123456789") == 4 && std::isdigit(static_cast<unsigned char>(text[5])) != 0;
}

bool is_older_boolean(const std::string& text) {
  static constexpr std::array kWords = {"y",   "Y",  "yes", "Yes", "YES", "n",   "N",   "no",
                                        "No",  "NO", "on",  "On",  "ON",  "off", "Off", "OFF"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

// Whether a string may stand without quotes in block context.
bool is_plain(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') {
    return false;
  }
  static constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`";
  const bool dash_word = text.size() > 1 && (text[0] == '-' || text[0] == '?' || text[0] == ':') && text[1] != ' ';
  if (kIndicators.find(text.front()) != std::string_view::npos && !dash_word) {
    return false;
  }
  return text.find(": ") == std::string::npos && text.find(" #") == std::string::npos && text != "---" && text != "...";
}

std::string scalar_text(const std::string& text, size_t indent) {
  bool printable = true;
  for (const char c : text) {
    printable = printable && (static_cast<unsigned char>(c) >= 0x20 || c == '\n') && c != 0x7F;
  }
  if (!printable) {
    return json::serialize(json::string(text));  // JSON's escapes are YAML's too
  }
  if (text.find('\n') != std::string::npos) {
    if (text.front() == '\n' || text.front() == ' ') {
      return json::serialize(json::string(text));
    }
    const size_t trailing = text.size() - (text.find_last_not_of('\n') + 1);
    std::string out = trailing == 0 ? "|-" : trailing == 1 ? "|" : "|+";
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      out += '\n';
      out += line.empty() ? "" : std::string(indent + 2, ' ') + line;
    }
    return out;
  }
  if (!plain_scalar(text).is_string() || is_older_boolean(text) || looks_like_time(text)) {
    return json::serialize(json::string(text));
  }
  if (is_plain(text)) {
    return text;
  }
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? "''" : std::string(1, c);
  }
  return out + "'";
}

bool is_empty_collection(const json::value& value) {
  return (value.is_object() && value.get_object().empty()) || (value.is_array() && value.get_array().empty());
}

// Prints a value whose first line continues the current one, and whose further lines begin at `indent`. Lists below a key
// are not indented, as Go's writers print them.
void print_yaml(const json::value& value, size_t indent, std::string& out) {
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    bool first = true;
    for (const auto& [key, member] : *object) {
      if (!first) {
        out.append(indent, ' ');
      }
      first = false;
      out += scalar_text(std::string(key), indent) + ":";
      if (member.is_object() && !is_empty_collection(member)) {
        out += '\n';
        out.append(indent + 2, ' ');
        print_yaml(member, indent + 2, out);
      } else if (member.is_array() && !is_empty_collection(member)) {
        out += '\n';
        out.append(indent, ' ');
        print_yaml(member, indent, out);
      } else {
        out += ' ';
        print_yaml(member, indent, out);
      }
    }
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    bool first = true;
    for (const json::value& element : *array) {
      if (!first) {
        out.append(indent, ' ');
      }
      first = false;
      out += "- ";
      print_yaml(element, indent + 2, out);
    }
  } else if (const json::string* text = value.if_string()) {
    out += scalar_text(std::string(*text), indent) + "\n";
  } else {
    out += to_json(value) + "\n";
  }
}

}  // namespace

absl::StatusOr<std::vector<json::value>> parse_yaml_documents(std::string_view text) {
  if (absl::Status status = check_brackets(text); !status.ok()) {
    return status;
  }
  try {
    std::istringstream measured{std::string(text)};
    YAML::Parser parser(measured);
    Measure measure;
    while (parser.HandleNextDocument(measure)) {
    }
    std::vector<json::value> documents;
    for (const YAML::Node& node : YAML::LoadAll(std::string(text))) {
      if (node.IsNull() || !node.IsDefined()) {
        continue;
      }
      Expansion expansion;
      auto value = convert(node, 0, expansion);
      if (!value.ok()) {
        return value.status();
      }
      documents.push_back(*std::move(value));
    }
    return documents;
  } catch (const YAML::Exception& error) {
    return error_at(error.mark, error.msg);
  }
}

absl::StatusOr<json::value> parse_yaml(std::string_view text) {
  auto documents = parse_yaml_documents(text);
  if (!documents.ok()) {
    return documents.status();
  }
  if (documents->empty()) {
    return json::value(nullptr);
  }
  return std::move(documents->front());
}

std::string to_yaml(const json::value& value) {
  std::string out;
  print_yaml(value, 0, out);
  return out;
}

}  // namespace kuma
