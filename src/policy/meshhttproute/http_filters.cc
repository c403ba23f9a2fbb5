#include "policy/meshhttproute/http_filters.h"

#include "policy/envoy/deprecated.h"
#include "policy/envoy/percent.h"
#include "policy/envoy/redirect_code.h"

namespace kuma::policy::meshhttproute {
namespace {

using ::envoy::config::core::v3::HeaderValueOption;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteAction;
using Headers = google::protobuf::RepeatedPtrField<HeaderValueOption>;
using Names = google::protobuf::RepeatedPtrField<std::string>;

// A value with commas is several: the first one takes the place of what is there if it is `set`, the others join it.
void add_values(const ConfView& header, bool append, Headers& headers) {
  std::string_view rest = header["value"].text();
  for (bool more = true; more; append = true) {
    size_t comma = rest.find(',');
    more = comma != std::string_view::npos;
    HeaderValueOption& option = *headers.Add();
    option.mutable_header()->set_key(std::string(header["name"].text()));
    option.mutable_header()->set_value(std::string(rest.substr(0, comma)));
    envoy::set_append(option, append);
    rest = more ? rest.substr(comma + 1) : std::string_view();
  }
}

void modify(const ConfView& modifier, Headers& to_add, Names& to_remove) {
  for (const ConfView& header : modifier["set"].items()) {
    add_values(header, false, to_add);
  }
  for (const ConfView& header : modifier["add"].items()) {
    add_values(header, true, to_add);
  }
  for (const ConfView& name : modifier["remove"].items()) {
    to_remove.Add(std::string(name.text()));
  }
}

template <typename Action>
void rewrite_path(const ConfView& path, bool whole_path, Action& action) {
  if (!path) {
    return;
  }
  bool is_prefix = path["type"].text() == "ReplacePrefixMatch";
  std::string value(path[is_prefix ? "replacePrefixMatch" : "replaceFullPath"].text());
  if (is_prefix && !whole_path) {
    action.set_prefix_rewrite(std::move(value));
    return;
  }
  auto& rewrite = *action.mutable_regex_rewrite();
  envoy::set_regex(*rewrite.mutable_pattern(), ".*");
  rewrite.set_substitution(std::move(value));
}

void redirect(const ConfView& from, bool whole_path, Route& route) {
  auto& action = *route.mutable_redirect();  // takes the place of what it did
  if (from["scheme"]) {
    action.set_scheme_redirect(std::string(from["scheme"].text()));
  }
  if (from["hostname"]) {
    action.set_host_redirect(std::string(from["hostname"].text()));
  }
  if (from["port"]) {
    action.set_port_redirect(static_cast<uint32_t>(from["port"].number().value_or(0)));
  }
  rewrite_path(from["path"], whole_path, action);
  action.set_response_code(envoy::redirect_code(from["statusCode"].number().value_or(301)));
}

void mirror(const ConfView& from, const std::string& cluster, RouteAction& action) {
  auto& policy = *action.add_request_mirror_policies();
  policy.set_cluster(cluster);
  if (auto percent = from["percentage"].decimal(); percent && *percent >= 0) {
    envoy::set_percent(*percent, *policy.mutable_runtime_fraction()->mutable_default_value());
  }
}

}  // namespace

void apply_filters(const ConfView& filters, const std::vector<std::string>& mirrors, bool whole_path, Route& route) {
  size_t mirrors_seen = 0;
  for (const ConfView& filter : filters.items()) {
    const std::string_view type = filter["type"].text();
    if (type == "RequestHeaderModifier") {
      modify(filter["requestHeaderModifier"], *route.mutable_request_headers_to_add(), *route.mutable_request_headers_to_remove());
    } else if (type == "ResponseHeaderModifier") {
      modify(filter["responseHeaderModifier"], *route.mutable_response_headers_to_add(),
             *route.mutable_response_headers_to_remove());
    } else if (type == "RequestRedirect") {
      redirect(filter["requestRedirect"], whole_path, route);
    } else if (type == "URLRewrite" && route.has_route()) {
      if (const ConfView host = filter["urlRewrite"]["hostname"]) {
        route.mutable_route()->set_host_rewrite_literal(std::string(host.text()));
      }
      rewrite_path(filter["urlRewrite"]["path"], whole_path, *route.mutable_route());
    } else if (type == "RequestMirror" && mirrors_seen < mirrors.size()) {
      const std::string& cluster = mirrors[mirrors_seen++];
      if (!cluster.empty() && route.has_route()) {
        mirror(filter["requestMirror"], cluster, *route.mutable_route());
      }
    }
  }
}

}  // namespace kuma::policy::meshhttproute
