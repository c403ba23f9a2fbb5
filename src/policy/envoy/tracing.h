#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "policy/envoy/collector.h"
#include "policy/envoy/filters.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// Traces as TrafficTrace and MeshTrace have them (spec/policy-observability.md §2.3, §3.2).

// Who collects the spans of a proxy, and how they are sent there.
struct Tracer {
  enum class Kind { Zipkin, Datadog, OpenTelemetry };
  Kind kind = Kind::Zipkin;
  std::string cluster;
  Collector collector;
  // Zipkin
  std::string path;      // of the collector's URL
  std::string hostname;  // with the port, when the URL has one
  bool trace_id_128bit = false;
  bool protobuf = false;
  std::optional<bool> shared_span_context;
  // Datadog: a service of its own for each direction and destination
  bool split_service = false;
};

// The URL of a Zipkin collector, into the tracer's fields.
absl::Status read_zipkin_url(std::string_view url, Tracer& tracer);

// Percentages; what is not given is as Envoy has it.
struct Sampling {
  std::optional<double> overall;
  std::optional<double> client;
  std::optional<double> random;
};

// A tag of each span: a fixed text, or the value of a request's header.
struct SpanTag {
  std::string name;
  std::optional<std::string> literal;
  std::string header;
  std::string header_default;
};

struct TracingSettings {
  Tracer tracer;
  Sampling sampling;
  std::vector<SpanTag> tags;
};

// What depends on the listener.
struct SpanPlace {
  std::string service;       // what the proxy calls itself there
  bool split_spans = false;  // Zipkin: a gateway's spans as client and as server are two
};
Hcm::Tracing make_tracing(const TracingSettings& settings, const SpanPlace& place);

// Traces what an inbound, outbound or gateway listener serves over HTTP, in place of what traced it before.
void trace_listener(const TracingSettings& settings, const SpanPlace& place, const PieceKey& fingerprint,
                    const mesh::ResourceList& by, ListenerDraft& draft);

}  // namespace kuma::policy::envoy
