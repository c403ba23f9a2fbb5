#include "net/dial.h"

#include <vector>

#include "base/text.h"
#include "boost/asio/ip/address.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "fmt/format.h"

namespace kuma::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// Go's and curl's words for what users know best; the system's for the rest.
std::string cause_of(const error_code& error) {
  if (error == boost::system::errc::connection_refused) {
    return "connection refused";
  }
  if (error == asio::error::host_not_found) {
    return "no such host";
  }
  return error.message();
}

class Dial final : public std::enable_shared_from_this<Dial> {
 public:
  Dial(std::shared_ptr<LoopImpl> loop, std::string host, uint16_t port, DialDone done)
      : loop_(std::move(loop)),
        host_(std::move(host)),
        port_(port),
        done_(std::move(done)),
        resolver_(loop_->io()),
        socket_(loop_->io()),
        timer_(loop_->io()) {}

  void begin(std::chrono::nanoseconds timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!error && self != nullptr) {
        self->fail(absl::DeadlineExceededError(
            fmt::format("connect to {}: no answer in time", join_host_port(self->host_, self->port_))));
      }
    });
    error_code error;
    const auto address = asio::ip::make_address(host_, error);
    if (!error) {
      endpoints_ = {tcp::endpoint(address, port_)};
      try_next();
      return;
    }
    resolver_.async_resolve(host_, std::to_string(port_),
                            [weak = weak_from_this()](error_code failed, const tcp::resolver::results_type& found) {
                              if (const auto self = weak.lock()) {
                                self->on_resolved(failed, found);
                              }
                            });
  }

  void cancel() {
    done_ = nullptr;
    end();
  }

 private:
  void on_resolved(error_code error, const tcp::resolver::results_type& found) {
    if (error) {
      fail(absl::UnavailableError(fmt::format("look up {}: {}", host_, cause_of(error))));
      return;
    }
    for (const auto& entry : found) {
      endpoints_.push_back(entry.endpoint());
    }
    try_next();
  }

  void try_next() {
    if (done_ == nullptr) {
      return;
    }
    if (next_ == endpoints_.size()) {
      fail(absl::UnavailableError(last_error_));
      return;
    }
    error_code ignored;
    socket_.close(ignored);
    const auto endpoint = endpoints_[next_++];
    socket_.async_connect(endpoint, [weak = weak_from_this(), endpoint](error_code error) {
      const auto self = weak.lock();
      if (self == nullptr || self->done_ == nullptr) {
        return;
      }
      if (!error) {
        const auto done = std::exchange(self->done_, nullptr);
        auto socket = std::move(self->socket_);
        self->end();
        done(std::move(socket));
        return;
      }
      self->last_error_ =
          fmt::format("connect to {}: {}", join_host_port(endpoint.address().to_string(), self->port_), cause_of(error));
      self->try_next();
    });
  }

  void fail(absl::Status status) {
    if (const auto done = std::exchange(done_, nullptr)) {
      end();
      done(std::move(status));
    }
  }

  void end() {
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
    timer_.cancel();
  }

  std::shared_ptr<LoopImpl> loop_;
  std::string host_;
  uint16_t port_;
  DialDone done_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::vector<tcp::endpoint> endpoints_;
  size_t next_ = 0;
  std::string last_error_;
};

struct DialHandle {
  std::shared_ptr<Dial> attempt;
  ~DialHandle() { attempt->cancel(); }
};

}  // namespace

std::shared_ptr<void> dial(const std::shared_ptr<LoopImpl>& loop, const std::string& host, uint16_t port,
                           std::chrono::nanoseconds timeout, DialDone done) {
  const bool bracketed = host.starts_with("[") && host.ends_with("]");
  auto attempt = std::make_shared<Dial>(loop, bracketed ? host.substr(1, host.size() - 2) : host, port, std::move(done));
  asio::post(loop->io(), [weak = std::weak_ptr(attempt), timeout] {
    if (const auto begun = weak.lock()) {
      begun->begin(timeout);
    }
  });
  return std::make_shared<DialHandle>(std::move(attempt));
}

}  // namespace kuma::net
