#include "net/server_core.h"
namespace kuma::net {
std::unique_ptr<Protocol> make_http2_server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop, Connection& connection) {
  return make_http1_server(std::move(core), loop, connection);
}
}
