#include "base/violations.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

namespace kuma {
namespace {

constexpr const char* kPayloadUrl = "kuma/violations";

}  // namespace

FieldPath FieldPath::field(std::string_view name) const {
  FieldPath path;
  path.text_.reserve(text_.size() + 1 + name.size());
  path.text_ += text_;
  if (!text_.empty()) {
    path.text_ += '.';
  }
  path.text_ += name;
  return path;
}

FieldPath FieldPath::index(size_t position) const { return FieldPath(fmt::format("{}[{}]", text_, position)); }

FieldPath FieldPath::key(std::string_view map_key) const {
  return FieldPath(fmt::format("{}[{}]", text_, boost::json::serialize(boost::json::string(map_key))));
}

std::string Violations::text() const {
  std::string out;
  for (const Violation& violation : list_) {
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", violation.field, violation.message);
  }
  return out;
}

absl::Status Violations::to_status() const {
  if (list_.empty()) {
    return absl::OkStatus();
  }
  std::string payload;
  for (const Violation& violation : list_) {
    payload += violation.field;
    payload += '\0';
    payload += violation.message;
    payload += '\0';
  }
  absl::Status status = absl::InvalidArgumentError(text());
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

Violations violations_of(const absl::Status& status) {
  Violations violations;
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload) {
    return violations;
  }
  const std::string flat(*payload);
  size_t at = 0;
  while (at < flat.size()) {
    const size_t field_end = flat.find('\0', at);
    const size_t message_end = flat.find('\0', field_end + 1);
    violations.add(flat.substr(at, field_end - at), flat.substr(field_end + 1, message_end - field_end - 1));
    at = message_end + 1;
  }
  return violations;
}

}  // namespace kuma
