#include "model/regex.h"

#include "fmt/format.h"
#include "re2/re2.h"

namespace kuma::model {

absl::Status check_regex(std::string_view pattern) {
  constexpr size_t kPatternSizeMax = 10'000;
  if (pattern.size() > kPatternSizeMax) {
    return absl::InvalidArgumentError(fmt::format("error parsing regexp: longer than {} bytes", kPatternSizeMax));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (compiled.ok()) {
    return absl::OkStatus();
  }
  // RE2 says `missing closing ): (`; clients know `missing closing ): `(``, the offending part in back quotes.
  std::string what = compiled.error();
  const std::string& part = compiled.error_arg();
  if (!part.empty() && what.ends_with(": " + part)) {
    what = fmt::format("{}`{}`", what.substr(0, what.size() - part.size()), part);
  }
  return absl::InvalidArgumentError("error parsing regexp: " + what);
}

}  // namespace kuma::model
