#include "xds/bootstrap/handler.h"

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "security/authority.h"
#include "store/memory_store.h"

namespace kuma::bootstrap {
namespace {

constexpr const char* kMesh = "{type: Mesh, name: default}";
constexpr const char* kElm =
    "{type: Dataplane, mesh: default, name: elm-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
    "{kuma.io/service: elm}}]}}";

std::string certificate(bool is_ca) {
  const security::CertificateSpec spec{.names = {security::host_name("127.0.0.1"), security::host_name("localhost"),
                                                 security::host_name("cp.example.com"), security::host_name("::1")},
                                       .is_ca = is_ca,
                                       .server_auth = true,
                                       .not_before = WallTime(std::chrono::seconds(1'700'000'000)),
                                       .not_after = WallTime(std::chrono::seconds(2'000'000'000))};
  return *security::build_certificate(spec, *security::PrivateKey::generate_ec());
}

class BootstrapHandler : public testing::Test {
 protected:
  BootstrapHandler() {
    config_.dp_server.authn.dp_proxy.type = "none";
    config_.dp_server.authn.zone_proxy.type = "none";
    config_.bootstrap_server.xds_port = 5678;
    put(kMesh);
    put(kElm);
  }

  void put(const std::string& yaml) {
    auto parsed = model::from_rest(registry_, *parse_yaml(yaml));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_TRUE(store_->create(std::move(parsed->resource)).ok());
  }

  net::HttpResponse send(json::object request, const std::string& host = "127.0.0.1:5678",
                         const std::string& accept = "application/json") {
    net::HttpRequest http{.method = "POST", .target = "/bootstrap", .body = to_json(request)};
    http.headers.add("host", host);
    http.headers.add("accept", accept);
    return handle_bootstrap(http, parts());
  }

  HandlerParts parts() {
    return {.config = config_,
            .registry = registry_,
            .store = *store_,
            .certificate_pem = certificate_,
            .has_ipv6 = [](const std::string& host) { return host == "cp.example.com"; },
            .run_on_worker = [](const std::function<void()>& work) {
              work();
              return true;
            }};
  }

  // The Envoy configuration in an answer, as JSON.
  json::value config_of(const net::HttpResponse& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    const auto answer = parse_json(response.body);
    EXPECT_TRUE(answer.ok()) << response.body;
    const auto config = parse_yaml(*base64_decode(find(*answer, "bootstrap")->get_string()));
    EXPECT_TRUE(config.ok()) << config.status();
    return *config;
  }

  void expect_refused(const net::HttpResponse& response, int status, std::string_view text) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, text);
  }

  const model::Registry registry_{model::core_types()};
  ManualClock clock_;
  const std::unique_ptr<store::Store> store_ = store::make_memory_store(registry_, clock_);
  config::Config config_;
  std::string certificate_ = certificate(true);
};

TEST_F(BootstrapHandler, Refuses_a_body_that_is_no_request_with_400_and_says_nothing) {
  net::HttpRequest http{.method = "GET", .target = "/bootstrap"};
  expect_refused(handle_bootstrap(http, parts()), 400, "");
  http.body = R"({"name": 1})";
  expect_refused(handle_bootstrap(http, parts()), 400, "");
}

TEST_F(BootstrapHandler, Refuses_a_proxy_without_a_token_when_tokens_are_required) {
  constexpr std::string_view kText =
      "Dataplane Token is required. Generate token using 'kumactl generate dataplane-token > /path/file' and provide it "
      "via --dataplane-token-file=/path/file argument to Kuma DP";
  config_.dp_server.authn.dp_proxy.type = "dpToken";
  expect_refused(send({{"mesh", "default"}, {"name", "elm-1"}}), 422, kText);
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}, {"dataplaneToken", "t"}}).status, 200);
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}, {"dataplaneTokenPath", "/t"}}).status, 200);
  config_.dp_server.authn.zone_proxy.type = "zoneToken";
  expect_refused(send({{"name", "out-1"}, {"proxyType", "egress"}}), 422, kText);
}

TEST_F(BootstrapHandler, Refuses_a_host_that_is_not_in_the_certificate_and_lists_what_is) {
  const auto response = send({{"mesh", "default"}, {"name", "elm-1"}}, "other.example.com:5678");
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.body.starts_with(
      "A data plane proxy is trying to connect to the control plane using \"other.example.com\" address, but the "
      "certificate in the control plane has the following SANs [\"127.0.0.1\" \"::1\" \"cp.example.com\" \"localhost\"]. "
      "Either change the --cp-address in kuma-dp to one of those or execute the following steps:\n1) "))
      << response.body;
  EXPECT_TRUE(response.body.ends_with("\n3) Restart the control plane to read the new certificate and start kuma-dp."));
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}}, "[::1]:5678").status, 200);
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}}, "localhost").status, 200);
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}}, "").status, 400);
}

TEST_F(BootstrapHandler, Refuses_an_unknown_proxy_with_an_empty_404) {
  expect_refused(send({{"mesh", "default"}, {"name", "nobody"}}), 404, "");
  expect_refused(send({{"mesh", "elsewhere"}, {"name", "elm-1"}}), 404, "");
  expect_refused(send({{"name", "in-1"}, {"proxyType", "ingress"}}), 404, "");
}

TEST_F(BootstrapHandler, Answers_500_without_a_body_to_what_no_kuma_dp_would_send) {
  expect_refused(send({{"mesh", "default"}, {"name", "elm-1"}, {"proxyType", "gateway"}}), 500, "");
  expect_refused(send({{"mesh", "default"}, {"name", "elm-1"}, {"caCert", "no certificate"}}), 500, "");
  expect_refused(send({{"mesh", "default"}, {"name", "elm-1"}, {"dataplaneResource", "just text"}}), 500, "");
  expect_refused(send({{"name", "in-1"},
                       {"proxyType", "ingress"},
                       {"dataplaneResource", "{type: ZoneEgress, name: in-1, networking: {address: 10.0.0.2, port: 1}}"}}),
                 500, "");
}

TEST_F(BootstrapHandler, Says_what_is_wrong_with_a_resource) {
  const auto send_resource = [&](const std::string& name, const std::string& networking, const std::string& mesh = "default") {
    return send({{"mesh", mesh},
                 {"name", name},
                 {"dataplaneResource",
                  fmt::format("{{type: Dataplane, mesh: {}, name: {}, networking: {}}}", mesh, name, networking)}});
  };
  expect_refused(send_resource("elm-2", "{address: 10.0.0.2, inbound: [{port: 0, tags: {version: v1}}]}"), 422,
                 "networking.inbound[0].port: port must be in the range [1, 65535]; "
                 "networking.inbound[0].tags[\"kuma.io/service\"]: tag has to exist");
  expect_refused(send_resource("elm-2", "{address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: elm}}], outbound: "
                                        "[{port: 81, tags: {kuma.io/service: elm}}], transparentProxying: "
                                        "{redirectPortInbound: 15006, redirectPortOutbound: 15001}}"),
                 422, "outbound: should be empty since dataplane is in Transparent Proxying mode");
  expect_refused(send_resource("elm-2", "{address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: elm}}]}", "nomesh"),
                 422, "mesh: mesh \"nomesh\" does not exist");
}

TEST_F(BootstrapHandler, Refuses_a_certificate_that_is_none_of_a_ca) {
  const auto response = send({{"mesh", "default"}, {"name", "elm-1"}, {"caCert", certificate(false)}});
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.body.starts_with("A data plane proxy is trying to verify the control plane using the certificate which"));
  certificate_ = certificate(false);
  EXPECT_EQ(send({{"mesh", "default"}, {"name", "elm-1"}}).status, 400);
}

TEST_F(BootstrapHandler, Answers_old_clients_with_the_bare_yaml) {
  const auto response = send({{"mesh", "default"}, {"name", "elm-1"}}, "127.0.0.1:5678", "*/*");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("content-type"), "text/x-yaml");
  EXPECT_EQ(parse_yaml(response.body)->at("node").at("id"), "default.elm-1");
}

TEST_F(BootstrapHandler, Fills_in_what_kuma_dp_leaves_out) {
  const json::value config = config_of(send({{"mesh", "default"}, {"name", "elm-1"}, {"version", json::object()}}));
  EXPECT_EQ(to_json(config.at("node")),
            R"({"id":"default.elm-1","cluster":"elm","metadata":{"version":{"kumaDp":{},"envoy":{}},"features":[],)"
            R"("accessLogSocketPath":"/tmp/kuma-al-elm-1-default.sock","metricsSocketPath":"/tmp/kuma-mh-elm-1-default.sock",)"
            R"("metricsCertPath":"","metricsKeyPath":"","dataplane.admin.port":"9901","dataplane.admin.address":"127.0.0.1",)"
            R"("dataplane.proxyType":"dataplane"}})");
  EXPECT_FALSE(config.at("dynamicResources").at("adsConfig").at("grpcServices").at(0).as_object().contains("initialMetadata"));
  EXPECT_TRUE(config.as_object().contains("hdsConfig"));
}

TEST_F(BootstrapHandler, Cuts_socket_paths_that_would_be_too_long) {
  const std::string name(90, 'n');
  put(fmt::format("{{type: Dataplane, mesh: default, name: {}, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: "
                  "{{kuma.io/service: elm}}}}]}}}}", name));
  const json::value config = config_of(send({{"mesh", "default"}, {"name", name}}));
  const std::string path(config.at("node").at("metadata").at("accessLogSocketPath").as_string());
  EXPECT_EQ(path.size(), 98U + 5U);
  EXPECT_TRUE(path.starts_with("/tmp/kuma-al-nnnn") && path.ends_with("-defa.sock") == false) << path;
}

TEST_F(BootstrapHandler, Puts_the_token_where_envoy_sends_it) {
  const json::value config = config_of(send({{"mesh", "default"}, {"name", "elm-1"}, {"dataplaneToken", "token-of-elm"}}));
  constexpr const char* kService =
      R"({"envoyGrpc":{"clusterName":"ads_cluster"},"initialMetadata":[{"key":"authorization","value":"token-of-elm"}]})";
  EXPECT_EQ(to_json(config.at("dynamicResources").at("adsConfig").at("grpcServices").at(0)), kService);
  EXPECT_EQ(to_json(config.at("hdsConfig").at("grpcServices").at(0)), kService);
}

TEST_F(BootstrapHandler, Lets_googles_client_read_reloadable_tokens) {
  config_.dp_server.authn.enable_reloadable_tokens = true;
  const json::value config = config_of(send({{"mesh", "default"}, {"name", "elm-1"}, {"dataplaneTokenPath", "/run/token"}}));
  const json::value& google = config.at("dynamicResources").at("adsConfig").at("grpcServices").at(0).at("googleGrpc");
  EXPECT_EQ(google.at("targetUri"), "127.0.0.1:5678");
  EXPECT_EQ(google.at("callCredentials").at(0).at("fromPlugin").at("typedConfig").at("secretData").at("filename"), "/run/token");
  EXPECT_EQ(config.at("staticResources").at("clusters").as_array().size(), 1U);
}

TEST_F(BootstrapHandler, Names_zone_proxies_without_a_mesh) {
  const json::value config = config_of(
      send({{"mesh", "ignored"},
            {"name", "in-1"},
            {"proxyType", "ingress"},
            {"dataplaneResource",
             "{type: ZoneIngress, name: in-1, networking: {address: 10.0.0.2, port: 10001, admin: {port: 9911}}}"}}));
  EXPECT_EQ(config.at("node").at("id"), ".in-1");
  EXPECT_EQ(config.at("node").at("cluster"), "ingress");
  EXPECT_EQ(config.at("admin").at("address").at("socketAddress").at("portValue"), 9911);
  EXPECT_FALSE(config.as_object().contains("hdsConfig"));
}

TEST_F(BootstrapHandler, Chooses_how_the_control_planes_name_is_looked_up) {
  const auto ads_cluster = [&](const std::string& host) {
    const json::value config = config_of(send({{"mesh", "default"}, {"name", "elm-1"}}, host));
    return config.at("staticResources").at("clusters").at(1).as_object();
  };
  EXPECT_EQ(ads_cluster("127.0.0.1:5678").at("type"), "STATIC");
  EXPECT_EQ(ads_cluster("cp.example.com:5678").at("type"), "STRICT_DNS");
  EXPECT_FALSE(ads_cluster("cp.example.com:5678").contains("dnsLookupFamily"));
  EXPECT_FALSE(ads_cluster("localhost:5678").contains("dnsLookupFamily"));
  config_.bootstrap_server.xds_host = "v4.example.com";
  EXPECT_EQ(ads_cluster("127.0.0.1:5678").at("dnsLookupFamily"), "V4_ONLY");
}

TEST_F(BootstrapHandler, Tells_kuma_dp_which_applications_have_metrics) {
  ASSERT_TRUE(store_->remove(*registry_.find("Dataplane"), {"default", "elm-1"}).ok());
  put(R"({type: Mesh, name: shop, metrics: {enabledBackend: prom, backends: [{name: prom, type: prometheus, conf: {aggregate: [
         {name: app, port: 8080, path: /metrics}, {name: sidekick, address: 127.0.0.1, port: 9200, path: /stats},
         {name: unused, port: 9999, enabled: false}]}}]}})");
  put(R"({type: Dataplane, mesh: shop, name: fern-1,
          metrics: {type: prometheus, conf: {aggregate: [{name: app, port: 8081, path: /own}, {name: extra, port: 8090}]}},
          networking: {address: 10.29.5.1, inbound: [{port: 80, tags: {kuma.io/service: fern}}],
                       transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}}})");
  const auto answer = parse_json(send({{"mesh", "shop"}, {"name", "fern-1"}}).body);
  EXPECT_EQ(to_json(answer->at("kumaSidecarConfiguration")),
            R"({"networking":{"isUsingTransparentProxy":true},"metrics":{"aggregate":[)"
            R"({"name":"app","address":"10.29.5.1","port":8081,"path":"/own"},)"
            R"({"name":"extra","address":"10.29.5.1","port":8090,"path":""},)"
            R"({"name":"sidekick","address":"127.0.0.1","port":9200,"path":"/stats"}]}})");
}

// Envoy reads the bootstrap strictly: every name and kind of value has to be one of its API's.
TEST_F(BootstrapHandler, Says_nothing_that_envoys_api_does_not_know) {
  put("{type: Dataplane, mesh: default, name: edge-1, networking: {address: 10.0.0.3, gateway: {type: BUILTIN, tags: "
      "{kuma.io/service: edge}}}}");
  // Descriptors that are linked in can be read in an Any.
  namespace extensions = envoy::extensions;
  ASSERT_NE(extensions::access_loggers::file::v3::FileAccessLog::descriptor(), nullptr);
  ASSERT_NE(extensions::resource_monitors::fixed_heap::v3::FixedHeapConfig::descriptor(), nullptr);
  ASSERT_NE(extensions::transport_sockets::tls::v3::UpstreamTlsContext::descriptor(), nullptr);
  ASSERT_NE(extensions::upstreams::http::v3::HttpProtocolOptions::descriptor(), nullptr);
  for (const bool reloadable : {false, true}) {
    config_.dp_server.authn.enable_reloadable_tokens = reloadable;
    json::value config = config_of(send({{"mesh", "default"},
                                               {"name", "edge-1"},
                                               {"dataplaneToken", "t"},
                                               {"dataplaneTokenPath", "/t"},
                                               {"resources", {{"maxHeapSizeBytes", 268435456}}},
                                               {"dynamicMetadata", {{"room", "42"}}}}));
    if (reloadable) {  // the one type that we have no descriptor of
      for (json::value* source : {&config.at("hdsConfig"), &config.at("dynamicResources").at("adsConfig")}) {
        json::value& google = source->at("grpcServices").at(0).at("googleGrpc");
        google.at("callCredentials").at(0).at("fromPlugin").as_object().erase("typedConfig");
      }
    }
    envoy::config::bootstrap::v3::Bootstrap bootstrap;
    const auto status = google::protobuf::util::JsonStringToMessage(to_json(config), &bootstrap);
    ASSERT_TRUE(status.ok()) << status << to_json(config);
    EXPECT_EQ(bootstrap.overload_manager().actions_size(), 2);
    EXPECT_EQ(bootstrap.layered_runtime().layers_size(), 3);
    EXPECT_EQ(bootstrap.node().metadata().fields().at("dynamicMetadata").struct_value().fields().at("room").string_value(), "42");
  }
}

TEST_F(BootstrapHandler, Answers_404_to_other_paths) {
  const net::HttpHandler handler = make_http_handler(parts());
  class Recorder final : public net::HttpResponder::Impl {
   public:
    explicit Recorder(net::HttpResponse& out) : out_(out) {}
    void send(net::HttpResponse response) override { out_ = std::move(response); }

   private:
    net::HttpResponse& out_;
  };
  net::HttpResponse response;
  handler({.method = "GET", .target = "/meshes"}, net::HttpResponder(std::make_unique<Recorder>(response)));
  expect_refused(response, 404, "404 page not found\n");
  handler({.method = "GET", .target = "/bootstrap?x=1"}, net::HttpResponder(std::make_unique<Recorder>(response)));
  expect_refused(response, 400, "");
}

TEST_F(BootstrapHandler, Refuses_to_start_with_an_xds_host_that_is_not_in_the_certificate) {
  EXPECT_TRUE(check_xds_host(config_, certificate_).ok());
  config_.bootstrap_server.xds_host = "localhost";
  EXPECT_TRUE(check_xds_host(config_, certificate_).ok());
  config_.bootstrap_server.xds_host = "elsewhere";
  EXPECT_EQ(message_of(check_xds_host(config_, certificate_)),
            "hostname: elsewhere set by KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST is not available in the DP Server certificate. "
            "Available hostnames: [127.0.0.1 ::1 cp.example.com localhost]. Change the hostname or generate certificate with "
            "proper hostname.");
}

}  // namespace
}  // namespace kuma::bootstrap
