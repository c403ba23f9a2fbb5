#include "xds/bootstrap/request.h"

#include <limits>

#include "base/status.h"

namespace kuma::bootstrap {
namespace {

// Reads members of one object and remembers the first that has another kind than it should.
class Reader {
 public:
  explicit Reader(const json::value& object) : object_(object) {}

  std::string text(std::string_view member) {
    const json::value* value = present(member);
    if (value == nullptr) {
      return {};
    }
    if (!value->is_string()) {
      wrong(member, "a string");
      return {};
    }
    return std::string(value->get_string());
  }

  uint64_t number(std::string_view member, uint64_t max) {
    const json::value* value = present(member);
    if (value == nullptr) {
      return 0;
    }
    if (value->is_int64() && value->get_int64() >= 0 && static_cast<uint64_t>(value->get_int64()) <= max) {
      return static_cast<uint64_t>(value->get_int64());
    }
    if (value->is_uint64() && value->get_uint64() <= max) {
      return value->get_uint64();
    }
    wrong(member, fmt::format("a whole number of at most {}", max));
    return 0;
  }

  uint32_t small_number(std::string_view member) {
    return static_cast<uint32_t>(number(member, std::numeric_limits<uint32_t>::max()));
  }

  bool flag(std::string_view member) {
    const json::value* value = present(member);
    if (value == nullptr) {
      return false;
    }
    if (!value->is_bool()) {
      wrong(member, "true or false");
      return false;
    }
    return value->get_bool();
  }

  // An object, or an empty one.
  const json::value& object(std::string_view member) {
    static const json::value empty = json::object();
    const json::value* value = present(member);
    if (value == nullptr) {
      return empty;
    }
    if (!value->is_object()) {
      wrong(member, "an object");
      return empty;
    }
    return *value;
  }

  std::vector<std::string> texts(std::string_view member) {
    std::vector<std::string> list;
    const json::value* value = present(member);
    if (value == nullptr) {
      return list;
    }
    if (!value->is_array()) {
      wrong(member, "a list of strings");
      return list;
    }
    for (const json::value& item : value->get_array()) {
      if (!item.is_string()) {
        wrong(member, "a list of strings");
        return {};
      }
      list.emplace_back(item.get_string());
    }
    return list;
  }

  std::map<std::string, std::string> text_map(std::string_view member) {
    std::map<std::string, std::string> map;
    for (const auto& [key, value] : object(member).get_object()) {
      if (!value.is_string()) {
        wrong(member, "an object of strings");
        return {};
      }
      map.emplace(key, value.get_string());
    }
    return map;
  }

  void take_error(const Reader& inner) {
    if (status_.ok()) {
      status_ = inner.status_;
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  const json::value* present(std::string_view member) const {
    const json::value* value = find(object_, member);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  void wrong(std::string_view member, std::string_view expected) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(fmt::format("{}: expected {}", member, expected));
    }
  }

  const json::value& object_;
  absl::Status status_;
};

void add_text(json::object& out, std::string_view member, Reader& reader) {
  if (std::string text = reader.text(member); !text.empty()) {
    out[member] = std::move(text);
  }
}

json::object parse_version(Reader& request) {
  Reader version(request.object("version"));
  Reader kuma_dp(version.object("kumaDp"));
  Reader envoy(version.object("envoy"));
  json::object kuma_dp_out;
  for (const char* member : {"version", "gitTag", "gitCommit", "buildDate"}) {
    add_text(kuma_dp_out, member, kuma_dp);
  }
  json::object envoy_out;
  for (const char* member : {"version", "build"}) {
    add_text(envoy_out, member, envoy);
  }
  if (envoy.flag("kumaDpCompatible")) {
    envoy_out["kumaDpCompatible"] = true;
  }
  for (const Reader* inner : {&version, &kuma_dp, &envoy}) {
    request.take_error(*inner);
  }
  return {{"kumaDp", std::move(kuma_dp_out)}, {"envoy", std::move(envoy_out)}};
}

}  // namespace

absl::StatusOr<Request> parse_request(std::string_view body) {
  KUMA_ASSIGN_OR_RETURN(const json::value document, parse_json(body));
  if (!document.is_object()) {
    return absl::InvalidArgumentError("expected an object");
  }
  Reader reader(document);
  Request request;
  request.mesh = reader.text("mesh");
  request.name = reader.text("name");
  if (std::string type = reader.text("proxyType"); !type.empty()) {
    request.proxy_type = std::move(type);
  }
  request.token = reader.text("dataplaneToken");
  request.token_path = reader.text("dataplaneTokenPath");
  request.resource = reader.text("dataplaneResource");
  request.version = parse_version(reader);
  request.ca_cert = reader.text("caCert");
  request.dynamic_metadata = reader.text_map("dynamicMetadata");
  request.dns_port = reader.small_number("dnsPort");
  request.empty_dns_port = reader.small_number("emptyDnsPort");
  request.readiness_port = reader.small_number("readinessPort");
  request.operating_system = reader.text("operatingSystem");
  request.features = reader.texts("features");
  Reader resources(reader.object("resources"));
  request.heap_size_max = resources.number("maxHeapSizeBytes", std::numeric_limits<uint64_t>::max());
  reader.take_error(resources);
  request.access_log_socket_path = reader.text("accessLogSocketPath");
  Reader metrics(reader.object("metricsResources"));
  request.metrics_socket_path = metrics.text("socketPath");
  request.metrics_cert_path = metrics.text("certPath");
  request.metrics_key_path = metrics.text("keyPath");
  reader.take_error(metrics);
  KUMA_RETURN_IF_ERROR(reader.status());
  return request;
}

absl::StatusOr<ProxyType> parse_proxy_type(std::string_view text) {
  if (text == "dataplane") {
    return ProxyType::Dataplane;
  }
  if (text == "ingress") {
    return ProxyType::Ingress;
  }
  if (text == "egress") {
    return ProxyType::Egress;
  }
  return absl::InvalidArgumentError(
      fmt::format("unknown proxy type \"{}\"; there are dataplane, ingress and egress", text));
}

}  // namespace kuma::bootstrap
