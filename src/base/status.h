#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

template <>
struct fmt::formatter<absl::string_view> : fmt::formatter<fmt::string_view> {
  template <typename Context>
  auto format(absl::string_view text, Context& context) const {
    return fmt::formatter<fmt::string_view>::format({text.data(), text.size()}, context);
  }
};

namespace kuma {

using absl::Status;
using absl::StatusOr;

// Debian's Abseil has a string_view of its own (it is built for C++14); these two are the way over.
inline std::string_view to_std(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view to_absl(std::string_view text) { return {text.data(), text.size()}; }

// A status's message, to search and compare.
inline std::string_view message_of(const absl::Status& status) { return to_std(status.message()); }

// Puts context in front of an error's message ("loading zone east: <message>") and keeps its code. OK stays OK.
// Once per layer, not at every call.
template <typename... Args>
Status annotate(const Status& status, fmt::format_string<Args...> format, Args&&... args) {
  if (status.ok()) {
    return status;
  }
  return Status(status.code(), fmt::format("{}: {}", fmt::format(format, std::forward<Args>(args)...), message_of(status)));
}

}  // namespace kuma

// Returns the error of an expression of type Status from the enclosing function.
#define KUMA_RETURN_IF_ERROR(expression)              \
  do {                                                \
    if (::absl::Status kuma_status_ = (expression);   \
        !kuma_status_.ok()) {                         \
      return kuma_status_;                            \
    }                                                 \
  } while (false)

#define KUMA_CONCAT_INNER_(a, b) a##b
#define KUMA_CONCAT_(a, b) KUMA_CONCAT_INNER_(a, b)

// `KUMA_ASSIGN_OR_RETURN(auto value, fallible());` declares or assigns the value, or returns the error.
#define KUMA_ASSIGN_OR_RETURN(target, expression)                                   \
  auto KUMA_CONCAT_(kuma_result_, __LINE__) = (expression);                         \
  if (!KUMA_CONCAT_(kuma_result_, __LINE__).ok()) {                                 \
    return KUMA_CONCAT_(kuma_result_, __LINE__).status();                           \
  }                                                                                 \
  target = *std::move(KUMA_CONCAT_(kuma_result_, __LINE__))
