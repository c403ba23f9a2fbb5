#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "dp/bootstrap.h"
#include "dp/log.h"
#include "dp/metrics_text.h"
#include "net/http.h"

namespace kuma::dp {

// Answers Prometheus in the place of Envoy: asks Envoy and the applications behind this proxy for their metrics, all at
// once, and puts the answers together. A target that does not answer is left out; the scrape succeeds.
//
// Knows no sockets: requests come in by handle(), go out by Fetch. Thread: that of its caller, where Fetch calls back
// too.
class MetricsHijacker {
 public:
  struct Fetched {
    std::string content_type;
    std::string body;
  };
  // GET `url` with these headers.
  using Fetch =
      std::function<void(std::string url, net::Headers headers, std::function<void(absl::StatusOr<Fetched>)> done)>;

  // `envoy_url` is that of the admin API's /stats; empty: Envoy has none.
  MetricsHijacker(Log& log, std::string envoy_url, std::vector<AggregateTarget> applications, Fetch fetch);

  // Any method and path will do; only the query counts, and goes to Envoy.
  void handle(std::string_view target, const net::Headers& headers, std::function<void(MetricsAnswer)> done);

 private:
  struct Scrape;

  void ask(const std::shared_ptr<Scrape>& scrape, size_t position, const std::string& name, std::string url);

  Log& log_;
  const std::string envoy_url_;
  const std::vector<AggregateTarget> applications_;
  const Fetch fetch_;
};

// The query of a scrape as Envoy gets it: with `format=prometheus` and `text_readouts`, keys sorted.
std::string envoy_stats_query(std::string_view target);

// Removes what a predecessor left at a socket's path. FailedPrecondition if that cannot be done.
absl::Status clear_socket_path(const std::string& path);

}  // namespace kuma::dp
