#include <algorithm>
#include <string>

#include "base/status.h"
#include "model/http_header.h"
#include "model/regex.h"
#include "model/selectors.h"
#include "xds/gen/gateway.h"

// What validation lets in, or an older peer has stored, that Envoy refuses. It would refuse all routes of a port for one of them.

namespace kuma::xds::gateway {
namespace {

using ::envoy::config::route::v3::RouteMatch;
using Filter = MeshGatewayRoute::HttpRoute::Filter;

absl::Status check_expression(std::string_view what, const std::string& expression) {
  return annotate(model::check_regex(expression), "{}", what);
}

absl::Status check_header(const std::string& name, const std::string& value) {
  if (!model::is_header_name(name)) {
    return absl::InvalidArgumentError(fmt::format("the header \"{}\" {}", name, model::kNoHeaderName));
  }
  if (!model::is_header_value(value)) {
    return absl::InvalidArgumentError(fmt::format("the value of the header \"{}\" {}", name, model::kNoHeaderValue));
  }
  return absl::OkStatus();
}

absl::Status check_match(const RouteMatch& match) {
  if (match.has_safe_regex()) {
    KUMA_RETURN_IF_ERROR(check_expression("the path's expression", match.safe_regex().regex()));
  }
  for (const auto& header : match.headers()) {
    KUMA_RETURN_IF_ERROR(check_header(header.name(), ""));
    if (header.string_match().has_safe_regex()) {
      KUMA_RETURN_IF_ERROR(check_expression("a header's expression", header.string_match().safe_regex().regex()));
    }
  }
  for (const auto& parameter : match.query_parameters()) {
    if (parameter.name().empty()) {
      return absl::InvalidArgumentError("a query parameter has no name");
    }
    if (parameter.string_match().has_safe_regex()) {
      KUMA_RETURN_IF_ERROR(check_expression("a query parameter's expression", parameter.string_match().safe_regex().regex()));
    }
  }
  return absl::OkStatus();
}

absl::Status check_headers(const Filter::HeaderFilter& filter) {
  for (const auto* headers : {&filter.set(), &filter.add()}) {
    for (const auto& header : *headers) {
      KUMA_RETURN_IF_ERROR(check_header(header.name(), header.value()));
    }
  }
  for (const std::string& name : filter.remove()) {
    KUMA_RETURN_IF_ERROR(check_header(name, ""));
  }
  return absl::OkStatus();
}

absl::Status check_redirect(const Filter::Redirect& redirect) {
  const uint32_t status = redirect.status_code();
  if ((status < 301 || status > 303) && status != 307 && status != 308) {
    return absl::InvalidArgumentError(fmt::format("redirect status code {} is not supported", status));
  }
  for (const std::string* text : {&redirect.scheme(), &redirect.hostname(), &redirect.path().replace_prefix_match()}) {
    if (!model::is_header_value(*text)) {
      return absl::InvalidArgumentError("where it redirects to must not have line breaks");
    }
  }
  return absl::OkStatus();
}

absl::Status check_filter(const Filter& filter) {
  if (filter.has_request_header()) {
    return check_headers(filter.request_header());
  }
  if (filter.has_response_header()) {
    return check_headers(filter.response_header());
  }
  if (filter.has_redirect()) {
    return check_redirect(filter.redirect());
  }
  if (filter.has_rewrite() && !model::is_header_value(filter.rewrite().replace_prefix_match())) {
    return absl::InvalidArgumentError("what replaces the prefix must not have line breaks");
  }
  return absl::OkStatus();
}

absl::Status check_entry(const HttpEntry& entry) {
  KUMA_RETURN_IF_ERROR(check_match(entry.match));
  for (const Filter& filter : entry.rule->filters()) {
    KUMA_RETURN_IF_ERROR(check_filter(filter));
  }
  return absl::OkStatus();
}

std::string path_of(const RouteMatch& match) {
  return match.has_safe_regex() ? match.safe_regex().regex() : match.path().empty() ? match.prefix() : match.path();
}

// The names of a MeshGatewayRoute are not validated. As a server's name only the first label may stand for any.
bool is_host_name(std::string_view name) {
  return name == "*" || model::is_dns_name(name.starts_with("*.") ? name.substr(2) : name);
}

}  // namespace

void drop_unusable(Port& port, const model::ResourcePtr& gateway, std::vector<policy::Problem>& problems) {
  for (const std::string& problem : port.problems) {
    problems.push_back({policy::ref_of(*gateway), problem});
  }
  if (!port.is_http()) {
    return;
  }
  std::erase_if(port.hosts, [&](const Host& host) {
    if (is_host_name(host.name)) {
      return false;
    }
    for (const model::ResourcePtr& route : host.routes) {
      problems.push_back({policy::ref_of(*route), fmt::format("the host \"{}\" is left out: it is no name of a host", host.name)});
    }
    return true;
  });
  for (Host& host : port.hosts) {
    host.entries = http_entries(host);
    std::erase_if(host.entries, [&](const HttpEntry& entry) {
      const absl::Status status = check_entry(entry);
      if (!status.ok()) {
        problems.push_back(
            {policy::ref_of(*entry.route), fmt::format("the route for \"{}\" is left out: {}", path_of(entry.match), message_of(status))});
      }
      return !status.ok();
    });
  }
}

}  // namespace kuma::xds::gateway
