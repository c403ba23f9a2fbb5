#pragma once

#include "kds/global.h"
#include "kds/link.h"
#include "net/client.h"
#include "net/server.h"

// Sessions on real connections.
namespace kuma::kds {

// Serves all methods of a global on a server that has not been started and whose loops are one thread: the global's
// executor. `global` outlives the server.
void serve_global(net::Server& server, Global& global);

// Dials with these options; connections live on `loop`, which is the zone's executor.
Connect make_connect(net::Loop& loop, net::ChannelOptions options);

}  // namespace kuma::kds
