#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kuma::net {

// Header fields in their order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // The first field of that name, or empty.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Peer {
  std::string address = {};  // without port; IPv4-mapped IPv6 as IPv4
  uint16_t port = 0;
  bool tls = false;
  bool verified_client_certificate = false;
};

struct HttpRequest {
  std::string method = {};
  std::string target = {};  // as sent: path and query
  Headers headers = {};     // names in lower case; `host` carries HTTP/2's :authority too
  std::string body = {};    // whole, at most ServerLimits::body_size_max
  Peer peer = {};
};

struct HttpResponse {
  int status = 200;
  Headers headers = {};  // content-length, date and connection are the server's business
  std::string body = {};
};

// The duty to answer one request: call send() once, from any thread, now or later. Dropped without that, the request is
// answered with 500. If the client has gone, send() does nothing.
class HttpResponder {
 public:
  class Impl {
   public:
    virtual ~Impl() = default;
    virtual void send(HttpResponse response) = 0;
  };
  explicit HttpResponder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
  HttpResponder(HttpResponder&&) = default;
  HttpResponder& operator=(HttpResponder&&) = default;
  ~HttpResponder();

  void send(HttpResponse response) {
    auto impl = std::move(impl_);
    impl->send(std::move(response));
  }

 private:
  std::unique_ptr<Impl> impl_;
};

// Runs on the connection's loop: quick work is answered at once, slow work (keys, other hosts) goes to a worker.
using HttpHandler = std::function<void(HttpRequest request, HttpResponder responder)>;

}  // namespace kuma::net
