#include "api/measured_handler.h"

#include "api/request_metrics.h"

namespace kuma::api {
namespace {

struct Counting {
  Counting(observe::Metrics& metrics_in, std::string prefix, std::string path, const Clock& clock)
      : metrics(&metrics_in, std::move(prefix), clock), route{.method = "", .path = std::move(path)} {}
  RequestMetrics metrics;
  Route route;  // for its path
};

// Passes the answer on and counts it.
class Measured final : public net::HttpResponder::Impl {
 public:
  Measured(std::shared_ptr<Counting> counting, net::HttpResponder inner, RequestMetrics::Running running)
      : counting_(std::move(counting)), inner_(std::move(inner)), running_(std::move(running)) {}
  void send(net::HttpResponse response) override {
    running_.finish(response);
    inner_.send(std::move(response));
  }

 private:
  std::shared_ptr<Counting> counting_;  // which running_ refers to
  net::HttpResponder inner_;
  RequestMetrics::Running running_;
};

}  // namespace

net::HttpHandler measured(net::HttpHandler handler, observe::Metrics& metrics, std::string prefix, std::string path, const Clock& clock) {
  auto counting = std::make_shared<Counting>(metrics, std::move(prefix), std::move(path), clock);
  return [handler = std::move(handler), counting = std::move(counting)](net::HttpRequest request, net::HttpResponder responder) {
    RequestMetrics::Running running = counting->metrics.start(request.method);
    if (request.target.substr(0, request.target.find('?')) == counting->route.path) {
      running.set_route(&counting->route);
    }
    handler(std::move(request), net::HttpResponder(std::make_unique<Measured>(counting, std::move(responder), std::move(running))));
  };
}

}  // namespace kuma::api
