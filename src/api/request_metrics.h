#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "api/router.h"
#include "observe/metrics.h"

namespace kuma::api {

// Counts requests by route, verb and status: `<prefix>_http_request_duration_seconds`, `…_http_response_size_bytes`,
// `…_http_requests_inflight` (by route alone). Labels never come from clients, so their number is bounded. Any thread.
class RequestMetrics {
 public:
  // Without `metrics`, counts nowhere.
  RequestMetrics(observe::Metrics* metrics, std::string prefix, const Clock& clock);

  // A request under way. Move-only; counted as in flight until it is finished or dropped.
  class Running {
   public:
    Running(RequestMetrics& metrics, std::string_view method);
    Running(Running&& other) noexcept;
    Running& operator=(Running&&) = delete;
    ~Running();
    void set_route(const Route* route);
    void finish(const net::HttpResponse& response);

   private:
    RequestMetrics* metrics_;
    std::string_view method_;  // a literal
    const Route* route_ = nullptr;
    observe::Gauge inflight_;  // once the route is known
    MonotonicTime start_;
  };
  Running start(std::string_view method) { return Running(*this, method); }

 private:
  struct Series {
    observe::Histogram duration, size;
  };
  observe::Gauge inflight_of(const Route& route);
  Series series_of(const Route* route, std::string_view method, int status);

  observe::Metrics* metrics_;
  std::string prefix_;
  const Clock& clock_;
  std::mutex mutex_;  // guards both
  absl::flat_hash_map<const Route*, observe::Gauge> inflight_;
  absl::flat_hash_map<std::tuple<const Route*, std::string_view, int>, Series> series_;
};

}  // namespace kuma::api
