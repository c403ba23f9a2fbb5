#include <algorithm>
#include <vector>

#include "base/status.h"
#include "mesh/v1alpha1/gateway_route.pb.h"
#include "model/http_header.h"
#include "model/regex.h"
#include "model/selectors.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using HttpRoute = pb::MeshGatewayRoute::HttpRoute;
using Match = HttpRoute::Match;
using Filter = HttpRoute::Filter;

constexpr const char* kEmpty = "cannot be empty";

void validate_destination(const pb::MeshGatewayRoute::Backend& backend, const FieldPath& path, Violations& violations) {
  validate_tags(path, backend.destination(), {.selector = true, .at_least_one = true, .service_required = true}, violations);
}

// What the reference lets in, though Envoy refuses all routes of the gateway for it.

void check_expression(std::string_view text, const FieldPath& value, Violations& violations) {
  if (absl::Status status = check_regex(text); !status.ok()) {
    violations.add(value, "must be a regular expression of RE2: {}", message_of(status));
  }
}

void check_header_name(std::string_view name, const FieldPath& path, Violations& violations) {
  if (!is_header_name(name)) {
    violations.add(path, "{}", kNoHeaderName);
  }
}

void check_header_value(std::string_view value, const FieldPath& path, Violations& violations) {
  if (!is_header_value(value)) {
    violations.add(path, "{}", kNoHeaderValue);
  }
}

void validate_path(const Match::Path& path, const FieldPath& value, Violations& violations) {
  if (path.match() == Match::Path::REGEX) {
    if (path.value().empty()) {
      violations.add(value, kEmpty);
    } else {
      check_expression(path.value(), value, violations);
    }
  } else if (!path.value().starts_with('/')) {
    violations.add(value, "must be an absolute path");
  }
}

void validate_header(const Match::Header& header, const FieldPath& path, Violations& violations) {
  if (header.name().empty()) {
    violations.add(path.field("name"), kEmpty);
  } else {
    check_header_name(header.name(), path.field("name"), violations);
  }
  const bool without_value = header.match() == Match::Header::ABSENT || header.match() == Match::Header::PRESENT;
  if (without_value && !header.value().empty()) {
    violations.add(path.field("value"), "cannot be set");
  }
  if (!without_value && header.value().empty()) {
    violations.add(path.field("value"), kEmpty);
  } else if (header.match() == Match::Header::REGEX) {
    check_expression(header.value(), path.field("value"), violations);
  }
}

// The fields are named as in the protocol buffers, not as in JSON: that is how users of the reference see them.
void validate_match(const Match& match, const FieldPath& path, Violations& violations) {
  if (!match.has_path() && match.method() == pb::NONE && match.headers().empty() && match.query_parameters().empty()) {
    violations.add(path, kEmpty);
    return;
  }
  if (match.has_path()) {
    validate_path(match.path(), path.field("value"), violations);
  }
  for (size_t i = 0; const auto& header : match.headers()) {
    validate_header(header, path.field("headers").index(i++), violations);
  }
  for (size_t i = 0; const auto& query : match.query_parameters()) {
    const FieldPath at = path.field("query_parameters").index(i++);
    if (query.name().empty()) {
      violations.add(at.field("name"), kEmpty);
    }
    if (query.value().empty()) {
      violations.add(at.field("value"), kEmpty);
    } else if (query.match() == Match::Query::REGEX) {
      check_expression(query.value(), at.field("value"), violations);
    }
  }
}

using Headers = google::protobuf::RepeatedPtrField<Filter::HeaderFilter::Header>;

void validate_headers_given(const Headers& headers, bool host_is_backends, const FieldPath& path, Violations& violations) {
  for (size_t i = 0; const auto& header : headers) {
    const FieldPath at = path.index(i++);
    const bool is_host = header.name() == ":authority" || header.name() == "Host" || header.name() == "host";
    if (host_is_backends && is_host) {
      violations.add(at, "cannot modify '{}' header, when route has set 'rewrite.host_to_backend_hostname' option", header.name());
    }
    if (header.name().empty()) {
      violations.add(at.field("name"), kEmpty);
    } else {
      check_header_name(header.name(), at.field("name"), violations);
    }
    if (header.value().empty()) {
      violations.add(at.field("value"), kEmpty);
    } else {
      check_header_value(header.value(), at.field("value"), violations);
    }
  }
}

void validate_request_header(const Filter::HeaderFilter& filter, bool host_is_backends, const FieldPath& path, Violations& violations) {
  if (filter.set().empty() && filter.add().empty() && filter.remove().empty()) {
    violations.add(path, kEmpty);
    return;
  }
  validate_headers_given(filter.set(), host_is_backends, path.field("set"), violations);
  validate_headers_given(filter.add(), host_is_backends, path.field("add"), violations);
  for (size_t i = 0; const auto& name : filter.remove()) {
    const FieldPath at = path.field("remove").index(i++);
    if (name.empty()) {
      violations.add(at, kEmpty);
    } else {
      check_header_name(name, at, violations);
    }
  }
}

bool is_redirect_status(uint32_t status) { return (status >= 301 && status <= 303) || status == 307 || status == 308; }

// The reference looks at none of it: what is empty passes.
void check_response_header(const Filter::HeaderFilter& filter, const FieldPath& path, Violations& violations) {
  for (const auto& [field, headers] : {std::pair("set", &filter.set()), {"add", &filter.add()}}) {
    for (size_t i = 0; const auto& header : *headers) {
      const FieldPath at = path.field(field).index(i++);
      if (!header.name().empty()) {
        check_header_name(header.name(), at.field("name"), violations);
      }
      check_header_value(header.value(), at.field("value"), violations);
    }
  }
  for (size_t i = 0; const auto& name : filter.remove()) {
    const FieldPath at = path.field("remove").index(i++);
    if (!name.empty()) {
      check_header_name(name, at, violations);
    }
  }
}

void validate_redirect(const Filter::Redirect& redirect, const FieldPath& path, Violations& violations) {
  if (redirect.port() != 0) {
    validate_port(path.field("port"), redirect.port(), violations);
  }
  if (redirect.status_code() < 300 || redirect.status_code() > 308) {
    violations.add(path.field("status_code"), "must be in the range [300, 308]");
  } else if (!is_redirect_status(redirect.status_code())) {
    violations.add(path.field("status_code"), "must be one of 301, 302, 303, 307, 308, which Envoy can answer with");
  }
}

void validate_mirror(const Filter::Mirror& mirror, const FieldPath& path, Violations& violations) {
  if (!mirror.has_percentage()) {
    violations.add(path.field("percentage"), kEmpty);
  } else if (mirror.percentage().value() < 0 || mirror.percentage().value() > 100) {
    violations.add(path.field("percentage"), "has to be in [0.0 - 100.0] range");
  }
  if (!mirror.has_backend()) {
    violations.add(path.field("backend"), kEmpty);
  } else {
    validate_destination(mirror.backend(), path.field("backend"), violations);
  }
}

bool has_prefix_match(const HttpRoute::Rule& rule) {
  return std::any_of(rule.matches().begin(), rule.matches().end(),
                     [](const Match& match) { return match.has_path() && match.path().match() == Match::Path::PREFIX; });
}

void validate_filter(const Filter& filter, const HttpRoute::Rule& rule, bool host_is_backends, const FieldPath& path, Violations& violations) {
  switch (filter.filter_case()) {
    case Filter::kRequestHeader:
      validate_request_header(filter.request_header(), host_is_backends, path.field("request_header"), violations);
      break;
    case Filter::kRedirect:
      validate_redirect(filter.redirect(), path.field("redirect"), violations);
      break;
    case Filter::kMirror:
      validate_mirror(filter.mirror(), path.field("mirror"), violations);
      break;
    case Filter::kRewrite:
      if (filter.rewrite().path_case() == Filter::Rewrite::kReplacePrefixMatch && !has_prefix_match(rule)) {
        violations.add(path.field("rewrite").field("replacePrefixMatch"), "cannot be used without a match on path prefix");
      }
      break;
    case Filter::kResponseHeader:
      check_response_header(filter.response_header(), path.field("response_header"), violations);
      break;
    case Filter::FILTER_NOT_SET:
      break;
  }
}

void validate_rule(const HttpRoute::Rule& rule, const FieldPath& path, Violations& violations) {
  if (rule.matches().empty()) {
    violations.add(path.field("matches"), kEmpty);
    return;
  }
  for (size_t i = 0; const Match& match : rule.matches()) {
    validate_match(match, path.field("matches").index(i++), violations);
  }

  // Rewrites to the backend's hostname are counted by nobody: the indices in paths go without them.
  std::vector<const Filter*> filters;
  for (const Filter& filter : rule.filters()) {
    if (!filter.rewrite().host_to_backend_hostname()) {
      filters.push_back(&filter);
    }
  }
  const bool host_is_backends = static_cast<int>(filters.size()) < rule.filters_size();
  for (size_t i = 0; i < filters.size(); ++i) {
    validate_filter(*filters[i], rule, host_is_backends, path.field("filters").index(i), violations);
  }
  const bool redirects = std::any_of(filters.begin(), filters.end(), [](const Filter* filter) { return filter->has_redirect(); });
  if (redirects && filters.size() > 1) {
    violations.add(path.field("filters"), "redirects cannot be used with other filters");
    return;
  }
  if (redirects && !rule.backends().empty()) {
    violations.add(path.field("backends"), "must be empty when using redirect filters");
  }
  if (!redirects && rule.backends().empty()) {
    violations.add(path.field("backends"), kEmpty);
  }
  for (size_t i = 0; const auto& backend : rule.backends()) {
    validate_destination(backend, path.field("backends").index(i++), violations);
  }
}

}  // namespace

void validate_mesh_gateway_route(const Resource& resource, Violations& violations) {
  const auto& route = resource.as<pb::MeshGatewayRoute>();
  SelectorRules rules;
  rules.tags.service_required = true;
  validate_selectors(FieldPath("selectors"), route.selectors(), rules, violations);
  const FieldPath path("conf");
  if (!route.conf().has_http()) {
    if (!route.conf().has_tcp()) {
      violations.add(path, kEmpty);
    }
    return;
  }
  const FieldPath at = path.field("http").field("rules");
  if (route.conf().http().rules().empty()) {
    violations.add(at, kEmpty);
  }
  for (size_t i = 0; const auto& rule : route.conf().http().rules()) {
    validate_rule(rule, at.index(i++), violations);
  }
}

}  // namespace kuma::model
