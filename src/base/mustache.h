#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kuma {

// Fills a mustache template, as `kumactl apply -v` and `kuma-dp run --dataplane-var` know it: `{{ name }}` (HTML
// characters escaped), `{{{ name }}}` and `{{& name }}` as they are, `{{! comment }}`. Dotted names are looked up as they
// stand. A name without a value becomes nothing. Sections (`{{#a}}…{{/a}}`, `{{^a}}…{{/a}}`) show their text if the value
// is there, and not empty or "false". An unclosed tag or section is InvalidArgument with its line. The names that became
// nothing are put into `without_value`, if that is given.
absl::StatusOr<std::string> render_mustache(std::string_view text, const std::map<std::string, std::string>& values,
                                            std::set<std::string>* without_value = nullptr);

}  // namespace kuma
