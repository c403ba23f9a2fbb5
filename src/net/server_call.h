#pragma once

#include <memory>
#include <string>

#include "net/grpc_call.h"

namespace kuma::net {

// A gRPC call as a server sees it. Headers go out with the first message, so that an error before it is an answer of
// trailers only.
class ServerCall final : public GrpcCall {
 public:
  ServerCall(Connection& connection, std::shared_ptr<ServerCore> core, std::shared_ptr<LoopImpl> loop,
             HeaderBlock block);

  // Once it is on the connection: finds the handler of its path, or answers that there is none.
  void begin();
  // Ends the call with trailers because the server wants it so; the handler hears `status`.
  void end_with(GrpcStatus status);

  void finish(GrpcStatus status) override;
  void on_headers(HeaderBlock) override {}
  void on_closed(uint32_t error, const std::string& cause) override;

 protected:
  void before_first_message() override;
  void on_bad_input(GrpcStatus status) override;

 private:
  std::shared_ptr<ServerCore> core_;
  std::shared_ptr<void> deadline_;
  bool headers_sent_ = false;
  bool finished_ = false;
};

}  // namespace kuma::net
