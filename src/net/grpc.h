#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/http.h"
#include "net/loop.h"

namespace kuma::net {

// gRPC's status codes have the numbers of absl::StatusCode.
struct GrpcStatus {
  int code = 0;
  std::string message = {};
};

// One message to send: a head of its own and shared pieces after it, sent as they are, without being copied together.
struct GrpcMessage {
  std::string head = {};
  std::vector<SharedBytes> pieces = {};
  // A server may send it compressed to a client that takes gzip, which copies it. Not for secrets beside text of others, as
  // the size then tells something of them.
  bool compressible = false;
  size_t size() const;
};

// One call, seen from either end. Lives on its connection's loop: call its methods there only (loop().is_current()).
class GrpcStream {
 public:
  virtual ~GrpcStream() = default;

  virtual Loop& loop() = 0;
  virtual const Headers& metadata() const = 0;   // of the peer: request headers (server), response headers (client)
  virtual const Peer& peer() const = 0;
  virtual std::string_view path() const = 0;     // "/package.Service/Method"

  // Queues a message. Never blocks, never calls the handler.
  virtual void send(GrpcMessage message) = 0;
  // Server: sends trailers after what is queued. Client: half-closes.
  virtual void finish(GrpcStatus status) = 0;
  // Ends the call at once, dropping what is queued.
  virtual void reset() = 0;

  // Bytes queued and not yet given to the kernel; the caller paces itself by it (StreamHandler::on_drained).
  virtual size_t pending_bytes() const = 0;
  // Stops and resumes the delivery of messages; HTTP/2's window then holds the peer back. What is held back when the call
  // ends is dropped.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
};

// What the owner of a call does. All methods run on the stream's loop; the handler is destroyed after on_closed().
class GrpcStreamHandler {
 public:
  virtual ~GrpcStreamHandler() = default;
  virtual void on_message(std::string_view message) = 0;
  virtual void on_half_close() {}
  // The peer has begun to send a message that is larger than allowed, and the call ends. `beginning` is what has come of it, up
  // to 16 KiB and perhaps nothing. What is returned is added to the reason, which the peer hears too.
  virtual std::string describe_oversized(std::string_view /*beginning*/) { return {}; }
  // All that was queued has been handed to the kernel.
  virtual void on_drained() {}
  // The end, however it came; exactly once, nothing follows. On a server, code 0 when the stream was finished by us.
  virtual void on_closed(GrpcStatus status) = 0;
};

// Makes the handler of a new call. `stream` outlives the handler's on_closed().
using GrpcHandlerFactory = std::function<std::unique_ptr<GrpcStreamHandler>(GrpcStream& stream)>;

// A unary call on a server: bytes in, status and bytes out through the callback (any thread, once).
using GrpcUnaryDone = std::function<void(GrpcStatus, std::string)>;
using GrpcUnaryHandler = std::function<void(const Headers& metadata, std::string message, GrpcUnaryDone done)>;

}  // namespace kuma::net
