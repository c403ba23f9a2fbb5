#pragma once

#include <functional>
#include <istream>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "ctl/host.h"
#include "model/resource_type.h"
#include "net/client.h"

namespace kuma::ctl {

// What kumactl is given by the world. References outlive run().
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  std::string home;  // $HOME
  const Clock& clock;
  const model::Registry& registry;
  std::function<absl::StatusOr<net::HttpResponse>(net::HttpCall)> http;
  Host host = {};
};

}  // namespace kuma::ctl
