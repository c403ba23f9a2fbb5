#include "dp/readiness.h"

namespace kuma::dp {

net::HttpResponse answer_readiness(std::string_view method, std::string_view target, bool terminating) {
  net::HttpResponse response;
  response.headers.add("content-type", "text/plain");
  if ((method != "GET" && method != "HEAD") || target.substr(0, target.find('?')) != "/ready") {
    response.status = 404;
    response.body = "404 page not found\n";
    return response;
  }
  response.headers.add("cache-control", "no-cache, max-age=0");
  response.headers.add("x-powered-by", "kuma-dp");
  response.status = terminating ? 503 : 200;
  response.body = terminating ? "TERMINATING" : "READY";
  return response;
}

}  // namespace kuma::dp
