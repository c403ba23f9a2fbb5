#pragma once

#include <memory>
#include <string_view>

namespace kuma::net {

// Hears of gRPC calls, to count them. One observer serves many servers or channels and outlives them; any of their threads.
class CallObserver {
 public:
  enum class Kind { Unary, Stream };
  // One call, on its loop's thread; destroyed with it.
  class Call {
   public:
    virtual ~Call() = default;
    virtual void on_received() = 0;        // a message of the peer
    virtual void on_sent() = 0;            // a message to it, queued
    virtual void on_ended(int code) = 0;   // the gRPC status; once
  };

  virtual ~CallObserver() = default;
  // `path` is a method's that the server has, or that we call: never a text that only a client chose.
  virtual std::unique_ptr<Call> on_started(std::string_view path, Kind kind) = 0;
};

}  // namespace kuma::net
