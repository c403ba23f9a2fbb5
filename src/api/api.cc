#include "api/api.h"

#include <algorithm>

#include "api/access.h"
#include "api/cors.h"
#include "api/gui.h"
#include "api/refusal_log.h"
#include "api/request_metrics.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "api/words.h"
#include "base/log.h"
#include "base/status.h"

namespace kuma::api {
namespace {

// `Accept` is a list of media ranges; parameters such as qualities are not looked at.
bool accepts_json(std::string_view accept) {
  if (accept.empty()) {
    return true;
  }
  while (!accept.empty()) {
    const std::string_view range = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(range.size() + 1, accept.size()));
    const std::string_view media = trim(range.substr(0, range.find(';')));
    if (media == "*/*" || media == "application/*" || equal_ignoring_case(media, kJsonType)) {
      return true;
    }
  }
  return false;
}

bool is_json_body(const net::HttpRequest& request) {
  const std::string_view type = request.headers.get("content-type");
  return equal_ignoring_case(trim(type.substr(0, type.find(';'))), kJsonType);
}

bool has_body(std::string_view method) { return method == "PUT" || method == "POST" || method == "PATCH"; }

// Whether a request is one that takes its time: it waits, or it asks for so much that others on the loop would wait.
bool runs_on_worker(const Route& route, const Request& request) {
  if (route.run_on != RunOn::WorkerIfLarge) {
    return route.run_on == RunOn::Worker;
  }
  const std::string_view size = request.query.get("size");
  return size == "0" || size.size() > 3 || (size.size() == 3 && size > "200");
}

net::HttpResponse not_found() { return text_response(404, "404: Page Not Found"); }

net::HttpResponse method_not_allowed(const Router::Match& match, std::string_view method) {
  net::HttpResponse response = method == "HEAD" ? empty_response(405) : text_response(405, "405: Method Not Allowed");
  response.headers.add("Allow", Router::allowed_methods(*match.routes, ", "));
  return response;
}

net::HttpResponse not_acceptable() {
  return text_response(406, "406: Not Acceptable\n\nAvailable representations: application/json");
}

// Splits a request's target; an absolute one (`http://host/path`) loses its host.
std::pair<std::string_view, std::string_view> split_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      target.remove_prefix(scheme.size());
      target.remove_prefix(std::min(target.find('/'), target.size()));
      break;
    }
  }
  const size_t question = target.find('?');
  if (question == std::string_view::npos) {
    return {target, {}};
  }
  return {target.substr(0, question), target.substr(question + 1)};
}

// One answer on its way out: adds what every answer gets, whichever thread it comes from.
class Reply {
 public:
  Reply(net::HttpResponder responder, RequestMetrics::Running running, std::string origin)
      : responder_(std::move(responder)), running_(std::move(running)), origin_(std::move(origin)) {}

  void set_route(const Route* route) { running_.set_route(route); }
  void send(net::HttpResponse response) {
    if (!origin_.empty()) {
      Cors::add_headers(origin_, response);
    }
    send_as_is(std::move(response));
  }
  void send_as_is(net::HttpResponse response) {
    running_.finish(response);
    responder_.send(std::move(response));
  }

 private:
  net::HttpResponder responder_;
  RequestMetrics::Running running_;
  std::string origin_;  // of an allowed page; empty: none
};

class Api {
 public:
  explicit Api(ApiDeps deps)
      : deps_(std::move(deps)),
        cors_(deps_.config.api_server),
        gui_(deps_.config),
        router_(deps_.config.api_server.base_path),
        metrics_(deps_.metrics, "api_server", deps_.clock),
        refusals_(deps_.clock) {
    add_routes();
  }

  void handle(net::HttpRequest http, net::HttpResponder responder) {
    Reply reply(std::move(responder), metrics_.start(http.method),
                cors_.allows(http) ? std::string(http.headers.get("origin")) : std::string());
    const auto [path, query] = split_target(http.target);
    if (auto page = gui_.answer(http, path)) {
      return reply.send(*std::move(page));
    }
    const Router::Match match = router_.find(path);
    if (auto answer = cors_.preflight(http, match)) {
      return reply.send_as_is(*std::move(answer));
    }
    auto user = authenticate(http, deps_);
    if (!user.ok()) {
      if (const auto line = refusals_.line_for(http, message_of(user.status()))) {
        log_->warn("{}", *line);
      }
      return reply.send(error_response(user.status(), "Invalid authentication data"));
    }
    Request request;
    if (auto refusal = route(http, match, request)) {
      return reply.send(*std::move(refusal));
    }
    request.user = *std::move(user);
    request.path = path;
    request.query = Query(query);
    request.http = std::move(http);
    reply.set_route(request.route);
    run(std::move(request), std::move(reply));
  }

 private:
  void add_routes() {
    add_index_routes(router_, deps_);
    add_resource_routes(router_, deps_);
    add_overview_routes(router_, deps_);
    add_insight_routes(router_, deps_);
    add_token_routes(router_, deps_);
    add_envoy_admin_routes(router_, deps_);
    add_inspect_routes(router_, deps_);
    add_plan_routes(router_, deps_);
    add_name_routes(router_, deps_);
    add_problem_routes(router_, deps_);
  }

  // Fills in the route and its parameters, or says why there is none.
  std::optional<net::HttpResponse> route(const net::HttpRequest& http, const Router::Match& match,
                                         Request& request) const {
    if (match.routes == nullptr) {
      return not_found();
    }
    const Route* route = Router::find_method(*match.routes, http.method);
    if (route == nullptr) {
      return method_not_allowed(match, http.method);
    }
    if (has_body(http.method) && !is_json_body(http)) {
      return text_response(415, "415: Unsupported Media Type");
    }
    if (route->answers_json && !accepts_json(http.headers.get("accept"))) {
      return not_acceptable();
    }
    if (http.body.size() > deps_.config.api_server.body_size_max) {
      return body_too_large(deps_.config.api_server.body_size_max);
    }
    for (const std::string_view param : match.params) {
      auto decoded = percent_decode(param, false);
      if (!decoded) {
        return text_response(400, "400: Bad Request");
      }
      request.params.push_back(*std::move(decoded));
    }
    request.route = route;
    return std::nullopt;
  }

  void run(Request request, Reply reply) {
    const Route& route = *request.route;
    if (route.handler != nullptr && !runs_on_worker(route, request)) {
      return reply.send(route.handler(request));
    }
    auto shared = std::make_shared<std::pair<Request, Reply>>(std::move(request), std::move(reply));
    if (route.async_handler != nullptr) {
      return route.async_handler(std::move(shared->first),
                                 [shared](net::HttpResponse response) { shared->second.send(std::move(response)); });
    }
    if (!deps_.run_on_worker([shared, &route] { shared->second.send(route.handler(shared->first)); })) {
      shared->second.send(
          error_response(absl::UnavailableError("too many requests wait for the worker"), "Overloaded"));
    }
  }

  const ApiDeps deps_;
  Cors cors_;
  Gui gui_;
  Router router_;
  RequestMetrics metrics_;
  RefusalLog refusals_;
  const std::shared_ptr<spdlog::logger> log_ = make_logger("api");
};

}  // namespace

net::HttpHandler make_api(ApiDeps deps) {
  return [api = std::make_shared<Api>(std::move(deps))](net::HttpRequest request, net::HttpResponder responder) {
    api->handle(std::move(request), std::move(responder));
  };
}

net::HttpResponse body_too_large(size_t size_max) {
  return error_response(ApiError{413, std::string(titles::kProcess),
                                 fmt::format("The body of the request is larger than {} bytes", size_max)});
}

}  // namespace kuma::api
