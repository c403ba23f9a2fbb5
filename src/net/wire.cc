#include "net/wire.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::net {
namespace {

constexpr size_t kSendSize = 128 * 1024;
constexpr size_t kTlsRecordSize = 16 * 1024;
// Smaller pieces are copied together first, or each would become a TLS record of its own.
constexpr size_t kStagedPieceSize = 4 * 1024;
// How much the kernel may hold unsent: little, so that the backlog stays in our counters, where senders see it.
constexpr int kNotSentLowAt = 128 * 1024;

std::string errno_text(int error) {
  switch (error) {
    case ECONNRESET:
      return "connection reset by peer";
    case EPIPE:
      return "broken pipe";
    case ETIMEDOUT:
      return "connection timed out";
    default:
      return std::strerror(error);
  }
}

}  // namespace

struct WireBio {
  static Wire& wire(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, int size) {
    wire(bio).append_out({data, static_cast<size_t>(size)});
    return size;
  }

  static int read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    Wire& self = wire(bio);
    ssize_t got = 0;
    do {
      got = ::recv(self.fd_, data, static_cast<size_t>(size), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
      return static_cast<int>(got);
    }
    if (got == 0) {
      self.end_of_stream_ = true;
      return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      BIO_set_retry_read(bio);
    } else {
      self.fail(errno_text(errno));
    }
    return -1;
  }

  static long ctrl(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_EOF:
        return wire(bio).end_of_stream_ ? 1 : 0;
      default:
        return 0;
    }
  }
};

std::unique_ptr<BIO_METHOD, OpensslFree> make_wire_bio_method() {
  std::unique_ptr<BIO_METHOD, OpensslFree> method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire"));
  if (method != nullptr) {
    BIO_meth_set_write(method.get(), WireBio::write);
    BIO_meth_set_read(method.get(), WireBio::read);
    BIO_meth_set_ctrl(method.get(), WireBio::ctrl);
  }
  return method;
}

Wire::Wire(LoopImpl& loop, asio::ip::tcp::socket socket)
    : loop_(loop), socket_(std::move(socket)), fd_(socket_.native_handle()) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentLowAt, sizeof(kNotSentLowAt));
  ::setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

Wire::~Wire() = default;

void Wire::start_tls(std::shared_ptr<const TlsContext> context, const std::string& host, std::string_view alpn) {
  tls_context_ = std::move(context);
  ERR_clear_error();
  ssl_.reset(SSL_new(tls_context_->ssl_context.get()));
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(tls_context_->bio_method.get());
  if (bio == nullptr) {
    fail("TLS: " + take_openssl_error());
    return;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (tls_context_->server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  const std::string& name = tls_context_->server_name.empty() ? host : tls_context_->server_name;
  const bool address = is_ip_address(name);
  if (!address) {
    SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
  }
  if (!alpn.empty()) {
    const std::string list = static_cast<char>(alpn.size()) + std::string(alpn);
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned>(list.size()));
  }
  if (tls_context_->verify) {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const int set = address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str())
                            : SSL_set1_host(ssl_.get(), name.c_str());
    if (set != 1) {
      fail("TLS: " + take_openssl_error());
    }
  }
}

Wire::Outcome Wire::handshake() {
  if (broken()) {
    return Outcome::Failed;
  }
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    return Outcome::Ok;
  }
  const unsigned long code = ERR_peek_error();
  peer_spoke_clear_http_ = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
  const Outcome outcome = tls_outcome(result);
  if (outcome == Outcome::Closed) {
    fail("the peer closed the connection during the TLS handshake");
    return Outcome::Failed;
  }
  return outcome;
}

std::string_view Wire::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (ssl_ != nullptr) {
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  }
  return {reinterpret_cast<const char*>(name), size};
}

bool Wire::peer_certificate_verified() const {
  return ssl_ != nullptr && SSL_get0_peer_certificate(ssl_.get()) != nullptr &&
         SSL_get_verify_result(ssl_.get()) == X509_V_OK && (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
}

Wire::ReadResult Wire::read(char* buffer, size_t size) {
  if (broken()) {
    return {Outcome::Failed, 0};
  }
  if (ssl_ != nullptr) {
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
    return got > 0 ? ReadResult{Outcome::Ok, static_cast<size_t>(got)} : ReadResult{tls_outcome(got), 0};
  }
  ssize_t got = 0;
  do {
    got = ::recv(fd_, buffer, size, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    return {Outcome::Ok, static_cast<size_t>(got)};
  }
  if (got == 0) {
    return {Outcome::Closed, 0};
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    return {Outcome::Again, 0};
  }
  fail(errno_text(errno));
  return {Outcome::Failed, 0};
}

Wire::Outcome Wire::tls_outcome(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::Again;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::Closed;
    default:
      break;
  }
  if (!broken()) {
    const long verified = SSL_get_verify_result(ssl_.get());
    const unsigned long code = ERR_peek_error();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      fail(fmt::format("certificate verify failed: {}", X509_verify_cert_error_string(verified)));
    } else if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      fail("the peer closed the connection without ending TLS");
    } else {
      fail("TLS: " + take_openssl_error());
    }
  }
  ERR_clear_error();
  return Outcome::Failed;
}

void Wire::write(std::string_view bytes) {
  if (broken() || !send_error_.empty()) {
    return;
  }
  if (ssl_ == nullptr) {
    append_out(bytes);
    return;
  }
  std::string& plain = loop_.scratch().plain;
  if (bytes.size() < kStagedPieceSize) {
    plain.append(bytes);
    if (plain.size() >= kTlsRecordSize) {
      encrypt_staged();
    }
    return;
  }
  encrypt_staged();
  encrypt(bytes);
}

void Wire::write_clear(std::string_view bytes) {
  append_out(bytes);
  send_out();
}

void Wire::encrypt_staged() {
  std::string& plain = loop_.scratch().plain;
  encrypt(plain);
  plain.clear();
}

void Wire::encrypt(std::string_view bytes) {
  if (bytes.empty() || broken()) {
    return;
  }
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) != 1) {
    fail("TLS: " + take_openssl_error());
  }
}

void Wire::append_out(std::string_view bytes) {
  if (blocked()) {
    unsent_.append(bytes);
    return;
  }
  std::string& out = loop_.scratch().out;
  out.append(bytes);
  if (out.size() >= kSendSize) {
    send_out();
  }
}

void Wire::flush() {
  if (ssl_ != nullptr) {
    encrypt_staged();
  }
  send_out();
}

void Wire::send_out() {
  std::string& out = loop_.scratch().out;
  if (!out.empty()) {
    const size_t sent = send_error_.empty() ? send_some(out) : out.size();
    if (sent < out.size()) {
      unsent_.append(out, sent);
    }
    out.clear();
  }
}

void Wire::continue_unsent() {
  const size_t sent = send_some(unsent_);
  if (sent == unsent_.size()) {
    std::string().swap(unsent_);
  } else {
    unsent_.erase(0, sent);
  }
}

size_t Wire::send_some(std::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t took = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took >= 0) {
      sent += static_cast<size_t>(took);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      send_error_ = errno_text(errno);
      return bytes.size();  // nobody will want the rest
    }
  }
  sent_total_ += sent;
  return sent;
}

void Wire::shutdown_write() {
  if (ssl_ != nullptr && !broken()) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    flush();
  }
  if (!blocked()) {
    ::shutdown(fd_, SHUT_WR);
  }
}

void Wire::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  fd_ = -1;
  fail("closed");
  std::string().swap(unsent_);
}

void Wire::fail(std::string error) {
  if (error_.empty()) {
    error_ = std::move(error);
  }
}

}  // namespace kuma::net
