#pragma once

#include <functional>
#include <string_view>

#include "base/violations.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "mesh/v1alpha1/selector.pb.h"
#include "system/v1alpha1/datasource.pb.h"

namespace kuma::model {

using TagMap = google::protobuf::Map<std::string, std::string>;
using Selectors = google::protobuf::RepeatedPtrField<::kuma::mesh::v1alpha1::Selector>;

inline constexpr std::string_view kServiceTag = "kuma.io/service";
inline constexpr std::string_view kProtocolTag = "kuma.io/protocol";

// What a set of tags has to fulfil (spec/resources.md §4.1).
struct TagRules {
  bool selector = false;          // values may be `*` and have slashes
  bool at_least_one = false;
  bool service_required = false;
  // Further checks of the whole set, run before those of single tags.
  std::function<void(const FieldPath& path, const TagMap& tags, Violations& violations)> extra = nullptr;
  // Further checks of a key, run before the usual ones.
  std::function<void(const FieldPath& path, const std::string& key, Violations& violations)> extra_key = nullptr;
};
void validate_tags(const FieldPath& path, const TagMap& tags, const TagRules& rules, Violations& violations);

struct SelectorRules {
  bool at_least_one = true;
  bool at_most_one = false;
  TagRules tags{.selector = true, .at_least_one = true};
};
void validate_selectors(const FieldPath& path, const Selectors& selectors, const SelectorRules& rules, Violations& violations);
// `sources` and `destinations` of the policies between two services: what connects from has kuma.io/service among its
// tags, what is connected to is kuma.io/service alone.
void validate_source_selectors(const Selectors& sources, Violations& violations);
// Selectors whose only tag is kuma.io/service.
void validate_service_selectors(const FieldPath& path, const Selectors& selectors, Violations& violations);

bool is_tag_name(std::string_view text);
// Labels of letters, digits, underscores and, but in front, dashes; an ending dot is fine. Addresses are no names.
bool is_dns_name(std::string_view text);
// The stricter RFC 1123 form: lower-case letters, digits and inner dashes.
bool is_dns_subdomain(std::string_view text);
void validate_port(const FieldPath& path, uint32_t port, Violations& violations);
// `present` says whether the message was set at all.
void validate_duration(const FieldPath& path, bool present, const google::protobuf::Duration& duration, Violations& violations);
void validate_threshold(const FieldPath& path, uint32_t value, Violations& violations);
void validate_hostname(const FieldPath& path, std::string_view hostname, Violations& violations);
void validate_data_source(const FieldPath& path, const ::kuma::system::v1alpha1::DataSource& source, Violations& violations);
// `kuma.io/protocol` of an inbound or an external service.
void validate_protocol_tag(const FieldPath& tags_path, const TagMap& tags, Violations& violations);

}  // namespace kuma::model
