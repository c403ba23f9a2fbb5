#pragma once

#include "api/deps.h"
#include "net/loop.h"
#include "net/tls.h"

namespace kuma::api {

// TLS with the client certificate that proxies' admin listeners ask for, verifying them by the same authority; an error
// while there is none yet.
using AdminTls = std::function<absl::StatusOr<std::shared_ptr<const net::TlsContext>>()>;

struct AdminClientOptions {
  AdminTls tls;
  uint32_t default_port = 9901;  // of resources that name no admin port
};

// Asks proxies' Envoys themselves: clear text at 127.0.0.1, where the admin interface listens, TLS anywhere else.
// `loops` outlives the function.
FetchAdminPage make_admin_client(net::Loops& loops, AdminClientOptions options);

}  // namespace kuma::api
