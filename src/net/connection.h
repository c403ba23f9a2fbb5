#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "boost/asio/steady_timer.hpp"
#include "net/http.h"
#include "net/wire.h"

namespace kuma::net {

class Connection;

// What is spoken on a connection: the server's opening, HTTP/1.1, HTTP/2, or the client's side of one of them.
// All methods are called by the Connection within a turn, on its loop.
class Protocol {
 public:
  virtual ~Protocol() = default;
  // The wire is ready: connected, TLS agreed on.
  virtual void on_start() {}
  virtual void on_input(std::string_view bytes) = 0;
  // The peer will send no more.
  virtual void on_eof() = 0;
  // Writes to the wire until there is nothing to write, the wire is blocked, or a fair share has been written. True in
  // the last case.
  virtual bool produce() = 0;
  // All that was written is with the kernel.
  virtual void on_flushed() {}
  virtual void on_deadline() = 0;
  // The connection has ended; the last call.
  virtual void on_gone(const std::string& cause) = 0;
  // The server stops: finish what is under way, begin nothing new.
  virtual void drain() {}
};

// One TCP connection on its loop: reads, writes, waits and ends; what the bytes mean is the Protocol's business.
//
// A turn: something happened (bytes, a timer, a posted answer) → the protocol is called → it writes to the wire → the
// wire is flushed → drained streams are told → the connection ends if somebody asked for it. Only one turn at a time, and
// nothing is destroyed within it, so callbacks may ask for anything.
//
// Life: its loop keeps it from start() until it has ended; its owner is told once by `on_gone`.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<LoopImpl> loop, asio::ip::tcp::socket socket);
  ~Connection();

  // With a context, TLS comes first; a server's begins when the first bytes come, so that a silent client costs little.
  void start(std::unique_ptr<Protocol> protocol, std::shared_ptr<const TlsContext> tls, const std::string& host,
             std::function<void()> on_gone);

  // Offered by a client's TLS; before start().
  void offer_alpn(std::string_view protocol) { alpn_ = protocol; }

  // Runs `work` as a turn; later if a turn is under way.
  void run_turn(std::function<void()> work);
  // A write pass soon (at the end of this turn).
  void want_write();
  // Another protocol takes over at the end of the current callback, beginning with `unread`.
  void switch_to(std::unique_ptr<Protocol> protocol, std::string unread);
  // Stops and resumes reading; nested.
  void pause_input() { ++input_pauses_; }
  void resume_input();
  // Ends the connection after this turn.
  void fail(std::string cause);
  // Ends it once all is sent; then waits at most `linger` for the peer to close, reading and dropping what it still
  // sends, or a peer that is still sending would lose our last answer.
  void close_when_flushed(std::chrono::nanoseconds linger);
  // Ends it now. Not within one of the protocol's callbacks.
  void end(const std::string& cause);

  // Reads on when sending has failed: a server may have answered before it closed.
  void read_after_send_error() { read_after_send_error_ = true; }

  // One deadline; on_deadline() is called once when it is reached. Setting replaces it.
  void set_deadline(std::chrono::nanoseconds from_now);
  void clear_deadline() { deadline_ = MonotonicTime::max(); }

  Wire& wire() { return wire_; }
  LoopImpl& loop() { return *loop_; }
  const Peer& peer() const { return peer_; }
  Protocol* protocol() { return protocol_.get(); }
  bool in_turn() const { return in_turn_; }
  bool ended() const { return ended_; }
  bool closing() const { return closing_; }

 private:
  template <typename Work>
  void turn(Work&& work);
  void post_turn();
  void wait_readable();
  void wait_writable();
  // Reads until the kernel has no more, somebody pauses, or a fair share has been read.
  void read_input();
  bool read_once();
  bool continue_handshake();
  void write_pass();
  void finish_turn();
  void begin_linger();
  void arm_timer();
  void on_timer();
  void apply_switch();

  std::shared_ptr<LoopImpl> loop_;
  Wire wire_;
  Peer peer_;
  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<Protocol> next_protocol_;
  std::string next_unread_;
  std::shared_ptr<const TlsContext> tls_;
  std::function<void()> on_gone_;
  asio::steady_timer timer_;
  MonotonicTime deadline_ = MonotonicTime::max();
  MonotonicTime timer_at_ = MonotonicTime::max();
  std::chrono::nanoseconds linger_{0};
  std::string fail_cause_;
  int input_pauses_ = 0;
  std::string host_;
  std::string_view alpn_;
  bool secured_ = false;
  bool read_after_send_error_ = false;
  bool in_turn_ = false;
  bool ended_ = false;
  bool peer_done_ = false;    // end of its stream seen
  bool closing_ = false;      // after all is sent
  bool lingering_ = false;
  bool write_wanted_ = false;
  bool turn_posted_ = false;
  bool read_due_ = false;     // there may be bytes that no readiness event will announce
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
};

// The far end of a socket, IPv4-mapped IPv6 as IPv4.
Peer peer_of(const asio::ip::tcp::socket& socket);

}  // namespace kuma::net
