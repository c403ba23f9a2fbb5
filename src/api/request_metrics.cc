#include "api/request_metrics.h"

#include <array>

namespace kuma::api {
namespace {

// The verb as a label; those that nobody uses share one.
std::string_view known_method(std::string_view method) {
  static constexpr std::array<std::string_view, 7> kMethods = {"GET",     "PUT",  "POST", "DELETE",
                                                               "OPTIONS", "HEAD", "PATCH"};
  for (const std::string_view known : kMethods) {
    if (known == method) {
      return known;
    }
  }
  return "OTHER";
}

}  // namespace

RequestMetrics::RequestMetrics(observe::Metrics* metrics, std::string prefix, const Clock& clock)
    : metrics_(metrics), prefix_(std::move(prefix)), clock_(clock) {}

observe::Gauge RequestMetrics::inflight_of(const Route& route) {
  if (metrics_ == nullptr) {
    return {};
  }
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = inflight_.try_emplace(&route);
  if (is_new) {
    at->second = metrics_->gauge(prefix_ + "_http_requests_inflight", "The number of inflight requests being handled at the same time.",
                                 {{"handler", route.path}, {"service", ""}});
  }
  return at->second;
}

RequestMetrics::Series RequestMetrics::series_of(const Route* route, std::string_view method, int status) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = series_.try_emplace({route, method, status});
  if (is_new) {
    const observe::Labels labels = {{"code", std::to_string(status)},
                                    {"handler", route == nullptr ? "" : route->path},
                                    {"method", std::string(method)},
                                    {"service", ""}};
    at->second.duration =
        metrics_->histogram(prefix_ + "_http_request_duration_seconds", "The latency of the HTTP requests.", labels);
    at->second.size = metrics_->histogram(prefix_ + "_http_response_size_bytes", "The size of the HTTP responses.",
                                          labels, {100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9});
  }
  return at->second;
}

RequestMetrics::Running::Running(RequestMetrics& metrics, std::string_view method)
    : metrics_(&metrics), method_(known_method(method)), start_(metrics.clock_.monotonic_now()) {}

RequestMetrics::Running::Running(Running&& other) noexcept
    : metrics_(std::exchange(other.metrics_, nullptr)),
      method_(other.method_),
      route_(other.route_),
      inflight_(std::exchange(other.inflight_, {})),
      start_(other.start_) {}

RequestMetrics::Running::~Running() { inflight_.add(-1); }

void RequestMetrics::Running::set_route(const Route* route) {
  route_ = route;
  inflight_.add(-1);
  inflight_ = route == nullptr ? observe::Gauge() : metrics_->inflight_of(*route);
  inflight_.add(1);
}

void RequestMetrics::Running::finish(const net::HttpResponse& response) {
  if (metrics_->metrics_ == nullptr) {
    return;
  }
  const Series series = metrics_->series_of(route_, method_, response.status);
  const std::chrono::duration<double> took = metrics_->clock_.monotonic_now() - start_;
  series.duration.observe(took.count());
  series.size.observe(static_cast<double>(response.body.size()));
}

}  // namespace kuma::api
