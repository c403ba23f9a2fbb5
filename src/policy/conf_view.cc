#include "policy/conf_view.h"

#include <charconv>
#include <cmath>

#include "base/text.h"

namespace kuma::policy {

ConfView ConfView::operator[](std::string_view member) const {
  return {value_ == nullptr ? nullptr : find(*value_, member), path_.field(member)};
}

std::vector<ConfView> ConfView::items() const {
  std::vector<ConfView> out;
  if (value_ != nullptr && value_->is_array()) {
    for (const json::value& item : value_->get_array()) {
      out.emplace_back(&item, path_.index(out.size()));
    }
  }
  return out;
}

std::vector<std::pair<std::string_view, ConfView>> ConfView::members() const {
  std::vector<std::pair<std::string_view, ConfView>> out;
  if (value_ != nullptr && value_->is_object()) {
    for (const auto& [key, value] : value_->get_object()) {
      const std::string_view name(key.data(), key.size());
      out.emplace_back(name, ConfView(&value, path_.key(name)));
    }
  }
  return out;
}

bool ConfView::empty() const {
  if (value_ == nullptr) {
    return true;
  }
  if (const json::object* object = value_->if_object()) {
    return object->empty();
  }
  const json::array* array = value_->if_array();
  return array != nullptr && array->empty();
}

bool ConfView::has_any(std::initializer_list<std::string_view> members) const {
  for (const std::string_view member : members) {
    if ((*this)[member]) {
      return true;
    }
  }
  return false;
}

std::string_view ConfView::text() const {
  const json::string* text = value_ == nullptr ? nullptr : value_->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

bool ConfView::boolean() const { return value_ != nullptr && value_->is_bool() && value_->get_bool(); }

std::optional<int64_t> ConfView::number() const {
  if (value_ == nullptr || !value_->is_number()) {
    return std::nullopt;
  }
  json::error_code error;
  const auto number = value_->to_number<int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::optional<double> ConfView::decimal() const {
  if (value_ != nullptr && value_->is_number()) {
    return value_->to_number<double>();
  }
  const std::string_view digits = text();
  double number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  // "nan" and "inf" are numbers to from_chars, and no range check refuses a NaN.
  const bool valid = failure == std::errc() && end == digits.data() + digits.size() && std::isfinite(number);
  return valid ? std::optional(number) : std::nullopt;
}

std::optional<std::chrono::nanoseconds> ConfView::duration() const {
  if (value_ == nullptr) {
    return std::nullopt;
  }
  const auto parsed = parse_go_duration(text());
  return parsed.ok() ? std::optional(*parsed) : std::nullopt;
}

bool ConfView::is_true() const { return value_ != nullptr && value_->is_bool() && value_->get_bool(); }

void check_positive(const ConfView& integer, Violations& violations) {
  if (integer.number() && *integer.number() <= 0) {
    violations.add(integer.path(), "must be greater than 0");
  }
}

void check_positive_duration(const ConfView& duration, Violations& violations) {
  if (duration.duration() && duration.duration()->count() <= 0) {
    violations.add(duration.path(), "must be greater than zero when defined");
  }
}

void check_not_negative_duration(const ConfView& duration, Violations& violations) {
  if (duration.duration() && duration.duration()->count() < 0) {
    violations.add(duration.path(), "must not be negative when defined");
  }
}

void check_whole_percent(const ConfView& integer, Violations& violations) {
  if (integer.number() && (*integer.number() < 0 || *integer.number() > 100)) {
    violations.add(integer.path(), "has to be in [0 - 100] range");
  }
}

void check_percent(const ConfView& int_or_string, Violations& violations) {
  if (!int_or_string) {
    return;
  }
  const auto value = int_or_string.decimal();
  if (!value) {
    violations.add(int_or_string.path(), "string has to be a valid number");
  } else if (*value < 0 || *value > 100) {
    violations.add(int_or_string.path(), "has to be in [0.0 - 100.0] range");
  }
}

void check_http_status(const ConfView& integer, Violations& violations) {
  if (integer.number() && (*integer.number() < 100 || *integer.number() >= 600)) {
    violations.add(integer.path(), "must be in range [100, 600)");
  }
}

bool is_file_path(std::string_view path) { return path.starts_with('/') && path.find('\0') == std::string_view::npos; }

}  // namespace kuma::policy
