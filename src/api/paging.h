#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

#include "api/request.h"
#include "api/response.h"
#include "model/resource.h"
#include "store/store.h"

namespace kuma::api {

// Which part of a list a client asks for (spec/rest-api.md §3).
struct Paging {
  size_t offset = 0;
  int64_t size = 100;  // 0: all; negative: none, with a link to what follows

  // How many to take when all are wanted: never more than that many in one answer.
  bool all() const { return size == 0; }
};

// Reads `size` and `offset`; the error of a value that can't be is for clients, under the title given.
std::variant<Paging, ApiError> read_paging(const Query& query, std::string_view title);

// `{"total": …, "items": […], "next": …}`.
json::object list_body(const Request& request, const Paging& paging, size_t total, json::array items);
// The URL of the next page; nothing on the last.
std::optional<std::string> next_link(const Request& request, const Paging& paging, size_t total);

// What `tag` and `gateway` of a query keep of a type's resources; an empty function keeps all. Bad values are for
// clients.
using ResourceFilter = std::function<bool(const model::Resource&)>;
std::variant<ResourceFilter, ApiError> read_filter(const Request& request, const model::ResourceType& type,
                                                   std::string_view title);

// The page of a type's resources that the request asks for, in the mesh of its path if it has one.
store::ListResult list_page(const store::Store& store, const model::ResourceType& type, const Request& request,
                            const Paging& paging, ResourceFilter filter);

}  // namespace kuma::api
