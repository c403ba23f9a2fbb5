#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/call_observer.h"
#include "net/grpc.h"
#include "net/grpc_codec.h"
#include "net/h2.h"
#include "net/server_core.h"

namespace kuma::net {

// A gRPC call on an HTTP/2 stream: messages out of bytes and back, pausing, and the end, which comes once. What differs
// between the ends (headers, trailers, who begins) is in ServerCall and ClientCall.
class GrpcCall : public H2Stream, public GrpcStream {
 public:
  GrpcCall(Connection* connection, std::shared_ptr<LoopImpl> loop, size_t message_size_max, InboundBudget* budget);

  Loop& loop() override { return *loop_; }
  const Headers& metadata() const override { return metadata_; }
  const Peer& peer() const override;
  std::string_view path() const override { return path_; }

  void send(GrpcMessage message) override;
  void reset() override;
  size_t pending_bytes() const override { return unsent(); }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override;

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_tick(std::chrono::nanoseconds interval) override;

 protected:
  // Something must go out before the first message (a server's headers).
  virtual void before_first_message() {}
  // The peer sent what is no gRPC, or more than allowed.
  virtual void on_bad_input(GrpcStatus status) = 0;
  // Tells the handler the end, once.
  void tell_closed(GrpcStatus status);
  // Decodes -bin values and leaves out what belongs to HTTP/2 and gRPC itself.
  static Headers to_metadata(const HeaderBlock& block);
  bool told_closed() const { return told_closed_; }
  // The call is one of `observer`'s from here on; null: of nobody's.
  void observe(CallObserver* observer, CallObserver::Kind kind);

  std::shared_ptr<LoopImpl> loop_;
  Peer peer_;
  std::string path_;
  Headers metadata_;
  GrpcDecoder decoder_;
  std::unique_ptr<GrpcStreamHandler> handler_;
  std::optional<int> forced_code_;  // the end was our doing: reset(), deadline, stop
  std::string forced_message_;
  bool input_done_ = false;  // nothing that still comes is looked at
  std::optional<int> sent_code_;  // with which a server has finished; for whoever counts
  bool may_compress_ = false;  // the peer takes gzip and was told that it may get it

 private:
  void deliver(std::string_view bytes);
  void tell_half_close();

  InboundShare share_;
  std::unique_ptr<CallObserver::Call> counted_;  // null: nobody counts
  size_t withheld_ = 0;  // bytes not yet given back to the window
  std::chrono::nanoseconds waited_{0};  // for the rest of a message
  bool paused_ = false;
  bool delivering_ = false;
  bool ended_ = false;        // the peer has sent its last byte
  bool told_half_close_ = false;
  bool told_closed_ = false;
  bool begun_ = false;
  bool undrained_ = false;    // on_drained() is due
  std::shared_ptr<void> resume_;  // a delivery on its way
};

// HTTP/2 fields for metadata that a caller gives: names in lower case, -bin values in base64, reserved names left out.
void append_metadata(H2::Fields& fields, const Headers& metadata);

}  // namespace kuma::net
