#include "ctl/table.h"

#include <algorithm>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::ctl {

std::string Table::text() const {
  std::vector<size_t> widths(headers.size());
  const auto measure = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  };
  measure(headers);
  std::for_each(rows.begin(), rows.end(), measure);

  std::string out;
  const auto print = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) {
        out.append(widths[i] - row[i].size() + 3, ' ');
      }
    }
    out += '\n';
  };
  print(headers);
  std::for_each(rows.begin(), rows.end(), print);
  return out;
}

std::string age(WallTime now, std::optional<WallTime> time) {
  if (!time) {
    return "never";
  }
  const auto elapsed = now - *time;
  if (elapsed < -std::chrono::seconds(1)) {
    return "never";
  }
  const int64_t seconds = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
  if (seconds < 60) {
    return fmt::format("{}s", seconds);
  }
  if (seconds < 3600) {
    return fmt::format("{}m", seconds / 60);
  }
  if (seconds < 86400) {
    return fmt::format("{}h", seconds / 3600);
  }
  const int64_t days = seconds / 86400;
  return days < 365 ? fmt::format("{}d", days) : fmt::format("{}y", days / 365);
}

std::string age(WallTime now, std::string_view rfc3339) {
  const auto time = parse_rfc3339(rfc3339);
  return time.ok() ? age(now, std::optional(*time)) : "never";
}

}  // namespace kuma::ctl
