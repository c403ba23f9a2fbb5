#include "base/errno_text.h"

#include <cctype>
#include <cstring>

namespace kuma {

std::string errno_text(int error) {
  std::string text = std::strerror(error);
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace kuma
