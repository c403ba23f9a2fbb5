#include "dp/bootstrap.h"

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "base/version.h"
#include "boost/url.hpp"

namespace kuma::dp {
namespace {

constexpr std::string_view kNotFoundLog =
    "Dataplane entity is not yet found in the Control Plane. On Universal create it on the control plane, or pass it "
    "with "
    "--dataplane-file; on Kubernetes the injector creates it. Trying again.";
constexpr std::string_view kNotFound =
    "Dataplane entity not found. If you are running on Universal please create a Dataplane entity on kuma-cp before "
    "starting "
    "kuma-dp or pass it to kuma-dp run --dataplane-file=/file. If you are running on Kubernetes, please check the "
    "kuma-cp logs "
    "to determine why the Dataplane entity could not be created by the automatic sidecar injection.";
constexpr std::string_view kWrongPort =
    "There is no /bootstrap endpoint for provided CP address. Double check if the address passed to the CP has a DP "
    "Server "
    "port (5678 by default), not HTTP API (5681 by default)";
constexpr std::string_view kRetryLog =
    "could not fetch bootstrap configuration, make sure you are not trying to connect to global-cp. retrying (this "
    "could help "
    "only if you're connecting to zone-cp or standalone).";

std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* at = &value;
  for (const std::string_view member : path) {
    at = at == nullptr ? nullptr : find(*at, member);
  }
  return at != nullptr && at->is_string() ? std::string(at->get_string()) : std::string();
}

uint32_t number_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* at = &value;
  for (const std::string_view member : path) {
    at = at == nullptr ? nullptr : find(*at, member);
  }
  if (at == nullptr || !at->is_number()) {
    return 0;
  }
  boost::system::error_code error;
  const auto number = at->to_number<uint32_t>(error);
  return error ? 0 : number;
}

// Reads what the supervisor has to know of the configuration that it passes on to Envoy.
absl::Status read_admin(Bootstrap& bootstrap) {
  KUMA_ASSIGN_OR_RETURN(const json::value config, parse_yaml(bootstrap.yaml));
  bootstrap.admin_address = text_at(config, {"admin", "address", "socketAddress", "address"});
  const uint32_t port = number_at(config, {"admin", "address", "socketAddress", "portValue"});
  if (port > 65535) {
    return absl::InvalidArgumentError(fmt::format("admin.address.socketAddress.portValue: {} is no port", port));
  }
  bootstrap.admin_port = static_cast<uint16_t>(port);
  return absl::OkStatus();
}

std::vector<AggregateTarget> read_targets(const json::value& sidecar) {
  std::vector<AggregateTarget> targets;
  const json::value* metrics = find(sidecar, "metrics");
  const json::value* aggregate = metrics == nullptr ? nullptr : find(*metrics, "aggregate");
  if (aggregate == nullptr || !aggregate->is_array()) {
    return targets;
  }
  for (const json::value& target : aggregate->get_array()) {
    targets.push_back({.name = text_at(target, {"name"}),
                       .address = text_at(target, {"address"}),
                       .port = number_at(target, {"port"}),
                       .path = text_at(target, {"path"})});
  }
  return targets;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::string to_json(const BootstrapRequest& request) {
  json::object out{{"mesh", request.mesh}, {"name", request.name}, {"proxyType", request.proxy_type}};
  const auto with = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) {
      out[name] = value;
    }
  };
  const auto with_port = [&out](std::string_view name, uint32_t port) {
    if (port > 0) {
      out[name] = port;
    }
  };
  with("dataplaneToken", request.token);
  with("dataplaneTokenPath", request.token_path);
  with("dataplaneResource", request.resource);
  out["version"] = {
      {"kumaDp", {{"version", kVersion}, {"gitTag", kGitTag}, {"gitCommit", kGitCommit}, {"buildDate", kBuildDate}}},
      {"envoy",
       {{"version", request.envoy.version},
        {"build", request.envoy.build},
        {"kumaDpCompatible", request.envoy.compatible}}}};
  out["caCert"] = request.ca_cert;
  json::object metadata;
  for (const auto& [key, value] : request.dynamic_metadata) {
    metadata[key] = value;
  }
  out["dynamicMetadata"] = std::move(metadata);
  with_port("dnsPort", request.dns_port);
  with_port("readinessPort", request.readiness_port);
  with_port("emptyDnsPort", request.dns_empty_port);
  out["operatingSystem"] = "linux";
  out["features"] = json::array{"feature-tcp-accesslog-via-named-pipe"};
  out["resources"] = {{"maxHeapSizeBytes", request.memory_bytes_max}};
  out["accessLogSocketPath"] = request.access_log_path;
  out["metricsResources"] = {{"socketPath", request.metrics_path},
                             {"certPath", request.metrics_cert_path},
                             {"keyPath", request.metrics_key_path}};
  return kuma::to_json(json::value(std::move(out)));
}

absl::StatusOr<std::string> bootstrap_url(const std::string& cp_address) {
  auto url = boost::urls::parse_uri(cp_address);
  if (!url || (url->scheme() != "https" && url->scheme() != "http") || url->host().empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "the control plane's address has to be a URL such as https://localhost:5678, got \"{}\"", cp_address));
  }
  boost::urls::url out(*url);
  out.set_path("/bootstrap");
  out.remove_query();
  out.remove_fragment();
  return std::string(out.buffer());
}

Refusal interpret_refusal(const HttpAnswer& answer) {
  if (answer.status == 404 && answer.body.empty()) {
    return {.retry = true, .message = std::string(kNotFound), .log = std::string(kNotFoundLog)};
  }
  std::string_view body = answer.body;
  while (!body.empty() && std::string_view(" \t\r\n").find(body.back()) != std::string_view::npos) {
    body.remove_suffix(1);
  }
  if (answer.status == 404 && body == "404: Page Not Found") {
    return {.retry = true, .message = std::string(kWrongPort), .log = std::string(kWrongPort)};
  }
  if (answer.status / 100 == 4) {
    return {.retry = false, .message = fmt::format("Invalid request: {}", body), .log = ""};
  }
  return {.retry = true,
          .message = fmt::format("unexpected status code: {}", answer.status),
          .log = std::string(kRetryLog)};
}

Refusal interpret_failure(std::string_view problem) {
  return {.retry = true,
          .message = fmt::format("request to bootstrap server failed: {}", problem),
          .log = std::string(kRetryLog)};
}

absl::StatusOr<Bootstrap> parse_bootstrap(std::string_view body) {
  const auto answer = parse_json(body);
  if (!answer.ok()) {
    return annotate(answer.status(), "could not read the bootstrap answer");
  }
  auto yaml = base64_decode(text_at(*answer, {"bootstrap"}));
  if (!yaml || is_blank(*yaml)) {
    return absl::InvalidArgumentError("could not read the bootstrap answer: bootstrap: expected base64 text");
  }
  Bootstrap bootstrap{
      .yaml = *std::move(yaml), .admin_address = "", .admin_port = 0, .transparent_proxy = false, .metrics = {}};
  KUMA_RETURN_IF_ERROR(annotate(read_admin(bootstrap), "could not read Envoy's bootstrap configuration"));
  if (const json::value* sidecar = find(*answer, "kumaSidecarConfiguration"); sidecar != nullptr) {
    const json::value* networking = find(*sidecar, "networking");
    const json::value* transparent = networking == nullptr ? nullptr : find(*networking, "isUsingTransparentProxy");
    bootstrap.transparent_proxy = transparent != nullptr && transparent->is_bool() && transparent->get_bool();
    bootstrap.metrics = read_targets(*sidecar);
  }
  return bootstrap;
}

}  // namespace kuma::dp
