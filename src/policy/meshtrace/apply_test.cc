#include "policy/meshtrace/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/testing.h"

namespace kuma::policy::meshtrace {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// On a proxy `web` with an inbound, an outbound to `backend`, and listeners that are not traced. All were traced otherwise before.
class MeshTraceTest : public ::testing::Test {
 protected:
  MeshTraceTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
             "{kuma.io/service: web}}]}}");
    add("inbound", Origin::Inbound, "web");
    add("outbound", Origin::Outbound, "backend");
    add("gateway", Origin::Gateway, "edge");
    add("admin", Origin::Admin, "");
    Listener bytes;
    envoy::add_filter(*bytes.add_filter_chains(), envoy::kTcpProxy, envoy::TcpProxy());
    ProxyResources::put(resources.listeners, testing::draft_of("tcp", Origin::Outbound, testing::subject("db"), bytes));
  }
  void add(const std::string& name, Origin origin, const std::string& service) {
    envoy::Hcm hcm;
    hcm.mutable_tracing()->set_verbose(true);
    Listener listener;
    envoy::add_filter(*listener.add_filter_chains(), envoy::kHttpConnectionManager, hcm);
    ProxyResources::put(resources.listeners, testing::draft_of(name, origin, testing::subject(service), listener));
  }
  void trace(const std::string& conf, const std::string& name = "t", const std::string& target = "kind: Mesh") {
    mesh.put("{type: MeshTrace, mesh: default, name: " + name + ", spec: {targetRef: {" + target + "}, default: " + conf + "}}");
  }
  std::vector<Problem> apply_all() { return mesh.apply(apply, "web-1", resources); }
  std::string tracing(const std::string& listener) {
    envoy::Hcm hcm;
    testing::made(resources.listeners.at(listener)).filter_chains(0).filters(0).typed_config().UnpackTo(&hcm);
    return testing::json_of(hcm.tracing());
  }
  std::string cluster(const std::string& name) { return testing::json_of(testing::made(resources.clusters.at(name))); }

  testing::Mesh mesh;
  ProxyResources resources;
};

constexpr char kBefore[] = R"({"verbose":true})";

TEST_F(MeshTraceTest, A_URL_that_older_peers_let_in_is_left_out_with_the_reason_and_the_rest_goes_on) {
  trace("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: c}}]}");
  mesh.put_unchecked("MeshTrace", "worse", "{targetRef: {kind: Mesh}, default: {backends: [{type: Zipkin, zipkin: {url: 'not a url'}}]}}");
  const auto problems = apply_all();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].policy.name, "worse");
  EXPECT_EQ(problems[0].message, "left out: spec.default.backends[0].zipkin.url: must be a valid url");
  EXPECT_THAT(tracing("inbound"), HasSubstr("meshtrace:opentelemetry"));
}

TEST_F(MeshTraceTest, Settings_without_a_backend_change_nothing) {
  trace("{backends: [], sampling: {overall: 5}}");
  EXPECT_THAT(apply_all(), IsEmpty());
  EXPECT_EQ(tracing("inbound"), kBefore);
  EXPECT_THAT(resources.clusters, IsEmpty());
}

TEST_F(MeshTraceTest, A_narrower_policy_without_backends_takes_them_from_the_wider_one) {
  trace("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: c}}]}", "all");
  trace("{backends: []}", "not-web", "kind: MeshService, name: web");
  apply_all();
  EXPECT_EQ(tracing("inbound"), kBefore);
}

TEST_F(MeshTraceTest, Inbounds_outbounds_and_gateways_are_traced_in_place_of_what_traced_them_before) {
  trace("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 'c:99'}}]}");
  apply_all();
  const std::string expected =
      R"({"provider":{"name":"envoy.tracers.opentelemetry","typedConfig":{"@type":"type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",)"
      R"("grpcService":{"envoyGrpc":{"clusterName":"meshtrace:opentelemetry"}},"serviceName":"web"}}})";
  for (const char* listener : {"inbound", "outbound", "gateway"}) {
    EXPECT_EQ(tracing(listener), expected) << listener;
  }
  EXPECT_EQ(tracing("admin"), kBefore);
  EXPECT_THAT(resources.listeners.at("tcp").shaped_by, Not(IsEmpty())) << "it may get HTTP chains by other policies";
  EXPECT_THAT(cluster("meshtrace:opentelemetry"), ::testing::AllOf(HasSubstr("STRICT_DNS"), HasSubstr(R"("address":"c","portValue":99)"),
                                                                  HasSubstr("http2ProtocolOptions")));
  EXPECT_EQ(resources.clusters.at("meshtrace:opentelemetry").origin, Origin::Trace);
}

TEST_F(MeshTraceTest, Zipkin_has_its_path_and_host_and_splits_spans_of_gateways_only) {
  trace("{backends: [{type: Zipkin, zipkin: {url: 'https://z.example:9411/api/v2', traceId128bit: true, apiVersion: httpProto, "
        "sharedSpanContext: false}}]}");
  apply_all();
  EXPECT_THAT(tracing("outbound"), HasSubstr(R"("collectorCluster":"meshtrace:zipkin","collectorEndpoint":"/api/v2","traceId128bit":true,)"
                                             R"("sharedSpanContext":false,"collectorEndpointVersion":"HTTP_PROTO",)"
                                             R"("collectorHostname":"z.example:9411"})"));
  EXPECT_THAT(tracing("gateway"), HasSubstr(R"("splitSpansForRequest":true)"));
  EXPECT_THAT(cluster("meshtrace:zipkin"), HasSubstr(R"("sni":"z.example")"));
}

TEST_F(MeshTraceTest, Datadog_may_name_a_service_for_each_direction_and_destination) {
  trace("{backends: [{type: Datadog, datadog: {url: 'http://10.0.0.5:8126'}}]}");
  apply_all();
  EXPECT_THAT(tracing("outbound"), HasSubstr(R"("collectorCluster":"meshtrace:datadog","serviceName":"web"})"));
  EXPECT_THAT(cluster("meshtrace:datadog"), HasSubstr(R"("address":"10.0.0.5","portValue":8126)"));
}

TEST_F(MeshTraceTest, Datadog_with_split_services) {
  trace("{backends: [{type: Datadog, datadog: {url: 'http://dd:8126', splitService: true}}]}");
  apply_all();
  EXPECT_THAT(tracing("inbound"), HasSubstr("\"serviceName\":\"web_INBOUND\""));
  EXPECT_THAT(tracing("outbound"), HasSubstr("\"serviceName\":\"web_OUTBOUND_backend\""));
  EXPECT_THAT(tracing("gateway"), HasSubstr("\"serviceName\":\"web_INBOUND\""));
}

TEST_F(MeshTraceTest, Sampling_and_tags_are_set_as_given_and_merged_over_policies) {
  trace("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: c}}], sampling: {overall: 80, client: '12.5'}}", "a");
  trace("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: c}}], sampling: {random: 0}, tags: [{name: team, literal: core}, "
        "{name: env, header: {name: x-env, default: prod}}]}",
        "b");
  apply_all();
  EXPECT_THAT(tracing("inbound"),
              ::testing::StartsWith(R"({"clientSampling":{"value":12.5},"randomSampling":{},"overallSampling":{"value":80},"customTags":)"
                                    R"([{"tag":"team","literal":{"value":"core"}},{"tag":"env","requestHeader":{"name":"x-env",)"
                                    R"("defaultValue":"prod"}}],)"));
  EXPECT_THAT(testing::shaped_by(resources.listeners.at("inbound")), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace kuma::policy::meshtrace
