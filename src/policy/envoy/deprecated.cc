#include "policy/envoy/deprecated.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace kuma::policy::envoy {

void set_regex(::envoy::type::matcher::v3::RegexMatcher& matcher, const std::string& regex) {
  matcher.mutable_google_re2();
  matcher.set_regex(regex);
}

void set_header_prefix(::envoy::config::route::v3::HeaderMatcher& header, const std::string& prefix) {
  header.set_prefix_match(prefix);
}

void set_header_regex(::envoy::config::route::v3::HeaderMatcher& header, const std::string& regex) {
  set_regex(*header.mutable_safe_regex_match(), regex);
}

void set_start_child_span(::envoy::extensions::filters::http::router::v3::Router& router) { router.set_start_child_span(true); }

void set_append(::envoy::config::core::v3::HeaderValueOption& option, bool append) {
  option.mutable_append()->set_value(append);
}

void set_event_log_path(::envoy::config::core::v3::HealthCheck& check, const std::string& path) { check.set_event_log_path(path); }

void set_split_spans(::envoy::config::trace::v3::ZipkinConfig& zipkin, bool split) {
  zipkin.set_split_spans_for_request(split);
}

}  // namespace kuma::policy::envoy
