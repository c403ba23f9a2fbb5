#pragma once

#include <string>
#include <vector>

#include "dp/world.h"

namespace kuma::dp {

// kuma-dp as a whole: arguments after the program's name in, exit code out.
int run_program(const std::vector<std::string>& arguments, const World& world);

}  // namespace kuma::dp
