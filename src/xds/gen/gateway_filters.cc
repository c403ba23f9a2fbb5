#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/percent.h"
#include "policy/envoy/redirect_code.h"
#include "xds/gen/gateway.h"

namespace kuma::xds::gateway {
namespace {

using ::envoy::config::core::v3::HeaderValueOption;
using ::envoy::config::route::v3::Route;
using Filter = MeshGatewayRoute::HttpRoute::Filter;
using Headers = google::protobuf::RepeatedPtrField<HeaderValueOption>;

// x-my-header as X-My-Header: how names are written in HTTP/1.1.
std::string canonical(std::string name) {
  bool up = true;
  for (char& c : name) {
    c = up ? absl::ascii_toupper(static_cast<unsigned char>(c)) : absl::ascii_tolower(static_cast<unsigned char>(c));
    up = c == '-';
  }
  return name;
}

void add_header(const Filter::HeaderFilter::Header& from, bool replace, Headers& headers) {
  HeaderValueOption& option = *headers.Add();
  option.mutable_header()->set_key(canonical(from.name()));
  option.mutable_header()->set_value(from.value());
  if (replace) {
    option.set_append_action(HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  }
}

void modify_request(const Filter::HeaderFilter& from, Route& route) {
  for (const auto& header : from.set()) {
    std::string lower = header.name();
    absl::AsciiStrToLower(&lower);
    if ((lower == "host" || lower == ":authority") && route.has_route()) {
      route.mutable_route()->set_host_rewrite_literal(header.value());
    } else {
      add_header(header, true, *route.mutable_request_headers_to_add());
    }
  }
  for (const auto& header : from.add()) {
    add_header(header, false, *route.mutable_request_headers_to_add());
  }
  for (const auto& name : from.remove()) {
    route.add_request_headers_to_remove(name);
  }
}

void modify_response(const Filter::HeaderFilter& from, Route& route) {
  for (const auto& header : from.set()) {
    add_header(header, true, *route.mutable_response_headers_to_add());
  }
  for (const auto& header : from.add()) {
    add_header(header, false, *route.mutable_response_headers_to_add());
  }
  for (const auto& name : from.remove()) {
    route.add_response_headers_to_remove(name);
  }
}

// Prefixes are whole segments: what takes their place ends with a slash too, but for the prefix itself.
template <typename Action>
void rewrite_path(const Filter::Rewrite& from, RulePath path, Action& action) {
  auto replace_all = [&](std::string value) {
    action.mutable_regex_rewrite()->mutable_pattern()->set_regex(".*");
    // A backslash would refer to a group, of which there is none.
    action.mutable_regex_rewrite()->set_substitution(absl::StrReplaceAll(value, {{"\\", "\\\\"}}));
  };
  if (from.path_case() == Filter::Rewrite::kReplaceFull) {
    replace_all(from.replace_full());
  } else if (from.path_case() == Filter::Rewrite::kReplacePrefixMatch) {
    std::string value = from.replace_prefix_match();
    while (value.ends_with('/')) {
      value.pop_back();
    }
    if (path.exact_twin) {
      replace_all(value.empty() ? "/" : value);
    } else {
      action.set_prefix_rewrite(value + "/");
    }
  }
}

void redirect(const Port& port, const Filter::Redirect& from, RulePath path, Route& route) {
  auto& action = *route.mutable_redirect();
  if (!from.scheme().empty()) {
    action.set_scheme_redirect(from.scheme());
  }
  if (!from.hostname().empty()) {
    action.set_host_redirect(from.hostname());
  }
  action.set_port_redirect(from.port() != 0 ? from.port() : port.number());
  action.set_strip_query(true);
  rewrite_path(from.path(), path, action);
  action.set_response_code(policy::envoy::redirect_code(from.status_code()));
}

void mirror(const Host& host, const Filter::Mirror& from, Route& route) {
  auto found = host.destinations.find(mesh::to_tags(from.backend().destination()));
  double percent = from.percentage().value();
  if (found == host.destinations.end() || !(percent > 0)) {
    return;
  }
  auto& policy = *route.mutable_route()->add_request_mirror_policies();
  policy.set_cluster(found->second.cluster);
  policy::envoy::set_percent(percent, *policy.mutable_runtime_fraction()->mutable_default_value());
}

}  // namespace

void apply_filters(const Port& port, const Host& host, const HttpEntry& entry, Route& route) {
  for (const auto& filter : entry.rule->filters()) {
    if (filter.has_request_header()) {
      modify_request(filter.request_header(), route);
    } else if (filter.has_response_header()) {
      modify_response(filter.response_header(), route);
    } else if (filter.has_redirect()) {
      redirect(port, filter.redirect(), entry.path, route);
    } else if (filter.has_mirror() && route.has_route()) {
      mirror(host, filter.mirror(), route);
    } else if (filter.has_rewrite() && route.has_route()) {
      if (filter.rewrite().host_to_backend_hostname()) {
        route.mutable_route()->mutable_auto_host_rewrite()->set_value(true);
      }
      rewrite_path(filter.rewrite(), entry.path, *route.mutable_route());
    }
  }
}

}  // namespace kuma::xds::gateway
