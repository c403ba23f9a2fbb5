#pragma once

#include <functional>
#include <string>

#include "config/config.h"
#include "model/resource.h"
#include "net/http.h"
#include "store/store.h"

namespace kuma::bootstrap {

// What the bootstrap endpoint stands on. All that is referred to outlives the handler.
struct HandlerParts {
  const config::Config& config;
  const model::Registry& registry;
  const store::Store& store;
  std::string certificate_pem;  // of the dp-server: whose names proxies may come by, and their CA if they bring none
  // Whether a host name has an IPv6 address; may wait for a name server. Null: every name is taken to have one.
  std::function<bool(const std::string& host)> has_ipv6;
  // Runs what may wait on another thread; false, and nothing done, when too much is waiting there already.
  std::function<bool(std::function<void()>)> run_on_worker;
  std::string temp_dir = "/tmp";
};

// Answers `POST /bootstrap`: what Envoy has to start with, so that it finds us and says who it is (spec/kuma-dp.md §4).
// Refusals have the reference's status and text. Tokens are not looked at here, only whether there is one.
//
// Waits for a name server when the proxy comes by a host name, so call it from a worker.
net::HttpResponse handle_bootstrap(const net::HttpRequest& request, const HandlerParts& parts);

// All that the dp-server says to requests that are not gRPC: the bootstrap on a worker, 404 to everything else.
net::HttpHandler make_http_handler(HandlerParts parts);

// An error when proxies are told to come by a host (bootstrapServer.params.xdsHost) that is not in the certificate: the
// control plane refuses to start.
absl::Status check_xds_host(const config::Config& config, const std::string& certificate_pem);

}  // namespace kuma::bootstrap
