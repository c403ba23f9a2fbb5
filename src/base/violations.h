#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace kuma {

// The path of a field in a resource, as users see it: `spec.to[0].default`, `tags["kuma.io/service"]`.
class FieldPath {
 public:
  FieldPath() = default;
  explicit FieldPath(std::string_view root) : text_(root) {}

  FieldPath field(std::string_view name) const;     // a.b; just b when this path is empty
  FieldPath index(size_t position) const;           // a[3]
  FieldPath key(std::string_view map_key) const;    // a["k"], the key quoted with JSON's escapes
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct Violation {
  std::string field;
  std::string message;
  bool operator==(const Violation&) const = default;
};

// What validation found: all violations, in the order of evaluation, which clients see.
class Violations {
 public:
  template <typename... Args>
  void add(const FieldPath& path, fmt::format_string<Args...> format, Args&&... args) {
    list_.push_back({path.text(), fmt::format(format, std::forward<Args>(args)...)});
  }
  void add(std::string field, std::string message) { list_.push_back({std::move(field), std::move(message)}); }
  void append(const Violations& other) { list_.insert(list_.end(), other.list_.begin(), other.list_.end()); }

  bool empty() const { return list_.empty(); }
  const std::vector<Violation>& list() const { return list_; }
  // `field: message; field: message`
  std::string text() const;

  // OK when empty; else InvalidArgument that carries the list (see violations_of), message = text().
  absl::Status to_status() const;

 private:
  std::vector<Violation> list_;
};

// The violations that a status from Violations::to_status() carries; empty for any other status. Survives annotate()
// only if the status itself is passed on, so validation errors are returned unchanged.
Violations violations_of(const absl::Status& status);

}  // namespace kuma
