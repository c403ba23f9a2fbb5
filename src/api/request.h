#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/deps.h"
#include "net/http.h"

namespace kuma::api {

// The query of a URL, decoded, in its order. Pairs that are not well-formed are left out.
class Query {
 public:
  Query() = default;
  explicit Query(std::string_view text);

  // The first value of a key; empty when it is absent.
  std::string_view get(std::string_view key) const;
  bool has(std::string_view key) const;
  std::vector<std::string_view> all(std::string_view key) const;
  bool empty() const { return pairs_.empty(); }

  // All pairs by key, encoded, with one key's value replaced or added: what `next` links carry.
  std::string encode_with(std::string_view key, std::string_view value) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// `%41` as in URLs; nothing when an escape is not well-formed.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

struct Route;

// A request on its way through a route's handler. Values: it may go to another thread.
struct Request {
  net::HttpRequest http;
  std::string path;  // as sent, without the query
  Query query;
  std::vector<std::string> params;  // of the route's template, in its order, decoded
  const Route* route = nullptr;
  User user;

  // The value of `{name}` in the route's template; the route must have it.
  const std::string& param(std::string_view name) const;
  // Whether the template has `{name}`.
  bool has_param(std::string_view name) const;
};

}  // namespace kuma::api
