#include <optional>

#include "base/status.h"
#include "base/text.h"
#include "google/protobuf/util/json_util.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/traffic_log.pb.h"
#include "mesh/v1alpha1/traffic_trace.pb.h"
#include "policy/envoy/access_log.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/tracing.h"
#include "policy/legacy.h"
#include "xds/gen/proxy_context.h"

// TrafficLog and TrafficTrace, whose backends are the Mesh's (spec/policy-observability.md §3.1, §3.2).

namespace kuma::xds {
namespace {

using ::envoy::config::listener::v3::Listener;
using mesh::v1alpha1::LoggingBackend;
using mesh::v1alpha1::Mesh;
using mesh::v1alpha1::TracingBackend;
using mesh::v1alpha1::TrafficLog;
using mesh::v1alpha1::TrafficTrace;
using policy::PieceKey;
namespace make = policy::envoy;

template <typename Conf>
Conf read_conf(const google::protobuf::Struct& from) {
  std::string text;
  Conf conf;
  google::protobuf::util::JsonParseOptions lenient;
  lenient.ignore_unknown_fields = true;
  // A conf that does not fit was refused when it was stored; what came in all the same counts as empty.
  if (!google::protobuf::util::MessageToJsonString(from, &text).ok() ||
      !google::protobuf::util::JsonStringToMessage(text, &conf, lenient).ok()) {
    conf.Clear();
  }
  return conf;
}

// The backend that a policy names, or the mesh's default. A name that the mesh does not have is a problem of the policy.
template <typename Backends>
auto find_backend(const Backends& all, const std::string& name, const model::Resource& policy,
                  policy::ProxyResources& resources) -> decltype(&all.backends(0)) {
  const std::string& wanted = name.empty() ? all.defaultbackend() : name;
  for (const auto& backend : all.backends()) {
    if (!wanted.empty() && backend.name() == wanted) {
      return &backend;
    }
  }
  if (!wanted.empty()) {
    policy::Problem problem{policy::ref_of(policy), fmt::format("conf.backend: the mesh has no backend \"{}\"", wanted)};
    if (std::ranges::find(resources.problems, problem) == resources.problems.end()) {
      resources.problems.push_back(std::move(problem));
    }
  }
  return nullptr;
}

// ---- logs

// Where a backend's lines go.
struct LogTarget {
  std::string path;     // of a file; empty: TCP
  std::string address;  // TCP
  std::string format;   // empty: the default
};

LogTarget target_of(const LoggingBackend& backend) {
  LogTarget target{.path = {}, .address = {}, .format = backend.format()};
  if (backend.type() == "file") {
    target.path = read_conf<mesh::v1alpha1::FileLoggingBackendConfig>(backend.conf()).path();
  } else {
    target.address = read_conf<mesh::v1alpha1::TcpLoggingBackendConfig>(backend.conf()).address();
  }
  return target;
}

absl::StatusOr<make::AccessLog> make_log(const LogTarget& target, const model::AccessLogValues& values,
                                         const std::string& pipe_path, bool pipe, bool http) {
  KUMA_ASSIGN_OR_RETURN(
      std::string line,
      model::fill_access_log_format(target.format.empty() ? make::default_log_format(http) : target.format, values));
  if (!target.path.empty()) {
    return make::text_file_log(target.path, std::move(line), false);
  }
  if (!pipe) {
    return make::grpc_log(http, target.address, line);
  }
  if (pipe_path.empty()) {
    return absl::FailedPreconditionError("logs can't be sent over TCP: the proxy's kuma-dp reads none");
  }
  return make::text_file_log(pipe_path, fmt::format("{};{}", target.address, line), false);
}

void add_log(ProxyContext& context, const make::LoggedListener& listener, const model::ResourcePtr& policy) {
  const auto& logging = context.view.mesh->as<Mesh>().logging();
  const LoggingBackend* backend =
      find_backend(logging, policy->as<TrafficLog>().conf().backend(), *policy, context.resources);
  if (backend == nullptr) {
    return;
  }
  const LogTarget target = target_of(*backend);
  model::AccessLogValues values = listener.values;
  if (listener.side == make::LoggedListener::Side::Gateway) {
    values.direction = "INBOUND";
  }
  const std::string& path = context.resources.access_log_path;
  const bool pipe = context.resources.access_log_pipe;
  PieceKey fingerprint("TrafficLog");
  fingerprint.add(target.path).add(target.address).add(target.format).add(path).add(pipe);
  make::add_log_values(values, target.format, fingerprint);
  listener.draft->change(fingerprint, {policy}, [target, values, path, pipe](Listener& message) {
    return make::add_access_log(message, [&](bool http) { return make_log(target, values, path, pipe, http); });
  });
}

void add_logs(ProxyContext& context) {
  // What no outbound is for, and what a gateway serves. A log for it concerns the proxy also when it has none yet.
  const auto& networking = context.spec.networking();
  if (networking.transparent_proxying().redirect_port_outbound() != 0 || networking.has_gateway()) {
    context.resources.services.insert(std::string(policy::kPassThroughService));
  }
  const auto& all = context.view.policies_of("TrafficLog");
  if (all.empty()) {
    return;
  }
  const policy::OutboundPolicies policies(all, context.dataplane);
  for (const auto& listener : make::logged_listeners(context.view, context.dataplane, context.resources)) {
    if (listener.side == make::LoggedListener::Side::Inbound) {
      continue;
    }
    const bool of_gateway = listener.side == make::LoggedListener::Side::Gateway;
    if (const auto* policy = policies.select(of_gateway ? policy::kPassThroughService : std::string_view(listener.service))) {
      add_log(context, listener, *policy);
    }
  }
}

// ---- traces

absl::StatusOr<make::TracingSettings> settings_of(const TracingBackend& backend) {
  make::TracingSettings settings;
  make::Tracer& tracer = settings.tracer;
  tracer.cluster = "tracing:" + backend.name();
  if (backend.has_sampling()) {
    settings.sampling.overall = backend.sampling().value();
  }
  if (backend.type() == "datadog") {
    const auto conf = read_conf<mesh::v1alpha1::DatadogTracingBackendConfig>(backend.conf());
    tracer.kind = make::Tracer::Kind::Datadog;
    tracer.split_service = conf.splitservice();
    tracer.collector.host = conf.address();
    tracer.collector.port = conf.port();
    return settings;
  }
  const auto conf = read_conf<mesh::v1alpha1::ZipkinTracingBackendConfig>(backend.conf());
  tracer.trace_id_128bit = conf.traceid128bit();
  tracer.protobuf = conf.apiversion() == "httpProto";
  if (conf.has_sharedspancontext()) {
    tracer.shared_span_context = conf.sharedspancontext().value();
  }
  KUMA_RETURN_IF_ERROR(annotate(make::read_zipkin_url(conf.url(), tracer), "the backend \"{}\": conf.url", backend.name()));
  return settings;
}

std::optional<make::SpanPlace> place_of(const policy::ListenerDraft& draft, const make::Tracer& tracer,
                                        const std::string& own_service) {
  const std::string& service = draft.subject->service;
  switch (draft.origin) {
    case policy::Origin::Inbound:
      return make::SpanPlace{.service = tracer.split_service ? service + "_INBOUND" : service};
    case policy::Origin::Outbound:
      return make::SpanPlace{.service = tracer.split_service ? fmt::format("{}_OUTBOUND_{}", own_service, service)
                                                             : own_service};
    case policy::Origin::Gateway:
      return make::SpanPlace{.service = own_service};
    default:
      return std::nullopt;
  }
}

void add_traces(ProxyContext& context) {
  const auto* policy = policy::select_for_dataplane(context.view.policies_of("TrafficTrace"), context.dataplane);
  if (policy == nullptr) {
    return;
  }
  const TracingBackend* backend = find_backend(context.view.mesh->as<Mesh>().tracing(),
                                               (*policy)->as<TrafficTrace>().conf().backend(), **policy, context.resources);
  if (backend == nullptr) {
    return;
  }
  const auto settings = settings_of(*backend);
  if (!settings.ok()) {
    context.resources.problems.push_back({policy::ref_of(**policy), std::string(message_of(settings.status()))});
    return;
  }
  auto cluster = make::draft_collector(settings->tracer.cluster, policy::Origin::Tracing, settings->tracer.collector,
                                       is_ipv6_address(context.dataplane.address));
  cluster.shaped(policy);
  policy::ProxyResources::put(context.resources.clusters, std::move(cluster));
  const std::string own_service = mesh::identifying_service(context.dataplane);
  PieceKey fingerprint("TrafficTrace");
  fingerprint.add(make::serialize(*backend));
  for (auto& [name, draft] : context.resources.listeners) {
    if (const auto place = place_of(draft, settings->tracer, own_service)) {
      make::trace_listener(*settings, *place, fingerprint, {*policy}, draft);
    }
  }
}

}  // namespace

void generate_logs_and_traces(ProxyContext& context) {
  add_logs(context);
  add_traces(context);
}

}  // namespace kuma::xds
