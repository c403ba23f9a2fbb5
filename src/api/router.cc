#include "api/router.h"

namespace kuma::api {
namespace {

// Takes the first segment off `path`, which starts with a slash.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

}  // namespace

Router::Router(std::string_view base_path) {
  while (base_path.ends_with('/')) {
    base_path.remove_suffix(1);
  }
  base_path_ = base_path.empty() || base_path.starts_with('/') ? std::string(base_path) : "/" + std::string(base_path);
}

void Router::add(Route route) {
  if (!route.at_root) {
    route.path.insert(0, base_path_);
  }
  Node* node = &root_;
  std::string_view rest = route.path;
  while (!rest.empty() && rest != "/") {
    const std::string_view segment = take_segment(rest);
    if (is_parameter(segment)) {
      route.params.emplace_back(segment.substr(1, segment.size() - 2));
      if (node->parameter == nullptr) {
        node->parameter = std::make_unique<Node>();
      }
      node = node->parameter.get();
      continue;
    }
    std::unique_ptr<Node>& child = node->by_name[std::string(segment)];
    if (child == nullptr) {
      child = std::make_unique<Node>();
    }
    node = child.get();
  }
  node->routes.push_back(std::make_unique<Route>(std::move(route)));
}

const Router::Node* Router::find_in(const Node& node, std::string_view rest, std::vector<std::string_view>& params) {
  if (rest.empty() || rest == "/") {
    return node.routes.empty() ? nullptr : &node;
  }
  const std::string_view segment = take_segment(rest);
  if (const auto child = node.by_name.find(segment); child != node.by_name.end()) {
    if (const Node* found = find_in(*child->second, rest, params)) {
      return found;
    }
  }
  if (node.parameter == nullptr || segment.empty()) {
    return nullptr;
  }
  params.push_back(segment);
  if (const Node* found = find_in(*node.parameter, rest, params)) {
    return found;
  }
  params.pop_back();
  return nullptr;
}

Router::Match Router::find(std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) {
    return match;
  }
  if (const Node* node = find_in(root_, path, match.params)) {
    match.routes = &node->routes;
  }
  return match;
}

std::string Router::allowed_methods(const std::vector<std::unique_ptr<Route>>& routes, std::string_view separator) {
  std::string out;
  for (const auto& route : routes) {
    if (!out.empty()) {
      out += separator;
    }
    out += route->method;
  }
  return out;
}

const Route* Router::find_method(const std::vector<std::unique_ptr<Route>>& routes, std::string_view method) {
  for (const auto& route : routes) {
    if (route->method == method) {
      return route.get();
    }
  }
  return nullptr;
}

}  // namespace kuma::api
