#include "dp/token.h"

#include <algorithm>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

absl::Status unreadable(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("not valid JWT token. Can't parse it.: {}", why));
}

absl::Status check_jwt(std::string_view token) {
  if (std::count(token.begin(), token.end(), '.') != 2) {
    return unreadable("token contains an invalid number of segments");
  }
  const size_t first = token.find('.');
  for (const std::string_view segment :
       {token.substr(0, first), token.substr(first + 1, token.rfind('.') - first - 1)}) {
    const auto decoded = base64_decode(segment);
    if (!decoded) {
      return unreadable("illegal base64 data");
    }
    const auto value = parse_json(*decoded);
    if (!value.ok()) {
      return unreadable(message_of(value.status()));
    }
    if (segment.data() != token.data()) {
      break;
    }
    const json::value* alg = find(*value, "alg");
    if (alg == nullptr || !alg->is_string() || alg->get_string().empty()) {
      return absl::InvalidArgumentError("not valid JWT token. No Alg.");
    }
  }
  return absl::OkStatus();
}

absl::Status check(const std::string& path) {
  const auto content = read_file(path);
  if (!content.ok()) {
    std::string why(message_of(content.status()));
    if (why.starts_with("open ")) {
      why.replace(0, 5, "stat ");
    }
    return absl::InvalidArgumentError(fmt::format("could not read file {}: {}", path, why));
  }
  const std::string_view token = trim(*content);
  if (token.empty()) {
    return absl::InvalidArgumentError(fmt::format("token under file {} is empty", path));
  }
  if (token.find_first_of("\r\n") != std::string_view::npos) {
    return absl::InvalidArgumentError("Token shouldn't contain line breaks within the token, only at the start or end");
  }
  return check_jwt(token);
}

}  // namespace

absl::Status check_token_file(const std::string& path) {
  return annotate(
      check(path),
      "dataplane token is invalid, in Kubernetes you must mount a serviceAccount token, in universal you must "
      "start your proxy with a generated token.");
}

}  // namespace kuma::dp
