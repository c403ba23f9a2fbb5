#include "policy/meshaccesslog/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/testing.h"

namespace kuma::policy::meshaccesslog {
namespace {

using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kWhoToWhom[] = "{type: File, file: {path: /log, format: {type: Plain, plain: '%KUMA_SOURCE_SERVICE% to "
                              "%KUMA_DESTINATION_SERVICE% %KUMA_TRAFFIC_DIRECTION% %KUMA_MESH%'}}}";

// On a proxy `web` with an HTTP inbound, an HTTP outbound to `backend` and one to `db` that speaks TCP.
class MeshAccessLogTest : public ::testing::Test {
 protected:
  MeshAccessLogTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put("{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
             "{kuma.io/service: web}}]}}");
    resources.access_log_path = "/pipe";
    Subject inbound = testing::subject("web");
    inbound.address = "10.0.0.1";
    inbound.port = 80;
    add(envoy::inbound_listener_name("10.0.0.1", 80), Origin::Inbound, inbound, http());
    add_outbound("backend", 10001, http());
    add_outbound("db", 10002, tcp());
  }

  static FilterChain http() {
    FilterChain chain;
    envoy::Hcm hcm;
    envoy::add_router(hcm);
    envoy::add_filter(chain, envoy::kHttpConnectionManager, hcm);
    return chain;
  }
  static FilterChain tcp() {
    FilterChain chain;
    envoy::add_filter(chain, envoy::kTcpProxy, envoy::TcpProxy());
    return chain;
  }
  void add(const std::string& name, Origin origin, Subject subject, FilterChain chain, int chains = 1) {
    Listener listener;
    for (int i = 0; i < chains; ++i) {
      *listener.add_filter_chains() = chain;
    }
    ProxyResources::put(resources.listeners, testing::draft_of(name, origin, std::move(subject), listener));
  }
  void add_outbound(const std::string& service, uint32_t port, FilterChain chain) {
    resources.outbounds.push_back({.address = "127.0.0.1", .port = port, .tags = {{"kuma.io/service", service}}});
    add(envoy::outbound_listener_name("127.0.0.1", port), Origin::Outbound, testing::subject(service), std::move(chain));
  }

  void log_to(const std::string& service, const std::string& backends, const std::string& name = "log") {
    const std::string target = service.empty() ? "kind: Mesh" : "kind: MeshService, name: " + service;
    mesh.put("{type: MeshAccessLog, mesh: default, name: " + name + ", spec: {targetRef: {kind: Mesh}, to: [{targetRef: {" + target +
             "}, default: {backends: [" + backends + "]}}]}}");
  }
  std::vector<Problem> apply_all() { return mesh.apply(apply, "web-1", resources); }

  // What the loggers of each chain of a listener are made of, as JSON.
  std::vector<std::string> loggers(const std::string& name) {
    const Listener listener = testing::made(resources.listeners.at(name));
    std::vector<std::string> all;
    for (const FilterChain& chain : listener.filter_chains()) {
      envoy::Hcm hcm;
      envoy::TcpProxy proxy;
      const auto& config = chain.filters(0).typed_config();
      const auto& logs = config.UnpackTo(&hcm) ? hcm.access_log() : (config.UnpackTo(&proxy), proxy.access_log());
      for (const auto& log : logs) {
        all.push_back(testing::json_of(log));
      }
    }
    return all;
  }
  std::vector<std::string> inbound() { return loggers("inbound:10.0.0.1:80"); }
  std::vector<std::string> backend() { return loggers("outbound:127.0.0.1:10001"); }
  std::vector<std::string> db() { return loggers("outbound:127.0.0.1:10002"); }

  testing::Mesh mesh;
  ProxyResources resources;
};

TEST_F(MeshAccessLogTest, A_format_that_older_peers_let_in_is_left_out_with_the_reason_and_the_rest_goes_on) {
  log_to("", kWhoToWhom);
  mesh.put_unchecked("MeshAccessLog", "worse",
                     "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {backends: [{type: File, file: {path: /log, "
                     "format: {type: Plain, plain: '100% x'}}}]}}]}");
  const auto problems = apply_all();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].policy.name, "worse");
  EXPECT_THAT(problems[0].message, HasSubstr("left out: spec.to[0].default.backends[0].file.format.plain: format string is not valid"));
  EXPECT_THAT(backend(), ElementsAre(HasSubstr("web to backend OUTBOUND default")));
}

TEST_F(MeshAccessLogTest, Without_the_pipe_of_a_kuma_dp_logs_over_TCP_are_an_error_that_says_so) {
  resources.access_log_path.clear();
  log_to("", "{type: Tcp, tcp: {address: 'logs:514'}}");
  apply_all();
  EXPECT_THAT([&] { backend(); }, ::testing::ThrowsMessage<std::runtime_error>(
                                      HasSubstr("backends[0]: logs can't be sent over TCP: the proxy's kuma-dp reads none")));
}

TEST_F(MeshAccessLogTest, A_policy_for_others_does_nothing) {
  log_to("elsewhere", kWhoToWhom);
  mesh.put("{type: MeshAccessLog, mesh: default, name: others, spec: {targetRef: {kind: MeshService, name: other}, from: [{targetRef: "
           "{kind: Mesh}, default: {backends: [{type: File, file: {path: /log}}]}}]}}");
  EXPECT_THAT(apply_all(), IsEmpty());
  EXPECT_THAT(inbound(), IsEmpty());
  EXPECT_THAT(backend(), IsEmpty());
  EXPECT_THAT(resources.clusters, IsEmpty());
}

TEST_F(MeshAccessLogTest, An_empty_list_of_a_narrower_target_switches_logging_off_there) {
  log_to("", kWhoToWhom, "all");
  log_to("backend", "", "not-backend");
  apply_all();
  EXPECT_THAT(backend(), IsEmpty());
  EXPECT_THAT(db(), ElementsAre(HasSubstr("web to db")));
}

TEST_F(MeshAccessLogTest, Each_side_has_its_own_names_for_who_and_whom) {
  mesh.put(std::string("{type: MeshAccessLog, mesh: default, name: log, spec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, "
                       "default: {backends: [") + kWhoToWhom + "]}}], from: [{targetRef: {kind: Mesh}, default: {backends: [" + kWhoToWhom + "]}}]}}");
  add("outbound:passthrough:ipv4", Origin::Transparent, Subject(), tcp());
  add("inbound:passthrough:ipv4", Origin::Transparent, Subject(), tcp());
  Subject direct;
  direct.address = "10.0.0.9";
  direct.port = 99;
  add("direct_access_10.0.0.9:99", Origin::DirectAccess, direct, tcp());
  add("gateway", Origin::Gateway, Subject(), http());
  apply_all();
  EXPECT_THAT(inbound(), ElementsAre(HasSubstr("unknown to web INBOUND default\\n")));
  EXPECT_THAT(backend(), ElementsAre(HasSubstr("web to backend OUTBOUND default\\n")));
  EXPECT_THAT(loggers("outbound:passthrough:ipv4"), ElementsAre(HasSubstr("web to external OUTBOUND")));
  EXPECT_THAT(loggers("direct_access_10.0.0.9:99"), ElementsAre(HasSubstr("web to direct_access_10.0.0.9:99 OUTBOUND")));
  EXPECT_THAT(loggers("gateway"), ElementsAre(HasSubstr("web to * OUTBOUND")));
  EXPECT_THAT(loggers("inbound:passthrough:ipv4"), IsEmpty());
}

TEST_F(MeshAccessLogTest, Traffic_that_passes_through_is_a_service_of_that_name) {
  add("outbound:passthrough:ipv4", Origin::Transparent, Subject(), tcp());
  log_to("pass_through", kWhoToWhom);
  apply_all();
  EXPECT_THAT(loggers("outbound:passthrough:ipv4"), ElementsAre(HasSubstr("web to external")));
  EXPECT_THAT(backend(), IsEmpty());
}

TEST_F(MeshAccessLogTest, Without_a_format_lines_are_those_of_the_protocol) {
  log_to("", "{type: File, file: {path: /log}}");
  apply_all();
  EXPECT_THAT(backend(), ElementsAre(HasSubstr("%REQ(:method)%")));
  EXPECT_THAT(db(), ElementsAre(HasSubstr("(db) took %DURATION%ms")));
}

TEST_F(MeshAccessLogTest, Every_backend_is_on_every_chain_in_order) {
  add("outbound:127.0.0.1:10001", Origin::Outbound, testing::subject("backend"), http(), 2);
  log_to("backend", "{type: File, file: {path: /one}}, {type: File, file: {path: /two}}");
  apply_all();
  EXPECT_THAT(backend(), ElementsAre(HasSubstr("/one"), HasSubstr("/two"), HasSubstr("/one"), HasSubstr("/two")));
}

TEST_F(MeshAccessLogTest, A_line_over_TCP_has_its_address_beside_it) {
  log_to("db", "{type: Tcp, tcp: {address: 'logs:514', format: {type: Plain, plain: said}}}, {type: Tcp, tcp: {address: 'logs:515', "
               "format: {type: Json, omitEmptyValues: true, json: [{key: mesh, value: '%KUMA_MESH%'}, {key: other, value: "
               "'%KUMA_UNKNOWN%'}]}}}");
  apply_all();
  const auto lines = db();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr(R"("path":"/pipe","logFormat":{"jsonFormat":{"address":"logs:514","message":"said\n"}})"));
  EXPECT_THAT(lines[1], HasSubstr(R"({"address":"logs:515","message":{"mesh":"default","other":""}},"omitEmptyValues":true})"));
}

TEST_F(MeshAccessLogTest, A_collector_has_one_cluster_numbered_as_it_is_first_needed) {
  log_to("", "{type: OpenTelemetry, openTelemetry: {endpoint: 'b.example:99'}}", "all");
  log_to("db", "{type: OpenTelemetry, openTelemetry: {endpoint: 10.0.0.7}}, {type: OpenTelemetry, openTelemetry: {endpoint: "
               "'b.example:99'}}",
         "db");
  apply_all();
  EXPECT_THAT(backend(), ElementsAre(HasSubstr("\"clusterName\":\"meshaccesslog:opentelemetry:0\"")));
  EXPECT_THAT(db(), ElementsAre(HasSubstr("meshaccesslog:opentelemetry:1"), HasSubstr("meshaccesslog:opentelemetry:0")));
  ASSERT_EQ(resources.clusters.size(), 2U);
  const auto& second = resources.clusters.at("meshaccesslog:opentelemetry:1");
  EXPECT_EQ(second.origin, Origin::AccessLog);
  EXPECT_THAT(testing::json_of(testing::made(second)), HasSubstr(R"("address":"10.0.0.7","portValue":4317)"));
}

TEST_F(MeshAccessLogTest, A_body_is_filled_in_and_attributes_stay_as_they_are) {
  log_to("db", "{type: OpenTelemetry, openTelemetry: {endpoint: c, attributes: [{key: mesh, value: '%KUMA_MESH%'}], body: {kvlistValue: "
               "{values: [{key: '%KUMA_MESH%', value: {arrayValue: {values: [{stringValue: '%KUMA_DESTINATION_SERVICE%'}]}}}]}}}}, "
               "{type: OpenTelemetry, openTelemetry: {endpoint: c, body: 'just %KUMA_MESH%'}}");
  apply_all();
  const auto lines = db();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr(R"({"key":"default","value":{"arrayValue":{"values":[{"stringValue":"db"}]}}})"));
  EXPECT_THAT(lines[0], HasSubstr(R"("attributes":{"values":[{"key":"mesh","value":{"stringValue":"%KUMA_MESH%"}}]})"));
  EXPECT_THAT(lines[1], HasSubstr(R"("body":{"stringValue":"\"just default\""})")) << "other values are their JSON as text";
}

}  // namespace
}  // namespace kuma::policy::meshaccesslog
