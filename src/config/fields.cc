#include "config/fields.h"

#include <charconv>
#include <limits>

#include "base/status.h"
#include "base/text.h"
#include "config/names.h"

namespace kuma::config {
namespace {

using Strings = std::vector<std::string>;
using Ports = std::vector<uint32_t>;
using StringMap = std::map<std::string, std::string>;

absl::Status wrong(std::string_view expected, std::string_view got) {
  return absl::InvalidArgumentError(fmt::format("expected {}, got {}", expected, got));
}

std::string quote(std::string_view text) { return to_json(json::value(json::string(text))); }

// --- one value from text, as Go programs read environment variables

absl::Status set(bool& target, std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) {
      target = true;
      return absl::OkStatus();
    }
  }
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) {
      target = false;
      return absl::OkStatus();
    }
  }
  return wrong("true or false", quote(text));
}

bool consume_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// Decimal, or 0x, 0o and 0b with a sign before.
std::optional<int64_t> parse_integer(std::string_view text) {
  const bool negative = consume_prefix(text, "-");
  if (!negative) {
    consume_prefix(text, "+");
  }
  int base = 10;
  if (consume_prefix(text, "0x") || consume_prefix(text, "0X")) {
    base = 16;
  } else if (consume_prefix(text, "0b") || consume_prefix(text, "0B")) {
    base = 2;
  } else if (consume_prefix(text, "0o") || consume_prefix(text, "0O") ||
             (text.size() > 1 && consume_prefix(text, "0"))) {
    base = 8;
  }
  uint64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (failure != std::errc() || rest != text.data() + text.size() || number > std::numeric_limits<uint32_t>::max()) {
    return std::nullopt;
  }
  return negative ? -static_cast<int64_t>(number) : static_cast<int64_t>(number);
}

template <typename Integer>
absl::Status set_integer(Integer& target, std::optional<int64_t> number, std::string_view shown) {
  using Limits = std::numeric_limits<Integer>;
  if (!number || *number < Limits::min() || *number > Limits::max()) {
    return wrong(fmt::format("a whole number from {} to {}", Limits::min(), Limits::max()), shown);
  }
  target = static_cast<Integer>(*number);
  return absl::OkStatus();
}

absl::Status set(int32_t& target, std::string_view text) {
  return set_integer(target, parse_integer(text), quote(text));
}
absl::Status set(uint32_t& target, std::string_view text) {
  return set_integer(target, parse_integer(text), quote(text));
}

absl::Status set(std::string& target, std::string_view text) {
  target = text;
  return absl::OkStatus();
}

absl::Status set(std::chrono::nanoseconds& target, std::string_view text) {
  const absl::StatusOr<std::chrono::nanoseconds> duration = parse_go_duration(text);
  if (!duration.ok()) {
    return wrong("a duration such as 500ms or 1h30m", fmt::format("{} ({})", quote(text), duration.status().message()));
  }
  target = *duration;
  return absl::OkStatus();
}

template <typename Item>
absl::Status set(std::vector<Item>& target, std::string_view text) {
  std::vector<Item> items;
  if (!is_blank(text)) {
    for (const std::string_view part : split(text, ',')) {
      KUMA_RETURN_IF_ERROR(set(items.emplace_back(), part));
    }
  }
  target = std::move(items);
  return absl::OkStatus();
}

absl::Status set(std::vector<PublicKey>&, std::string_view) {
  return absl::InvalidArgumentError("keys can be given in the configuration file only");
}

absl::Status set(StringMap& target, std::string_view text) {
  StringMap entries;
  if (!is_blank(text)) {
    for (const std::string_view part : split(text, ',')) {
      const size_t colon = part.find(':');
      if (colon == std::string_view::npos) {
        return wrong("key1:value1,key2:value2", quote(part));
      }
      entries[std::string(part.substr(0, colon))] = part.substr(colon + 1);
    }
  }
  target = std::move(entries);
  return absl::OkStatus();
}

// --- one value from a document

std::string describe(const json::value& value) {
  if (value.is_object()) {
    return "a map";
  }
  return value.is_array() ? "a list" : to_json(value);
}

// A scalar's text: files written by templates have "5681" for 5681 and 1234 for "1234".
std::optional<std::string> scalar_text(const json::value& value) {
  if (value.is_string()) {
    return std::string(value.get_string());
  }
  return value.is_object() || value.is_array() || value.is_null() ? std::nullopt : std::optional(to_json(value));
}

template <typename Scalar>
absl::Status set_json(Scalar& target, const json::value& value) {
  const std::optional<std::string> text = scalar_text(value);
  return text ? set(target, *text) : wrong("a single value", describe(value));
}

absl::Status set_json(std::chrono::nanoseconds& target, const json::value& value) {
  if (value.is_int64()) {
    target = std::chrono::nanoseconds(value.get_int64());
    return absl::OkStatus();
  }
  return value.is_string() ? set(target, std::string_view(value.get_string()))
                           : wrong("a duration such as \"500ms\" or \"1h30m\"", describe(value));
}

absl::Status set_json(PublicKey& target, const json::value& value) {
  if (!value.is_object()) {
    return wrong("a map with kid and keyFile or key", describe(value));
  }
  for (const auto& [name, text] : value.get_object()) {
    std::string* member = name == "kid"       ? &target.kid
                          : name == "mesh"    ? &target.mesh
                          : name == "keyFile" ? &target.key_file
                          : name == "key"     ? &target.key
                                              : nullptr;
    if (member != nullptr && !text.is_null()) {
      KUMA_RETURN_IF_ERROR(annotate(set_json(*member, text), "{}", std::string_view(name)));
    }
  }
  return absl::OkStatus();
}

template <typename Item>
absl::Status set_json(std::vector<Item>& target, const json::value& value) {
  if (!value.is_array()) {
    return wrong("a list", describe(value));
  }
  std::vector<Item> items;
  for (const json::value& item : value.get_array()) {
    const size_t position = items.size();
    KUMA_RETURN_IF_ERROR(annotate(set_json(items.emplace_back(), item), "[{}]", position));
  }
  target = std::move(items);
  return absl::OkStatus();
}

// Adds to the entries that are there, as the reference's decoder does.
absl::Status set_json(StringMap& target, const json::value& value) {
  if (!value.is_object()) {
    return wrong("a map", describe(value));
  }
  for (const auto& [name, text] : value.get_object()) {
    KUMA_RETURN_IF_ERROR(annotate(set_json(target[std::string(name)], text), "{}", std::string_view(name)));
  }
  return absl::OkStatus();
}

// --- one value as JSON

json::value show(bool value) { return value; }
json::value show(int32_t value) { return value; }
json::value show(uint32_t value) { return value; }
json::value show(const std::string& value) { return json::value(json::string(value)); }
json::value show(std::chrono::nanoseconds value) { return json::value(json::string(format_go_duration(value))); }

json::value show(const PublicKey& key) {
  json::object object;
  if (!key.key.empty()) {
    object["key"] = key.key;
  }
  if (!key.key_file.empty()) {
    object["keyFile"] = key.key_file;
  }
  object["kid"] = key.kid;
  if (!key.mesh.empty()) {
    object["mesh"] = key.mesh;
  }
  return object;
}

template <typename Item>
json::value show(const std::vector<Item>& items) {
  json::array array;
  for (const Item& item : items) {
    array.push_back(show(item));
  }
  return array;
}

json::value show(const StringMap& entries) {
  json::object object;
  for (const auto& [name, text] : entries) {
    object[name] = text;
  }
  return object;
}

}  // namespace

absl::Status Field::set_from_text(std::string_view text) const {
  return std::visit([&](auto* member) { return set(*member, text); }, target);
}

absl::Status Field::set_from_json(const json::value& value) const {
  if (value.is_null()) {
    return absl::OkStatus();
  }
  return std::visit([&](auto* member) { return set_json(*member, value); }, target);
}

json::value Field::to_json_value() const {
  if (is_secret) {
    return "*****";
  }
  json::value shown = std::visit([](auto* member) { return show(*member); }, target);
  if (is_null_when_empty && shown.is_array() && shown.get_array().empty()) {
    return nullptr;
  }
  return shown;
}

void add_tls_versions(FieldList& list, const std::string& path, const std::string& variable, TlsServer& tls) {
  list.add(path + ".tlsMinVersion", variable + "TLS_MIN_VERSION", &tls.min_version);
  list.add(path + ".tlsMaxVersion", variable + "TLS_MAX_VERSION", &tls.max_version);
  list.add(path + ".tlsCipherSuites", variable + "TLS_CIPHER_SUITES", &tls.cipher_suites);
}

void add_tls(FieldList& list, const std::string& path, const std::string& variable, TlsServer& tls) {
  list.add(path + ".tlsCertFile", variable + "TLS_CERT_FILE", &tls.cert_file);
  list.add(path + ".tlsKeyFile", variable + "TLS_KEY_FILE", &tls.key_file);
  add_tls_versions(list, path, variable, tls);
}

FieldList fields_of(Config& config) {
  FieldList list;
  add_general_fields(list, config);
  add_server_fields(list, config);
  add_runtime_fields(list, config);
  return list;
}

}  // namespace kuma::config
