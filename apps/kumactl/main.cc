#include <cstdlib>
#include <iostream>

#include "ctl/run.h"
#include "policy/policy.h"

int main(int argc, char** argv) {
  std::vector<kuma::model::ResourceType> types = kuma::model::core_types();
  for (kuma::model::ResourceType& type : kuma::policy::policy_types()) {
    types.push_back(std::move(type));
  }
  const kuma::model::Registry registry(std::move(types));
  const char* home = std::getenv("HOME");
  const kuma::ctl::Environment environment{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .home = home == nullptr ? "" : home,
      .clock = kuma::system_clock(),
      .registry = registry,
      .http = [](kuma::net::HttpCall call) { return kuma::net::http_call(std::move(call)); },
      .host = kuma::ctl::make_host(),
  };
  return kuma::ctl::run({argv + 1, argv + argc}, environment);
}
