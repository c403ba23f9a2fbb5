#pragma once

#include "api/deps.h"

namespace kuma::api {

// The REST API of a control plane (spec/rest-api.md): one handler for both of its ports. Reads are answered on the
// connection's loop; what waits for a disk, for keys or for a proxy goes elsewhere. What `deps` refers to outlives it.
net::HttpHandler make_api(ApiDeps deps);

// What a request with too large a body is answered, for Server::on_body_too_large().
net::HttpResponse body_too_large(size_t size_max);

}  // namespace kuma::api
