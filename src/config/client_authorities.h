#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace kuma::config {

// The certificates, PEM, that clients of the API server are verified against: every `.pem` and `.crt` of
// apiServer.auth.clientCertsDir in order of name, then apiServer.https.tlsCaFile. Empty when the server asks clients for
// none: neither requireClientCert nor the authentication type adminClientCerts is set (spec/rest-api.md §12).
//
// InvalidArgument when certificates are asked for and there is nothing to verify them against; NotFound with the path that
// cannot be read.
absl::StatusOr<std::string> client_authorities(const ApiServer& api);

}  // namespace kuma::config
