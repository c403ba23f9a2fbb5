#include "manager/mesh_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "manager/mesh_authorities.h"
#include "manager/testing.h"
#include "security/authority.h"

namespace kuma::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::ManagerHarness;
using testing::text_of;

constexpr std::string_view kBuiltin =
    "{type: Mesh, name: shop, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}";

class MeshSetupTest : public ::testing::Test {
 protected:
  std::string put(std::string_view yaml) { return text_of(harness_.put(yaml)); }
  std::string mtls(std::string_view backend, std::string_view name = "a") {
    return put(fmt::format("{{type: Mesh, name: m1, mtls: {{enabledBackend: {}, backends: [{}]}}}}", name, backend));
  }
  std::string secret(const std::string& name) { return harness_.manager->secrets().get({"shop", name}).value_or(""); }

  ManagerHarness harness_;
};

// ---- what is refused

TEST_F(MeshSetupTest, Refuses_unknown_types_of_backends_even_with_validation_skipped) {
  constexpr std::string_view kUnknown = "mtls.backends[0].type: could not find installed plugin for this type";
  EXPECT_EQ(mtls("{name: a, type: vault}"), kUnknown);
  EXPECT_EQ(mtls("{name: a}"), kUnknown);
  EXPECT_EQ(put("{type: Mesh, name: m1, mtls: {skipValidation: true, enabledBackend: a, backends: [{name: a, type: zzz}]}}"),
            kUnknown);
  EXPECT_THAT(harness_.names("Mesh"), IsEmpty());
}

TEST_F(MeshSetupTest, Refuses_names_that_can_not_be_a_secrets) {
  EXPECT_EQ(mtls("{name: A_B, type: builtin}", "A_B"),
            "mtls.backends[0].conf.mtls.backends.name: \"A_B\" name must be valid dns name");
  const std::string long_name(240, 'a');
  EXPECT_EQ(mtls(fmt::format("{{name: {}, type: builtin}}", long_name), long_name),
            "mtls.backends[0].conf.mtls.backends.name: Backend name is too long. Max length: 255");
  EXPECT_EQ(mtls("{name: a-, type: builtin}", "a-"),
            "mtls.backends[0].conf.mtls.backends.name: \"a-\" name must be valid dns name");
}

TEST_F(MeshSetupTest, Refuses_settings_of_a_builtin_authority_that_make_no_sense) {
  EXPECT_THAT(mtls("{name: a, type: builtin, conf: {caCert: hello}}"),
              StartsWith("mtls.backends[0].conf: could not convert backend config: "));
  EXPECT_EQ(mtls("{name: a, type: builtin, conf: {caCert: {RSAbits: 65536}}}"),
            "mtls.backends[0].conf.caCert.RSAbits: must be in the range [1024, 8192]");
  EXPECT_EQ(mtls("{name: a, type: builtin, conf: {caCert: {RSAbits: 512}}}"),
            "mtls.backends[0].conf.caCert.RSAbits: must be in the range [1024, 8192]");
  EXPECT_EQ(mtls("{name: a, type: builtin, conf: {caCert: {expiration: soon}}}"),
            "mtls.backends[0].conf.caCert.expiration: has to be a valid format");
}

TEST_F(MeshSetupTest, Refuses_provided_authorities_without_their_parts) {
  EXPECT_EQ(mtls("{name: a, type: provided}"),
            "mtls.backends[0].conf.cert: has to be defined; mtls.backends[0].conf.key: has to be defined");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {secret: x}}}"), "mtls.backends[0].conf.key: has to be defined");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {}, key: {}}}"),
            "mtls.backends[0].conf.cert: data source has to be chosen. Available sources: secret, file, inline; "
            "mtls.backends[0].conf.key: data source has to be chosen. Available sources: secret, file, inline");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {secret: ''}, key: {inline: ''}}}"),
            "mtls.backends[0].conf.cert.secret: cannot be empty; mtls.backends[0].conf.key.inline: cannot be empty");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {file: ''}, key: {inlineString: ''}}}"),
            "mtls.backends[0].conf.cert.file: cannot be empty; mtls.backends[0].conf.key.inlineString: cannot be empty");
  EXPECT_THAT(mtls("{name: a, type: provided, conf: {cert: 17, key: {secret: x}}}"),
              StartsWith("mtls.backends[0].conf: could not convert backend config: "));
}

TEST_F(MeshSetupTest, Refuses_provided_authorities_that_can_not_be_loaded) {
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {secret: x}, key: {secret: y}}}"),
            "mtls.backends[0].conf.cert: could not load data: Resource not found: type=\"Secret\" name=\"y\" mesh=\"m1\"; "
            "mtls.backends[0].conf.key: could not load data: Resource not found: type=\"Secret\" name=\"y\" mesh=\"m1\"");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {secret: x}, key: {file: /does/not/exist}}}"),
            "mtls.backends[0].conf.cert: could not load data: the file /does/not/exist does not exist or is no regular file; "
            "mtls.backends[0].conf.key: could not load data: the file /does/not/exist does not exist or is no regular file");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {inlineString: hello}, key: {file: /dev/zero}}}"),
            "mtls.backends[0].conf.cert: could not load data: the file /dev/zero does not exist or is no regular file; "
            "mtls.backends[0].conf.key: could not load data: the file /dev/zero does not exist or is no regular file");
  EXPECT_EQ(mtls("{name: a, type: provided, conf: {cert: {inlineString: hello}, key: {inlineString: world}}}"),
            "mtls.backends[0].conf.cert: not a valid TLS key pair: tls: failed to find any PEM data in certificate input");
}

TEST_F(MeshSetupTest, Takes_a_provided_authority_from_files) {
  const security::PrivateKey& key = security::testing::rsa_key();
  const std::string path = ::testing::TempDir() + "authority.pem";
  std::ofstream(path) << *security::build_mesh_ca("m1", key, security::kCaLifetime, harness_.clock.wall_now())
                      << key.to_pem();
  EXPECT_EQ(mtls(fmt::format("{{name: a, type: provided, conf: {{cert: {{file: {0}}}, key: {{file: {0}}}}}}}", path)), "");
}

TEST_F(MeshSetupTest, Takes_a_provided_authority_from_inline_data_and_secrets) {
  const security::PrivateKey& key = security::testing::rsa_key();
  const std::string certificate = *security::build_mesh_ca("m1", key, security::kCaLifetime, harness_.clock.wall_now());
  put(fmt::format("{{type: Secret, mesh: m1, name: key, data: {}}}", base64_encode(key.to_pem())));
  EXPECT_EQ(mtls(fmt::format("{{name: a, type: provided, conf: {{cert: {{inline: {}}}, key: {{secret: key}}}}}}",
                             base64_encode(certificate))),
            "");
}

TEST_F(MeshSetupTest, Skips_the_checks_of_backends_when_told_so) {
  EXPECT_EQ(put("{type: Mesh, name: m1, mtls: {skipValidation: true, enabledBackend: a, backends: [{name: a, type: provided, "
                "conf: {cert: {secret: x}, key: {secret: y}}}]}}"),
            "");
}

TEST_F(MeshSetupTest, Refuses_another_authority_while_mtls_is_on) {
  EXPECT_EQ(mtls("{name: a, type: builtin}"), "");
  EXPECT_EQ(mtls("{name: b, type: builtin}", "b"),
            "mtls.enabledBackend: Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA");
  EXPECT_EQ(put("{type: Mesh, name: m1, mtls: {backends: [{name: b, type: builtin}]}}"), "");
  EXPECT_EQ(mtls("{name: b, type: builtin}", "b"), "");
  EXPECT_EQ(harness_.names("Secret"),
            (std::vector<std::string>{"m1/dataplane-token-signing-key-m1-1", "m1/m1.ca-builtin-cert-a", "m1/m1.ca-builtin-cert-b",
                                      "m1/m1.ca-builtin-key-a", "m1/m1.ca-builtin-key-b"}));
}

// ---- what comes with a mesh

TEST_F(MeshSetupTest, Brings_policies_and_a_signing_key) {
  EXPECT_EQ(put("{type: Mesh, name: m1}"), "");
  EXPECT_EQ(harness_.get("TrafficPermission", {"m1", "allow-all-m1"}),
            R"({"destinations":[{"match":{"kuma.io/service":"*"}}],"mesh":"m1","name":"allow-all-m1",)"
            R"("sources":[{"match":{"kuma.io/service":"*"}}],"type":"TrafficPermission"})");
  EXPECT_THAT(harness_.get("TrafficRoute", {"m1", "route-all-m1"}),
              HasSubstr(R"("conf":{"destination":{"kuma.io/service":"*"},"loadBalancer":{"roundRobin":{}}})"));
  EXPECT_THAT(harness_.get("Timeout", {"m1", "timeout-all-m1"}),
              HasSubstr(R"("conf":{"connectTimeout":"5s","http":{"idleTimeout":"3600s","requestTimeout":"15s",)"
                        R"("streamIdleTimeout":"1800s"},"tcp":{"idleTimeout":"3600s"}})"));
  EXPECT_THAT(harness_.get("CircuitBreaker", {"m1", "circuit-breaker-all-m1"}),
              HasSubstr(R"("conf":{"thresholds":{"maxConnections":1024,"maxPendingRequests":1024,"maxRequests":1024,)"
                        R"("maxRetries":3}})"));
  EXPECT_THAT(harness_.get("Retry", {"m1", "retry-all-m1"}),
              HasSubstr(R"("conf":{"grpc":{"backOff":{"baseInterval":"0.025s","maxInterval":"0.250s"},"numRetries":5,)"
                        R"("perTryTimeout":"16s"},"http":{"backOff":{"baseInterval":"0.025s","maxInterval":"0.250s"},)"
                        R"("numRetries":5,"perTryTimeout":"16s"},"tcp":{"maxConnectAttempts":5}})"));
  EXPECT_THAT(harness_.manager->secrets().get({"m1", "dataplane-token-signing-key-m1-1"}).value_or(""),
              StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
  EXPECT_THAT(harness_.names("Config"), IsEmpty());
}

TEST_F(MeshSetupTest, Leaves_out_the_policies_that_are_to_be_skipped) {
  EXPECT_EQ(put("{type: Mesh, name: none, skipCreatingInitialPolicies: ['*']}"), "");
  EXPECT_EQ(put("{type: Mesh, name: some, skipCreatingInitialPolicies: [TrafficRoute, CircuitBreaker, Nonsense]}"), "");
  EXPECT_THAT(harness_.names("TrafficPermission"), ElementsAre("some/allow-all-some"));
  EXPECT_THAT(harness_.names("TrafficRoute"), IsEmpty());
  EXPECT_THAT(harness_.names("CircuitBreaker"), IsEmpty());
  EXPECT_THAT(harness_.names("Retry"), ElementsAre("some/retry-all-some"));
  EXPECT_THAT(harness_.names("Secret"), ElementsAre("none/dataplane-token-signing-key-none-1",
                                                    "some/dataplane-token-signing-key-some-1"));
}

TEST_F(MeshSetupTest, Never_brings_back_what_a_user_has_deleted) {
  put("{type: Mesh, name: m1}");
  EXPECT_TRUE(harness_.remove("Retry", {"m1", "retry-all-m1"}).ok());
  EXPECT_TRUE(harness_.remove("Secret", {"m1", "dataplane-token-signing-key-m1-1"}).ok());
  put("{type: Mesh, name: m1, routing: {localityAwareLoadBalancing: true}}");
  harness_.restart();
  EXPECT_TRUE(harness_.manager->mesh_setup().complete_unfinished().ok());
  harness_.executor->run_all();
  EXPECT_THAT(harness_.names("Retry"), IsEmpty());
  EXPECT_THAT(harness_.names("Secret"), IsEmpty());
}

TEST_F(MeshSetupTest, Makes_an_authority_that_signs_and_keeps_it) {
  EXPECT_EQ(put(kBuiltin), "");
  const std::string certificate = secret("shop.ca-builtin-cert-ca");
  const std::string key = secret("shop.ca-builtin-key-ca");
  EXPECT_THAT(key, StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
  EXPECT_TRUE(security::Authority::load(certificate, key).ok());
  EXPECT_THAT(security::testing::print(security::testing::parse_one(certificate)), HasSubstr("Subject: CN=shop,OU=Mesh,O=Kuma"));
  EXPECT_EQ(put(kBuiltin), "");
  EXPECT_EQ(secret("shop.ca-builtin-cert-ca"), certificate);
}

TEST_F(MeshSetupTest, Makes_an_authority_of_the_size_and_life_asked_for) {
  EXPECT_EQ(put("{type: Mesh, name: shop, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin, conf: {caCert: "
                "{RSAbits: 1056, expiration: 10h}}}]}}"),
            "");
  const auto certificate = security::testing::parse_one(secret("shop.ca-builtin-cert-ca"));
  EXPECT_EQ(certificate.not_after(), harness_.clock.wall_now() + std::chrono::hours(10));
  EXPECT_THAT(security::testing::print(certificate), HasSubstr("(1056 bit)"));
}

TEST_F(MeshSetupTest, Completes_half_of_an_authority_on_the_next_write) {
  put(kBuiltin);
  const std::string key = secret("shop.ca-builtin-key-ca");
  harness_.options.unsafe_delete = true;
  harness_.restart();
  EXPECT_TRUE(harness_.remove("Secret", {"shop", "shop.ca-builtin-cert-ca"}).ok());
  EXPECT_EQ(put(kBuiltin), "");
  EXPECT_EQ(secret("shop.ca-builtin-key-ca"), key);
  EXPECT_TRUE(security::Authority::load(secret("shop.ca-builtin-cert-ca"), key).ok());

  EXPECT_TRUE(harness_.remove("Secret", {"shop", "shop.ca-builtin-key-ca"}).ok());
  EXPECT_EQ(put(kBuiltin), "");
  EXPECT_TRUE(security::Authority::load(secret("shop.ca-builtin-cert-ca"), secret("shop.ca-builtin-key-ca")).ok());
}

TEST_F(MeshSetupTest, Says_so_when_a_stored_key_is_no_key) {
  put("{type: Secret, mesh: shop, name: shop.ca-builtin-key-ca, data: eA==}");
  EXPECT_EQ(put(kBuiltin),
            "mesh shop is stored, but not all that comes with it: certificate authority \"ca\" of mesh shop: the secret "
            "\"shop.ca-builtin-key-ca\" is not a private key; delete it to have a new one made");
}

// ---- defaults in the mesh itself

TEST_F(MeshSetupTest, Fills_in_the_settings_of_metrics) {
  const auto conf_of = [&](std::string_view conf) {
    EXPECT_EQ(put(fmt::format("{{type: Mesh, name: m1, metrics: {{enabledBackend: p, backends: [{{name: p, type: prometheus{}}}]}}}}",
                              conf)),
              "");
    const json::value mesh = *parse_json(harness_.get("Mesh", {"", "m1"}));
    return to_json(mesh.at("metrics").at("backends").at(0).at("conf"));
  };
  EXPECT_EQ(conf_of(""), R"({"path":"/metrics","port":5670,"tags":{"kuma.io/service":"dataplane-metrics"},"tls":{}})");
  EXPECT_EQ(conf_of(", conf: {skipMTLS: true, port: 1, path: /x, tags: {a: b}}"),
            R"({"path":"/x","port":1,"skipMTLS":true,"tags":{"a":"b"},"tls":{"mode":"disabled"}})");
  EXPECT_EQ(conf_of(", conf: {skipMTLS: false}"),
            R"({"path":"/metrics","port":5670,"skipMTLS":false,"tags":{"kuma.io/service":"dataplane-metrics"},"tls":{}})");
  EXPECT_EQ(conf_of(", conf: {skipMTLS: true, tls: {mode: disabled}}"),
            R"({"path":"/metrics","port":5670,"skipMTLS":true,"tags":{"kuma.io/service":"dataplane-metrics"},)"
            R"("tls":{"mode":"disabled"}})");
  EXPECT_EQ(conf_of(", conf: {tls: {mode: providedTLS}}"),
            R"({"path":"/metrics","port":5670,"tags":{"kuma.io/service":"dataplane-metrics"},"tls":{"mode":"providedTLS"}})");
}

// ---- interrupted creations

// Each step of a creation is the last one before the process dies; a new process completes it.
TEST_F(MeshSetupTest, Is_completed_by_a_restart_wherever_it_was_interrupted) {
  int step = 0;
  for (bool interrupted = true; interrupted; ++step) {
    ASSERT_LT(step, 100);
    ManagerHarness harness;
    harness.store.writes_left = step;
    interrupted = !harness.put(kBuiltin).ok();
    const bool stored = !harness.names("Mesh").empty();
    harness.restart();
    ASSERT_TRUE(harness.manager->mesh_setup().complete_unfinished().ok());
    harness.executor->run_all();
    EXPECT_THAT(harness.names("Config"), IsEmpty()) << step;
    EXPECT_THAT(harness.names("Mesh"), SizeIs(stored ? 1 : 0)) << step;
    for (const char* type : {"TrafficPermission", "TrafficRoute", "Timeout", "CircuitBreaker", "Retry"}) {
      EXPECT_THAT(harness.names(type), SizeIs(stored ? 1 : 0)) << type << " " << step;
    }
    EXPECT_THAT(harness.names("Secret"), SizeIs(stored ? 3 : 0)) << step;
  }
  EXPECT_EQ(step - 1, 11);  // marker, mesh, five policies, key and certificate, signing key, marker gone
}

TEST_F(MeshSetupTest, Is_completed_without_a_restart_when_the_disk_has_room_again) {
  harness_.store.writes_left = 4;
  EXPECT_EQ(put(kBuiltin), "mesh shop is stored, but not all that comes with it: disk full");
  harness_.store.writes_left = 1000;
  EXPECT_TRUE(harness_.manager->mesh_setup().complete_unfinished().ok());
  EXPECT_FALSE(harness_.pending->empty());
  harness_.executor->run_all();
  EXPECT_TRUE(harness_.pending->empty());
  EXPECT_THAT(harness_.names("Retry"), SizeIs(1));
  EXPECT_THAT(harness_.names("Secret"), SizeIs(3));
}

TEST_F(MeshSetupTest, Is_not_completed_after_the_mesh_was_deleted) {
  harness_.store.writes_left = 4;
  EXPECT_NE(put(kBuiltin), "");
  harness_.store.writes_left = 1000;
  EXPECT_TRUE(harness_.remove("Mesh", {"", "shop"}).ok());
  EXPECT_THAT(harness_.names("Config"), IsEmpty());
}

TEST_F(MeshSetupTest, Survives_a_mesh_that_is_deleted_while_its_key_is_made) {
  auto mesh = model::from_rest(harness_.registry, *parse_yaml("{type: Mesh, name: shop}"));
  ASSERT_TRUE(harness_.manager->mesh_setup().create_quickly(mesh->resource).ok());
  EXPECT_TRUE(harness_.remove("Mesh", {"", "shop"}).ok());
  harness_.executor->run_all();
  EXPECT_THAT(harness_.names("Secret"), IsEmpty());
  EXPECT_TRUE(harness_.pending->empty());
}

}  // namespace
}  // namespace kuma::manager
