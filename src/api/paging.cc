#include "api/paging.h"

#include <charconv>
#include <map>

#include "api/router.h"
#include "api/words.h"
#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"

namespace kuma::api {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

constexpr int64_t kSizeMax = 1000;

std::optional<int64_t> read_integer(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) {
      return std::nullopt;
    }
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

ApiError bad_parameter(std::string_view title, std::string_view detail, std::string field, std::string reason) {
  ApiError error{400, std::string(title), std::string(detail)};
  error.parameters.add(std::move(field), std::move(reason));
  return error;
}

// ---- tags

using TagQuery = std::map<std::string, std::string, std::less<>>;

TagQuery read_tags(const Query& query) {
  TagQuery tags;
  for (const std::string_view text : query.all("tag")) {
    const size_t colon = text.find(':');
    if (colon != std::string_view::npos) {
      tags[std::string(text.substr(0, colon))] = text.substr(colon + 1);
    }
  }
  return tags;
}

template <typename TagMap>
bool matches(const TagQuery& query, const TagMap& tags) {
  for (const auto& [key, wanted] : query) {
    const auto tag = tags.find(key);
    if (tag == tags.end() || (wanted != "*" && tag->second.find(wanted) == std::string::npos)) {
      return false;
    }
  }
  return true;
}

bool dataplane_matches(const TagQuery& query, const pb::Dataplane& dataplane) {
  if (dataplane.networking().has_gateway()) {
    return matches(query, dataplane.networking().gateway().tags());
  }
  const auto& inbounds = dataplane.networking().inbound();
  return std::any_of(inbounds.begin(), inbounds.end(),
                     [&](const auto& inbound) { return matches(query, inbound.tags()); });
}

// ---- gateway

enum class GatewayFilter { None, Yes, No, Builtin, Delegated };

std::optional<GatewayFilter> read_gateway(std::string_view text) {
  const std::string word = lower(text);
  if (word.empty()) {
    return GatewayFilter::None;
  }
  static const std::map<std::string, GatewayFilter, std::less<>> kWords = {{"true", GatewayFilter::Yes},
                                                                           {"false", GatewayFilter::No},
                                                                           {"builtin", GatewayFilter::Builtin},
                                                                           {"delegated", GatewayFilter::Delegated}};
  const auto known = kWords.find(word);
  return known == kWords.end() ? std::nullopt : std::optional(known->second);
}

bool gateway_matches(GatewayFilter filter, const pb::Dataplane& dataplane) {
  const bool is_gateway = dataplane.networking().has_gateway();
  const bool is_builtin =
      is_gateway && dataplane.networking().gateway().type() == pb::Dataplane::Networking::Gateway::BUILTIN;
  switch (filter) {
    case GatewayFilter::None:
      return true;
    case GatewayFilter::Yes:
      return is_gateway;
    case GatewayFilter::No:
      return !is_gateway;
    case GatewayFilter::Builtin:
      return is_builtin;
    case GatewayFilter::Delegated:
      return is_gateway && !is_builtin;
  }
  return true;
}

}  // namespace

std::variant<Paging, ApiError> read_paging(const Query& query, std::string_view title) {
  Paging paging;
  if (const std::string_view text = query.get("size"); !text.empty()) {
    const auto size = read_integer(text);
    if (!size) {
      return bad_parameter(title, "Invalid page size", "size", "invalid format");
    }
    if (*size > kSizeMax) {
      return bad_parameter(title, "Invalid page size", "size",
                           fmt::format("invalid page size of {}. Maximum page size is {}", *size, kSizeMax));
    }
    paging.size = *size;
  }
  if (const std::string_view text = query.get("offset"); !text.empty()) {
    const auto offset = read_integer(text);
    if (!offset || *offset < 0) {
      return bad_parameter(title, "Invalid offset", "offset", "Invalid format");
    }
    paging.offset = static_cast<size_t>(*offset);
  }
  return paging;
}

std::optional<std::string> next_link(const Request& request, const Paging& paging, size_t total) {
  if (paging.all()) {
    return std::nullopt;
  }
  const size_t step = static_cast<size_t>(paging.size < 0 ? -paging.size : paging.size);
  if (paging.offset >= total || step >= total - paging.offset) {
    return std::nullopt;
  }
  return fmt::format("{}://{}{}?{}", request.http.peer.tls ? "https" : "http", request.http.headers.get("host"),
                     request.path, request.query.encode_with("offset", std::to_string(paging.offset + step)));
}

json::object list_body(const Request& request, const Paging& paging, size_t total, json::array items) {
  json::object body;
  body["total"] = total;
  body["items"] = std::move(items);
  const auto next = next_link(request, paging, total);
  body["next"] = next ? json::value(*next) : json::value(nullptr);
  return body;
}

std::variant<ResourceFilter, ApiError> read_filter(const Request& request, const model::ResourceType& type,
                                                   std::string_view title) {
  if (type.name == "ExternalService") {
    TagQuery tags = read_tags(request.query);
    if (tags.empty()) {
      return ResourceFilter();
    }
    return ResourceFilter([tags = std::move(tags)](const model::Resource& resource) {
      return matches(tags, resource.as<pb::ExternalService>().tags());
    });
  }
  if (type.name != "Dataplane") {
    return ResourceFilter();
  }
  const std::string_view gateway_text = request.query.get("gateway");
  const auto gateway = read_gateway(gateway_text);
  if (!gateway) {
    return bad_parameter(
        title, "Resource is not valid", request.route->path + ".gateway",
        fmt::format("shoud use `true`, `false`, 'builtin' or 'delegated' instead of {}", gateway_text));
  }
  TagQuery tags = read_tags(request.query);
  if (tags.empty() && *gateway == GatewayFilter::None) {
    return ResourceFilter();
  }
  return ResourceFilter([tags = std::move(tags), gateway = *gateway](const model::Resource& resource) {
    const auto& dataplane = resource.as<pb::Dataplane>();
    return gateway_matches(gateway, dataplane) && (tags.empty() || dataplane_matches(tags, dataplane));
  });
}

}  // namespace kuma::api
