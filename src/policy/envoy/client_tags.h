#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route_components.pb.h"
#include "mesh/tags.h"

namespace kuma::policy::envoy {

// How servers tell their clients apart: by the header x-kuma-tags that the clients' proxies add (names.h, tags_header).

// A regular expression for headers of clients that have all of the tags; the value `*` stands for any.
std::string client_tags_regex(const mesh::Tags& tags);
// The same for clients that have those of any of the sets; at least one.
std::string any_client_tags_regex(const std::vector<mesh::Tags>& tag_sets);

// As targetRef policies match the header.
void match_client_tags(const mesh::Tags& tags, bool inverted, ::envoy::config::route::v3::HeaderMatcher& header);
// As policies with selectors match it: with a field that Envoy has deprecated.
void match_any_client_tags(const std::vector<mesh::Tags>& tag_sets, ::envoy::config::route::v3::HeaderMatcher& header);

}  // namespace kuma::policy::envoy
