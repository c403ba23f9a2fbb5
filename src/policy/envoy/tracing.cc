#include "policy/envoy/tracing.h"

#include "boost/url/parse.hpp"
#include "envoy/config/trace/v3/datadog.pb.h"
#include "envoy/config/trace/v3/opentelemetry.pb.h"
#include "envoy/config/trace/v3/zipkin.pb.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::trace::v3::DatadogConfig;
using ::envoy::config::trace::v3::OpenTelemetryConfig;
using ::envoy::config::trace::v3::Tracing_Http;
using ::envoy::config::trace::v3::ZipkinConfig;

Tracing_Http provider(std::string_view name, const google::protobuf::Message& config) {
  Tracing_Http provider;
  provider.set_name(std::string(name));
  pack(config, provider.mutable_typed_config());
  return provider;
}

Tracing_Http make_provider(const Tracer& tracer, const SpanPlace& place) {
  switch (tracer.kind) {
    case Tracer::Kind::Zipkin: {
      ZipkinConfig config;
      config.set_collector_cluster(tracer.cluster);
      config.set_collector_endpoint(tracer.path);
      config.set_collector_endpoint_version(tracer.protobuf ? ZipkinConfig::HTTP_PROTO : ZipkinConfig::HTTP_JSON);
      config.set_collector_hostname(tracer.hostname);
      config.set_trace_id_128bit(tracer.trace_id_128bit);
      if (tracer.shared_span_context) {
        config.mutable_shared_span_context()->set_value(*tracer.shared_span_context);
      }
      set_split_spans(config, place.split_spans);
      return provider("envoy.tracers.zipkin", config);
    }
    case Tracer::Kind::Datadog: {
      DatadogConfig config;
      config.set_collector_cluster(tracer.cluster);
      config.set_service_name(place.service);
      return provider("envoy.tracers.datadog", config);
    }
    case Tracer::Kind::OpenTelemetry: {
      OpenTelemetryConfig config;
      config.mutable_grpc_service()->mutable_envoy_grpc()->set_cluster_name(tracer.cluster);
      config.set_service_name(place.service);
      return provider("envoy.tracers.opentelemetry", config);
    }
  }
  return {};
}

}  // namespace

absl::Status read_zipkin_url(std::string_view text, Tracer& tracer) {
  const auto url = boost::urls::parse_uri(text);
  if (url.has_error() || url->host().empty()) {
    return absl::InvalidArgumentError(fmt::format("must be a valid url, got \"{}\"", text));
  }
  tracer.collector.host = url->host_address();
  tracer.collector.port = url->port_number();  // 0 when there is none, as the reference has it
  tracer.collector.tls = url->scheme() == "https";
  tracer.path = std::string(url->encoded_path());
  tracer.hostname = std::string(url->encoded_host_and_port());
  return absl::OkStatus();
}

Hcm::Tracing make_tracing(const TracingSettings& settings, const SpanPlace& place) {
  Hcm::Tracing tracing;
  const Sampling& sampling = settings.sampling;
  if (sampling.overall) {
    tracing.mutable_overall_sampling()->set_value(*sampling.overall);
  }
  if (sampling.client) {
    tracing.mutable_client_sampling()->set_value(*sampling.client);
  }
  if (sampling.random) {
    tracing.mutable_random_sampling()->set_value(*sampling.random);
  }
  for (const SpanTag& tag : settings.tags) {
    auto& custom = *tracing.add_custom_tags();
    custom.set_tag(tag.name);
    if (tag.literal) {
      custom.mutable_literal()->set_value(*tag.literal);
    } else {
      custom.mutable_request_header()->set_name(tag.header);
      custom.mutable_request_header()->set_default_value(tag.header_default);
    }
  }
  *tracing.mutable_provider() = make_provider(settings.tracer, place);
  return tracing;
}

void trace_listener(const TracingSettings& settings, const SpanPlace& place, const PieceKey& fingerprint,
                    const mesh::ResourceList& by, ListenerDraft& draft) {
  PieceKey key = fingerprint;
  key.add(place.service).add(place.split_spans);
  draft.change(key, by, [settings, place](Listener& listener) {
    return edit_hcms(listener, [&](Hcm& hcm) {
      *hcm.mutable_tracing() = make_tracing(settings, place);
      return absl::OkStatus();
    });
  });
}

}  // namespace kuma::policy::envoy
