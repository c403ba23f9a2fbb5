#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/violations.h"

namespace kuma::policy {

// A value of a policy's spec together with its path, for validators: `conf["http"]["requestTimeout"]`. Absent members are
// views too, which hold nothing; nothing throws. The spec passed its schema, so kinds are as the schema has them.
//
// Looks at the spec, so it must not outlive it.
class ConfView {
 public:
  ConfView(const json::value* value, FieldPath path) : value_(value), path_(std::move(path)) {}

  explicit operator bool() const { return value_ != nullptr; }
  const FieldPath& path() const { return path_; }

  ConfView operator[](std::string_view member) const;
  // The same value under another path, where the reference names it differently.
  ConfView at(FieldPath path) const { return {value_, std::move(path)}; }
  // The elements of a list; none when it is absent.
  std::vector<ConfView> items() const;
  // The members of an object, in order.
  std::vector<std::pair<std::string_view, ConfView>> members() const;
  // Whether it is absent, or an object or a list with nothing in it.
  bool empty() const;
  // Whether any of the members is there.
  bool has_any(std::initializer_list<std::string_view> members) const;

  const json::value* value() const { return value_; }  // null when absent
  std::string_view text() const;  // empty when absent
  bool boolean() const;           // false when absent
  std::optional<int64_t> number() const;
  // Of a number or its text; nothing when the text is no number.
  std::optional<double> decimal() const;
  std::optional<std::chrono::nanoseconds> duration() const;
  // Whether it is there and true.
  bool is_true() const;

 private:
  const json::value* value_;
  FieldPath path_;
};

// Checks that the policies share. Absent values pass.
void check_positive(const ConfView& integer, Violations& violations);                // must be greater than 0
void check_positive_duration(const ConfView& duration, Violations& violations);      // must be greater than zero when defined
void check_not_negative_duration(const ConfView& duration, Violations& violations);  // must not be negative when defined
void check_whole_percent(const ConfView& integer, Violations& violations);           // has to be in [0 - 100] range
void check_percent(const ConfView& int_or_string, Violations& violations);           // has to be in [0.0 - 100.0] range
void check_http_status(const ConfView& integer, Violations& violations);             // must be in range [100, 600)

// Whether a path could name a file: it is absolute.
bool is_file_path(std::string_view path);

}  // namespace kuma::policy
