#pragma once

#include <string>
#include <vector>

#include "ctl/environment.h"

namespace kuma::ctl {

// Runs kumactl with the arguments after the program's name and returns the exit code: 0, or 1 with `Error: …` on
// Environment::err. A group without a known subcommand prints its help and returns 0, as users of kumactl are used to.
int run(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace kuma::ctl
