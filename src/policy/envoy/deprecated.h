#pragma once

#include <string>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/config/trace/v3/zipkin.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"

namespace kuma::policy::envoy {

// Fields that Envoy has marked deprecated and still honours. The reference writes them, and users compare dumps, so the
// same are written here, and only here.

// With the engine named; the engine is the only one there is.
void set_regex(::envoy::type::matcher::v3::RegexMatcher& matcher, const std::string& regex);
void set_header_prefix(::envoy::config::route::v3::HeaderMatcher& header, const std::string& prefix);
void set_header_regex(::envoy::config::route::v3::HeaderMatcher& header, const std::string& regex);
void set_start_child_span(::envoy::extensions::filters::http::router::v3::Router& router);
void set_append(::envoy::config::core::v3::HeaderValueOption& option, bool append);
void set_event_log_path(::envoy::config::core::v3::HealthCheck& check, const std::string& path);
void set_split_spans(::envoy::config::trace::v3::ZipkinConfig& zipkin, bool split);

}  // namespace kuma::policy::envoy
