#include "api/diagnostics.h"

#include "api/response.h"

namespace kuma::api {
namespace {

net::HttpResponse answer(const observe::Metrics& metrics, const net::HttpRequest& request) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path == "/ready" || path == "/healthy") {
    return empty_response(200);
  }
  if (path == "/metrics") {
    return text_response(200, metrics.to_text(), observe::kMetricsContentType);
  }
  return text_response(404, "404 page not found\n");
}

}  // namespace

net::HttpHandler make_diagnostics(const observe::Metrics& metrics) {
  return [&metrics](const net::HttpRequest& request, net::HttpResponder responder) {
    responder.send(answer(metrics, request));
  };
}

}  // namespace kuma::api
