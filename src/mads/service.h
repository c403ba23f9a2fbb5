#pragma once

#include <chrono>
#include <memory>

#include "base/executor.h"
#include "mads/assignments.h"
#include "net/http.h"
#include "net/server.h"

namespace kuma::mads {

// Tells Prometheus (`kuma_sd_configs`) whom to scrape: MADS v1 over HTTP long poll and over gRPC (spec/policy-observability.md
// §6). Nothing polls the store: a change of a mesh, a dataplane or a gateway marks the snapshot old, at most once an interval
// it is made anew, and whoever waits is told when it differs. Without a client nothing is made at all.
//
// Thread: the state lives on `executor`; handlers run on connections' loops and post to it. serve() may be called once for
// each server, before it starts. After stop(), which comes after the servers', nothing runs.
class Service {
 public:
  struct Options {
    std::chrono::nanoseconds refresh_interval = std::chrono::seconds(1);
    std::chrono::nanoseconds fetch_timeout = std::chrono::seconds(30);
    size_t waiting_max = 10'000;  // long polls and streams; further ones are answered at once, or refused
  };
  Service(Options options, const model::Registry& registry, store::Store& store, TimerExecutor& executor);
  ~Service();

  net::HttpHandler http_handler();
  void serve_grpc(net::Server& server);
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::mads
