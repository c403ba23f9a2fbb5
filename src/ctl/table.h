#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace kuma::ctl {

// Rows under a header line: columns padded to their widest cell and three spaces, the last one not.
struct Table {
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> rows;  // each as long as headers

  std::string text() const;
};

// `12s`, `5m`, `3h`, `9d`, `2y`: whole units since `time`; `never` when it is absent or more than a second ahead.
std::string age(WallTime now, std::optional<WallTime> time);
// The same from RFC 3339 text; empty or unreadable: `never`.
std::string age(WallTime now, std::string_view rfc3339);

}  // namespace kuma::ctl
