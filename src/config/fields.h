#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/json.h"
#include "config/config.h"

namespace kuma::config {

// Where a setting is kept: a member of a Config that outlives the field.
using FieldTarget =
    std::variant<bool*, int32_t*, uint32_t*, std::string*, std::chrono::nanoseconds*, std::vector<std::string>*,
                 std::vector<uint32_t>*, std::map<std::string, std::string>*, std::vector<PublicKey>*>;

// One setting: its path in the YAML file, its environment variable (empty: none) and its member.
struct Field {
  std::string path;
  std::string variable;
  FieldTarget target;
  bool is_secret = false;           // shown as `*****`
  bool is_null_when_empty = false;  // shown as null rather than []

  // Fill the target. Errors say what is wrong with the value and what would be right, without naming the field.
  absl::Status set_from_text(std::string_view text) const;     // an environment variable's value
  absl::Status set_from_json(const json::value& value) const;  // null leaves it as it is
  json::value to_json_value() const;

  void mark_secret() { is_secret = true; }
  void mark_null_when_empty() { is_null_when_empty = true; }
};

// The table of all settings of one Config. Loading, checking names and printing are loops over it.
class FieldList {
 public:
  Field& add(std::string path, std::string variable, FieldTarget target) {
    return fields_.emplace_back(Field{.path = std::move(path), .variable = std::move(variable), .target = target});
  }
  const std::deque<Field>& all() const { return fields_; }

 private:
  std::deque<Field> fields_;
};

FieldList fields_of(Config& config);

// The parts of the table.
void add_server_fields(FieldList& list, Config& config);
void add_runtime_fields(FieldList& list, Config& config);
void add_general_fields(FieldList& list, Config& config);

// The settings that every TLS server has, `…tlsCertFile` to `…tlsCipherSuites`, and those without the files.
void add_tls(FieldList& list, const std::string& path, const std::string& variable, TlsServer& tls);
void add_tls_versions(FieldList& list, const std::string& path, const std::string& variable, TlsServer& tls);

}  // namespace kuma::config
