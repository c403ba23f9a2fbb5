#include "model/regex.h"

#include "fmt/format.h"
#include "re2/re2.h"

namespace kuma::model {
namespace {

// The words of Go's regexp package, which clients of the reference know.
const char* reason(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass:
      return "invalid character class";
    case re2::RE2::ErrorBadCharRange:
      return "invalid character class range";
    case re2::RE2::ErrorMissingBracket:
      return "missing closing ]";
    case re2::RE2::ErrorMissingParen:
      return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge:
      return "expression too large";
    case re2::RE2::NoError:
    case re2::RE2::ErrorInternal:
      break;
  }
  return "internal error";
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

re2::RE2::Options quiet() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return options;
}

}  // namespace

absl::Status check_regex(std::string_view pattern) {
  constexpr size_t kPatternSizeMax = 10'000;
  if (pattern.size() > kPatternSizeMax) {
    return absl::InvalidArgumentError(fmt::format("longer than {} bytes", kPatternSizeMax));
  }
  const re2::RE2 compiled(piece(pattern), quiet());
  if (compiled.ok()) {
    return absl::OkStatus();
  }
  const std::string& where = compiled.error_arg();
  return absl::InvalidArgumentError(fmt::format("error parsing regexp: {}: `{}`", reason(compiled.error_code()), where));
}

bool regex_finds(std::string_view pattern, std::string_view text) {
  return re2::RE2::PartialMatch(piece(text), re2::RE2(piece(pattern), quiet()));
}

}  // namespace kuma::model
