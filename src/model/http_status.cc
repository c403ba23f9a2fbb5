#include "model/http_status.h"

namespace kuma::model {

bool is_registered_http_status(uint32_t code) {
  struct Range {
    uint32_t first, last;
  };
  constexpr Range kRanges[] = {{100, 103}, {200, 208}, {226, 226}, {300, 305}, {307, 308}, {400, 418},
                               {421, 426}, {428, 429}, {431, 431}, {451, 451}, {500, 508}, {510, 511}};
  for (const Range& range : kRanges) {
    if (code >= range.first && code <= range.last) {
      return true;
    }
  }
  return false;
}

}  // namespace kuma::model
