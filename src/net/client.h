#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "net/call_observer.h"
#include "net/grpc.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"

namespace kuma::net {

using namespace std::chrono_literals;

struct HttpCall {
  std::string method = "GET";
  std::string url = {};                 // http://host:port/path or https://…
  Headers headers = {};
  std::string body = {};
  std::shared_ptr<const TlsContext> tls = nullptr;  // for https; null: the system's roots
  std::chrono::nanoseconds connect_timeout = 5s;
  std::chrono::nanoseconds timeout = 30s;  // of the whole call
  size_t response_size_max = 256 * 1024 * 1024;
};

// HTTP/1.1, one connection a call. Errors name the URL and the cause (`connection refused`, `certificate verify failed: …`).
void http_call(Loop& loop, HttpCall call, std::function<void(absl::StatusOr<HttpResponse>)> done);  // done on the loop
// The same for programs that wait: runs a loop of its own on the calling thread.
absl::StatusOr<HttpResponse> http_call(HttpCall call);

struct ChannelOptions {
  std::string host = {};
  uint16_t port = 0;
  std::shared_ptr<const TlsContext> tls = nullptr;  // null: clear text with prior knowledge
  size_t message_size_max = 64 * 1024 * 1024;
  std::chrono::nanoseconds connect_timeout = 10s;
  std::chrono::nanoseconds keepalive_interval = 15s;
  std::chrono::nanoseconds keepalive_timeout = 15s;
  CallObserver* calls = nullptr;  // null: nobody counts
};

// One HTTP/2 connection to a gRPC server, on one loop. Does not reconnect: its owner makes a new one when on_closed() of
// the streams says that it is gone, at the owner's own pace. Methods may be called from any thread; handlers run on the
// loop. A `grpc-timeout` in the metadata ends the call on this side too.
//
// The destructor closes: off the loop it waits until every stream has heard on_closed(); on the loop they have heard it
// when it returns, but those of a channel destroyed within one of its own callbacks hear it right after that callback.
class GrpcChannel {
 public:
  // Connects in the background; streams opened meanwhile wait for it.
  GrpcChannel(Loop& loop, ChannelOptions options);
  ~GrpcChannel();

  // The handler's factory gets the stream at once; failures to connect come as on_closed(UNAVAILABLE).
  void open_stream(std::string path, Headers metadata, GrpcHandlerFactory factory);
  void unary(std::string path, Headers metadata, std::string message, GrpcUnaryDone done);
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::net
