#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "boost/asio/ip/tcp.hpp"
#include "net/loop_impl.h"
#include "net/tls_context.h"

namespace kuma::net {

// A connected TCP socket, with or without TLS, for one connection on one loop.
//
// Why not asio::ssl::stream: it keeps 71 KiB of buffers per idle connection. Here OpenSSL reads the socket directly and
// writes into the loop's scratch buffer, which goes to the kernel in pieces of about 128 KiB; only what the kernel did
// not take belongs to the connection. So SSL_write never waits, and "blocked" has one meaning: unsent bytes are left.
//
// Use: write() any number of times while !blocked(), then flush() before the turn ends. Never calls back.
class Wire {
 public:
  enum class Outcome {
    Ok,
    Again,   // wait until the socket is readable
    Closed,  // the peer ended the stream in an orderly way
    Failed,  // see error()
  };

  Wire(LoopImpl& loop, asio::ip::tcp::socket socket);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Begins TLS; `host` is the name or address that a client dialled, `alpn` the one protocol it offers, if any.
  void start_tls(std::shared_ptr<const TlsContext> context, const std::string& host, std::string_view alpn);
  Outcome handshake();
  bool tls() const { return ssl_ != nullptr; }
  // What ALPN agreed on (`h2`), or empty.
  std::string_view alpn() const;
  // The peer showed a certificate and it was verified.
  bool peer_certificate_verified() const;
  // The handshake failed because the peer speaks HTTP in clear.
  bool peer_spoke_clear_http() const { return peer_spoke_clear_http_; }

  struct ReadResult {
    Outcome outcome;
    size_t size;
  };
  ReadResult read(char* buffer, size_t size);

  void write(std::string_view bytes);
  void flush();
  // Past TLS, for the answer to a peer that doesn't speak it.
  void write_clear(std::string_view bytes);
  // The socket has become writable: sends what is left.
  void continue_unsent();
  bool blocked() const { return !unsent_.empty(); }
  size_t unsent() const { return unsent_.size(); }
  // Bytes that the kernel has taken since the connection began.
  uint64_t sent_total() const { return sent_total_; }

  bool broken() const { return !error_.empty(); }
  const std::string& error() const { return error_; }
  // The kernel refused to send (the peer reset the connection). What the peer sent before can still be read.
  const std::string& send_error() const { return send_error_; }

  // Says that nothing more will be sent.
  void shutdown_write();
  void close();
  asio::ip::tcp::socket& socket() { return socket_; }

 private:
  friend struct WireBio;
  void append_out(std::string_view bytes);
  void encrypt(std::string_view bytes);
  void encrypt_staged();
  void send_out();
  size_t send_some(std::string_view bytes);
  void fail(std::string error);
  Outcome tls_outcome(int result);

  LoopImpl& loop_;
  asio::ip::tcp::socket socket_;
  int fd_;
  std::shared_ptr<const TlsContext> tls_context_;
  std::unique_ptr<SSL, OpensslFree> ssl_;
  std::string unsent_;
  std::string error_;
  std::string send_error_;
  uint64_t sent_total_ = 0;
  bool end_of_stream_ = false;
  bool peer_spoke_clear_http_ = false;
};

}  // namespace kuma::net
