#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::net {

// A list of cipher suites in OpenSSL's form, divided as OpenSSL wants it.
struct CipherSuites {
  std::string up_to_tls12;  // colon separated; empty: none was named
  std::string tls13;
};

// Takes the names that Go's crypto/tls uses (TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) and OpenSSL's own
// (ECDHE-RSA-AES256-GCM-SHA384). InvalidArgument names the first one that is neither, or that this library lacks.
absl::StatusOr<CipherSuites> translate_cipher_suites(const std::vector<std::string>& names);

}  // namespace kuma::net
