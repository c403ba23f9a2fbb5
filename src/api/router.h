#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/request.h"

namespace kuma::api {

using Handler = std::function<net::HttpResponse(const Request&)>;
// Answers later, once, on any thread.
using Respond = std::function<void(net::HttpResponse)>;
using AsyncHandler = std::function<void(Request request, Respond respond)>;

enum class RunOn {
  Loop,
  Worker,
  WorkerIfLarge,  // a list: on the worker when all of it, or a large part, is asked for
};

// One verb on one path. Exactly one of the handlers is set.
struct Route {
  std::string method;
  std::string path;  // "/meshes/{mesh}/dataplanes/{name}"
  Handler handler = nullptr;
  AsyncHandler async_handler = nullptr;
  RunOn run_on = RunOn::Loop;
  bool answers_json = true;           // then Accept has to allow it
  bool at_root = false;               // not below the base path
  std::vector<std::string> params{};  // names in `path`; filled by the router
};

// Finds the route of a request: a tree of path segments, fixed once it is built, read from any thread.
class Router {
 public:
  // Routes lie below `base_path`, such as `/kuma`; `/` or nothing: at the root.
  explicit Router(std::string_view base_path = {});
  void add(Route route);

  struct Match {
    const std::vector<std::unique_ptr<Route>>* routes = nullptr;  // all verbs of the path; null: no such path
    std::vector<std::string_view> params;                         // still encoded
  };
  // `path` without query; one slash at its end is ignored. A segment that names something goes before a parameter.
  Match find(std::string_view path) const;

  // The verbs of a path in the order in which they were added: `PUT, DELETE, GET`.
  static std::string allowed_methods(const std::vector<std::unique_ptr<Route>>& routes, std::string_view separator);
  static const Route* find_method(const std::vector<std::unique_ptr<Route>>& routes, std::string_view method);

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> by_name;
    std::unique_ptr<Node> parameter;
    std::vector<std::unique_ptr<Route>> routes;
  };
  static const Node* find_in(const Node& node, std::string_view rest, std::vector<std::string_view>& params);

  std::string base_path_;  // without a slash at its end
  Node root_;
};

}  // namespace kuma::api
