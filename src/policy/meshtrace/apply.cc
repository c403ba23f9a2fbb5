#include "policy/meshtrace/apply.h"

#include "base/status.h"
#include "base/text.h"
#include "policy/conf_view.h"
#include "policy/envoy/tracing.h"

namespace kuma::policy::meshtrace {
namespace {

using envoy::SpanPlace;
using envoy::Tracer;
using envoy::TracingSettings;

constexpr char kName[] = "MeshTrace";

// A backend is what its section says, whatever its type says.
absl::StatusOr<Tracer> read_tracer(const ConfView& backend) {
  Tracer tracer;
  if (const ConfView zipkin = backend["zipkin"]) {
    tracer.kind = Tracer::Kind::Zipkin;
    tracer.cluster = "meshtrace:zipkin";
    tracer.trace_id_128bit = zipkin["traceId128bit"].boolean();
    tracer.protobuf = zipkin["apiVersion"].text() == "httpProto";
    if (zipkin["sharedSpanContext"]) {
      tracer.shared_span_context = zipkin["sharedSpanContext"].boolean();
    }
    KUMA_RETURN_IF_ERROR(
        annotate(envoy::read_zipkin_url(zipkin["url"].text(), tracer), "{}", zipkin["url"].path().text()));
    return tracer;
  }
  if (const ConfView datadog = backend["datadog"]) {
    tracer.kind = Tracer::Kind::Datadog;
    tracer.cluster = "meshtrace:datadog";
    tracer.split_service = datadog["splitService"].boolean();
    KUMA_RETURN_IF_ERROR(
        annotate(envoy::read_zipkin_url(datadog["url"].text(), tracer), "{}", datadog["url"].path().text()));
    return tracer;
  }
  if (const ConfView otlp = backend["openTelemetry"]) {
    tracer.kind = Tracer::Kind::OpenTelemetry;
    tracer.cluster = "meshtrace:opentelemetry";
    const ConfView endpoint = otlp["endpoint"];
    auto collector = envoy::parse_otlp_endpoint(endpoint.text());
    KUMA_RETURN_IF_ERROR(annotate(collector.status(), "{}", endpoint.path().text()));
    tracer.collector = *collector;
    return tracer;
  }
  return absl::InvalidArgumentError(fmt::format("{}: needs one of zipkin, datadog, openTelemetry", backend.path().text()));
}

TracingSettings read_settings(Tracer tracer, const ConfView& conf) {
  TracingSettings settings{.tracer = std::move(tracer), .sampling = {}, .tags = {}};
  const ConfView sampling = conf["sampling"];
  settings.sampling = {sampling["overall"].decimal(), sampling["client"].decimal(), sampling["random"].decimal()};
  for (const ConfView& tag : conf["tags"].items()) {
    envoy::SpanTag& out = settings.tags.emplace_back();
    out.name = tag["name"].text();
    if (const ConfView literal = tag["literal"]) {
      out.literal = literal.text();
    } else {
      out.header = tag["header"]["name"].text();
      out.header_default = tag["header"]["default"].text();
    }
  }
  return settings;
}

// What the proxy calls itself on a listener; nothing: not a listener to trace.
std::optional<SpanPlace> place_of(const ListenerDraft& draft, const Tracer& tracer, const std::string& service) {
  const bool split = tracer.kind == Tracer::Kind::Datadog && tracer.split_service;
  switch (draft.origin) {
    case Origin::Inbound:
      return SpanPlace{.service = split ? service + "_INBOUND" : service};
    case Origin::Outbound:
      return SpanPlace{.service = split ? fmt::format("{}_OUTBOUND_{}", service, draft.subject->service) : service};
    case Origin::Gateway:
      return SpanPlace{.service = split ? service + "_INBOUND" : service, .split_spans = true};
    default:
      return std::nullopt;
  }
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const Rules& rules = *policies.of(kName).single;
  if (rules.empty()) {
    return;
  }
  const RuleConf& merged = *rules.list().front().conf;
  const ConfView conf(&merged.value, FieldPath());
  const std::vector<ConfView> backends = conf["backends"].items();
  if (backends.empty()) {
    return;
  }
  const auto tracer = read_tracer(backends.front());
  if (!tracer.ok()) {
    resources.problems.push_back({ref_of(*merged.origins.back()), std::string(message_of(tracer.status()))});
    return;
  }
  auto cluster = envoy::draft_collector(tracer->cluster, Origin::Trace, tracer->collector,
                                        is_ipv6_address(policies.dataplane().address));
  for (const auto& origin : merged.origins) {
    cluster.shaped(&origin);
  }
  ProxyResources::put(resources.clusters, std::move(cluster));

  const TracingSettings settings = read_settings(*tracer, conf);
  const std::string service = mesh::identifying_service(policies.dataplane());
  PieceKey fingerprint(kName);
  fingerprint.add(std::string_view(merged.text));
  for (auto& [name, draft] : resources.listeners) {
    if (const auto place = place_of(draft, *tracer, service)) {
      envoy::trace_listener(settings, *place, fingerprint, merged.origins, draft);
    }
  }
}

}  // namespace kuma::policy::meshtrace
