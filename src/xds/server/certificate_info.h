#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace kuma::xds {

// What a proxy's insight says of its certificate.
struct CertificateInfo {
  WallTime issued_at{};
  WallTime expires_at{};
  std::string issued_backend;
  std::vector<std::string> supported_backends;

  bool operator==(const CertificateInfo&) const = default;
};

}  // namespace kuma::xds
