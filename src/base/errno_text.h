#pragma once

#include <string>

namespace kuma {

// What an errno means, as Go programs write it: `no such file or directory`.
std::string errno_text(int error);

}  // namespace kuma
