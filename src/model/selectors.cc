#include "model/selectors.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/json.h"
#include "base/text.h"

namespace kuma::model {
namespace {

bool is_alphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool all_in(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return is_alphanumeric(c) || others.find(c) != std::string_view::npos; });
}

std::vector<std::string_view> split_labels(std::string_view name) {
  std::vector<std::string_view> labels;
  size_t at = 0;
  while (at <= name.size()) {
    const size_t dot = std::min(name.find('.', at), name.size());
    labels.push_back(name.substr(at, dot - at));
    at = dot + 1;
  }
  return labels;
}

std::map<std::string, std::string> in_order(const TagMap& tags) { return {tags.begin(), tags.end()}; }

}  // namespace

bool is_tag_name(std::string_view text) { return all_in(text, ".-_:/"); }

bool is_dns_name(std::string_view text) {
  if (is_ip_address(text)) {
    return false;
  }
  if (text.ends_with('.') || text.ends_with('_')) {
    text.remove_suffix(text.size() > 1 ? 1 : 0);
  }
  if (text.size() > 255) {
    return false;
  }
  const std::vector<std::string_view> labels = split_labels(text);
  return std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && all_in(label, "-_");
  });
}

bool is_dns_subdomain(std::string_view text) {
  const std::vector<std::string_view> labels = split_labels(text);
  return text.size() <= 253 && std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' && all_in(label, "-") &&
           std::none_of(label.begin(), label.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  });
}

void validate_tags(const FieldPath& path, const TagMap& tags, const TagRules& rules, Violations& violations) {
  if (rules.at_least_one && tags.empty()) {
    violations.add(path, "must have at least one tag");
  }
  if (rules.extra) {
    rules.extra(path, tags, violations);
  }
  for (const auto& [key, value] : in_order(tags)) {
    if (rules.extra_key) {
      rules.extra_key(path, key, violations);
    }
    if (key.empty()) {
      violations.add(path, "tag name must be non-empty");
    }
    if (!is_tag_name(key)) {
      violations.add(path.key(key), "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores");
    }
    if (value.empty()) {
      violations.add(path.key(key), "tag value must be non-empty");
    }
    if (rules.selector && value != "*" && !all_in(value, ".-_:/")) {
      violations.add(path.key(key), "tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores or be \"*\"");
    }
    if (!rules.selector && !all_in(value, ".-_:")) {
      violations.add(path.key(key), "tag value must consist of alphanumeric characters, dots, dashes and underscores");
    }
  }
  if (rules.service_required && !tags.contains(std::string(kServiceTag))) {
    violations.add(path, "mandatory tag \"kuma.io/service\" is missing");
  }
}

void validate_selectors(const FieldPath& path, const Selectors& selectors, const SelectorRules& rules, Violations& violations) {
  if (rules.at_least_one && selectors.empty()) {
    violations.add(path, "must have at least one element");
  }
  for (size_t i = 0; const auto& selector : selectors) {
    const FieldPath at = path.index(i);
    if (rules.at_most_one && i > 0) {
      violations.add(at, "there can be at most one selector");
    }
    validate_tags(at.field("match"), selector.match(), rules.tags, violations);
    ++i;
  }
}

void validate_source_selectors(const Selectors& sources, Violations& violations) {
  SelectorRules rules;
  rules.tags.service_required = true;
  validate_selectors(FieldPath("sources"), sources, rules, violations);
}

void validate_service_selectors(const FieldPath& path, const Selectors& selectors, Violations& violations) {
  SelectorRules rules;
  rules.tags.at_least_one = false;
  rules.tags.service_required = true;
  rules.tags.extra = [](const FieldPath& at, const TagMap& tags, Violations& found) {
    if (tags.size() != 1 || !tags.contains(std::string(kServiceTag))) {
      found.add(at, "must consist of exactly one tag \"kuma.io/service\"");
    }
  };
  rules.tags.extra_key = [](const FieldPath& at, const std::string& key, Violations& found) {
    if (key != kServiceTag) {
      found.add(at.key(key), "tag \"{}\" is not allowed", key);
    }
  };
  validate_selectors(path, selectors, rules, violations);
}

void validate_port(const FieldPath& path, uint32_t port, Violations& violations) {
  if (port == 0 || port > 65535) {
    violations.add(path, "port must be in the range [1, 65535]");
  }
}

void validate_duration(const FieldPath& path, bool present, const google::protobuf::Duration& duration, Violations& violations) {
  constexpr int64_t kSecondsMax = 315'576'000'000;  // protobuf's bound, 10,000 years
  if (!present) {
    violations.add(path, "must have a positive value");
  } else if (duration.seconds() > kSecondsMax || duration.seconds() < -kSecondsMax) {
    violations.add(path, "must have a valid value");
  } else if (duration.seconds() == 0 && duration.nanos() == 0) {
    violations.add(path, "must have a positive value");
  }
}

void validate_threshold(const FieldPath& path, uint32_t value, Violations& violations) {
  if (value == 0) {
    violations.add(path, "must have a positive value");
  }
}

void validate_hostname(const FieldPath& path, std::string_view hostname, Violations& violations) {
  if (hostname == "*") {
    return;
  }
  if (hostname.starts_with("*.")) {
    if (!is_dns_subdomain(hostname.substr(2))) {
      violations.add(path, "invalid wildcard domain");
    }
  } else if (!is_dns_subdomain(hostname)) {
    violations.add(path, "invalid hostname");
  }
}

void validate_data_source(const FieldPath& path, const ::kuma::system::v1alpha1::DataSource& source, Violations& violations) {
  const bool empty = source.secret().empty() && source.file().empty() && source.inline_().value().empty() && source.inlinestring().empty();
  if (empty) {
    violations.add(path, "data source cannot be empty");
  }
}

void validate_protocol_tag(const FieldPath& tags_path, const TagMap& tags, Violations& violations) {
  const auto found = tags.find(std::string(kProtocolTag));
  if (found == tags.end()) {
    return;
  }
  static constexpr std::array<std::string_view, 5> kProtocols = {"grpc", "http", "http2", "kafka", "tcp"};
  const std::string lower = absl::AsciiStrToLower(found->second);
  if (std::find(kProtocols.begin(), kProtocols.end(), lower) == kProtocols.end()) {
    violations.add(tags_path.key(kProtocolTag), "tag \"kuma.io/protocol\" has an invalid value \"{}\". Allowed values: grpc, http, http2, kafka, tcp", found->second);
  }
}

}  // namespace kuma::model
