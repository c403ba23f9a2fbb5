#include "net/connection.h"

#include "boost/asio/post.hpp"
#include "fmt/format.h"

namespace kuma::net {
namespace {

using boost::system::error_code;

// Reads of Scratch::kReadSize a turn, then others get theirs.
constexpr int kReadsPerTurn = 16;

MonotonicTime now() { return system_clock().monotonic_now(); }

}  // namespace

Peer peer_of(const asio::ip::tcp::socket& socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) {
    return {};
  }
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return Peer{.address = address.to_string(), .port = endpoint.port()};
}

Connection::Connection(std::shared_ptr<LoopImpl> loop, asio::ip::tcp::socket socket)
    : loop_(std::move(loop)), wire_(*loop_, std::move(socket)), peer_(peer_of(wire_.socket())), timer_(loop_->io()) {}

Connection::~Connection() = default;

void Connection::start(std::unique_ptr<Protocol> protocol, std::shared_ptr<const TlsContext> tls,
                       const std::string& host, std::function<void()> on_gone) {
  protocol_ = std::move(protocol);
  tls_ = std::move(tls);
  host_ = host;
  on_gone_ = std::move(on_gone);
  loop_->keep(shared_from_this());
  peer_.tls = tls_ != nullptr;
  turn([this] {
    if (tls_ == nullptr) {
      secured_ = true;
      protocol_->on_start();
    } else if (!tls_->server) {
      continue_handshake();
    }
  });
}

template <typename Work>
void Connection::turn(Work&& work) {
  if (ended_) {
    return;
  }
  const auto self = shared_from_this();
  in_turn_ = true;
  work();
  apply_switch();
  write_pass();
  in_turn_ = false;
  finish_turn();
}

void Connection::run_turn(std::function<void()> work) {
  if (!in_turn_) {
    turn(work);
    return;
  }
  loop_->post([weak = weak_from_this(), work = std::move(work)] {
    if (const auto self = weak.lock()) {
      self->run_turn(work);
    }
  });
}

void Connection::post_turn() {
  if (!turn_posted_ && !ended_) {
    turn_posted_ = true;
    asio::post(loop_->io(), [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) {
        return;
      }
      self->turn_posted_ = false;
      self->turn([&self] {
        if (self->read_due_) {
          self->read_input();
        }
      });
    });
  }
}

void Connection::want_write() {
  write_wanted_ = true;
  if (!in_turn_) {
    post_turn();
  }
}

void Connection::switch_to(std::unique_ptr<Protocol> protocol, std::string unread) {
  next_protocol_ = std::move(protocol);
  next_unread_ = std::move(unread);
}

void Connection::apply_switch() {
  if (next_protocol_ == nullptr) {
    return;
  }
  protocol_ = std::move(next_protocol_);
  protocol_->on_start();
  const auto unread = std::exchange(next_unread_, {});
  if (!unread.empty()) {
    protocol_->on_input(unread);
  }
}

void Connection::resume_input() {
  if (--input_pauses_ == 0) {
    read_due_ = true;
    if (!in_turn_) {
      post_turn();
    }
  }
}

void Connection::fail(std::string cause) {
  if (fail_cause_.empty()) {
    fail_cause_ = cause.empty() ? "closed" : std::move(cause);
    if (!in_turn_) {
      post_turn();
    }
  }
}

void Connection::close_when_flushed(std::chrono::nanoseconds linger) {
  closing_ = true;
  linger_ = linger;
  if (!in_turn_) {
    post_turn();
  }
}

void Connection::end(const std::string& cause) {
  if (ended_) {
    return;
  }
  const auto self = shared_from_this();
  loop_->let_go(this);
  ended_ = true;
  timer_.cancel();
  wire_.flush();  // an alert of TLS that says why
  if (secured_ && !wire_.broken() && !lingering_) {
    wire_.shutdown_write();
  }
  wire_.close();
  in_turn_ = true;
  if (protocol_ != nullptr) {
    protocol_->on_gone(cause);
  }
  in_turn_ = false;
  if (auto on_gone = std::exchange(on_gone_, nullptr)) {
    on_gone();
  }
}

void Connection::read_input() {
  read_due_ = false;
  for (int round = 0; input_pauses_ == 0 || lingering_; ++round) {
    if (round == kReadsPerTurn) {
      read_due_ = true;
      return;
    }
    if (!read_once()) {
      return;
    }
  }
}

bool Connection::read_once() {
  if (peer_done_ || !fail_cause_.empty()) {
    return false;
  }
  if (!secured_ && !continue_handshake()) {
    return false;
  }
  auto& buffer = loop_->scratch().read;
  const auto [outcome, size] = wire_.read(buffer.data(), buffer.size());
  switch (outcome) {
    case Wire::Outcome::Again:
      return false;
    case Wire::Outcome::Ok:
      if (!lingering_) {
        protocol_->on_input({buffer.data(), size});
        apply_switch();
      }
      return true;
    case Wire::Outcome::Closed:
      peer_done_ = true;
      if (lingering_) {
        fail("closed");
      } else {
        protocol_->on_eof();
      }
      return false;
    case Wire::Outcome::Failed:
      fail(wire_.error());
      return false;
  }
  return false;
}

bool Connection::continue_handshake() {
  if (!wire_.tls()) {
    wire_.start_tls(tls_, host_, alpn_);
  }
  switch (wire_.handshake()) {
    case Wire::Outcome::Again:
      return false;
    case Wire::Outcome::Ok:
      break;
    default:
      if (wire_.peer_spoke_clear_http()) {
        wire_.write_clear("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
      }
      fail(wire_.error());
      return false;
  }
  secured_ = true;
  tls_.reset();
  peer_.verified_client_certificate = wire_.peer_certificate_verified();
  protocol_->on_start();
  apply_switch();
  return true;
}

void Connection::write_pass() {
  if (!secured_ || wire_.blocked() || lingering_) {
    wire_.flush();
    return;
  }
  write_wanted_ = false;
  const bool more = protocol_->produce();
  wire_.flush();
  if (!wire_.blocked()) {
    protocol_->on_flushed();
  }
  write_wanted_ = write_wanted_ || more;
}

void Connection::finish_turn() {
  if (fail_cause_.empty() && wire_.broken()) {
    fail_cause_ = wire_.error();
  }
  if (fail_cause_.empty() && !wire_.send_error().empty() && (peer_done_ || !read_after_send_error_)) {
    fail_cause_ = wire_.send_error();
  }
  if (!fail_cause_.empty()) {
    end(fail_cause_);
    return;
  }
  if (wire_.blocked()) {
    wait_writable();
  } else if (closing_ && !lingering_ && !write_wanted_) {
    begin_linger();
    if (ended_) {
      return;
    }
  }
  if ((write_wanted_ && !wire_.blocked() && !lingering_) || (read_due_ && input_pauses_ == 0)) {
    post_turn();
  }
  if (!peer_done_ && (input_pauses_ == 0 || lingering_)) {
    wait_readable();
  }
}

void Connection::begin_linger() {
  if (linger_ <= std::chrono::nanoseconds(0) || peer_done_) {
    end("closed");
    return;
  }
  lingering_ = true;
  wire_.shutdown_write();
  set_deadline(linger_);
}

void Connection::wait_readable() {
  if (waiting_readable_) {
    return;
  }
  waiting_readable_ = true;
  wire_.socket().async_wait(asio::ip::tcp::socket::wait_read, [weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (self == nullptr) {
      return;
    }
    self->waiting_readable_ = false;
    if (!error) {
      self->turn([&self] { self->read_input(); });
    }
  });
}

void Connection::wait_writable() {
  if (waiting_writable_) {
    return;
  }
  waiting_writable_ = true;
  wire_.socket().async_wait(asio::ip::tcp::socket::wait_write, [weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (self == nullptr) {
      return;
    }
    self->waiting_writable_ = false;
    if (!error && !self->ended_) {
      self->wire_.continue_unsent();
      self->turn([] {});
    }
  });
}

void Connection::set_deadline(std::chrono::nanoseconds from_now) {
  deadline_ = now() + from_now;
  // A timer that fires early finds the deadline moved and sets itself again: moving is the common case.
  if (deadline_ < timer_at_) {
    arm_timer();
  }
}

void Connection::arm_timer() {
  timer_at_ = deadline_;
  timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(deadline_));
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!error && self != nullptr && !self->ended_) {
      self->on_timer();
    }
  });
}

void Connection::on_timer() {
  timer_at_ = MonotonicTime::max();
  if (deadline_ == MonotonicTime::max()) {
    return;
  }
  if (now() < deadline_) {
    arm_timer();
    return;
  }
  deadline_ = MonotonicTime::max();
  turn([this] {
    if (lingering_) {
      fail("closed");
    } else {
      protocol_->on_deadline();
    }
  });
}

}  // namespace kuma::net
