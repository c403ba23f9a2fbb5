#pragma once

#include <iosfwd>
#include <string>

#include "base/clock.h"
#include "dp/settings.h"

namespace kuma::dp {

// What kuma-dp needs of its surroundings, filled in by main() and by tests.
struct World {
  GetEnv env;
  std::ostream& out;
  std::ostream& err;
  const Clock& clock;
  std::string working_directory;
  std::string own_directory;  // of the kuma-dp executable
};

}  // namespace kuma::dp
