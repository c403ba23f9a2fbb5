#include "net/tls.h"

#include "net/cipher_suites.h"
#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using testing::KeyPair;
using testing::make_certificate;
using testing::RawClient;
using testing::run_program;
using testing::TempFile;

TEST(TlsContextTest, Names_an_unknown_cipher_suite) {
  const auto pair = make_certificate();
  const auto context = make_tls_server(
      {.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem, .cipher_suites = {"TLS_AES_128_GCM_SHA256", "TLS_NOPE"}});
  EXPECT_EQ(context.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(context.status().message(), "unknown or unsupported TLS cipher suite \"TLS_NOPE\"");
}

TEST(TlsContextTest, Says_what_is_wrong_with_certificates_and_keys) {
  const auto pair = make_certificate();
  const auto other = make_certificate();
  const auto message = [](const TlsServerConfig& config) { return std::string(make_tls_server(config).status().message()); };
  EXPECT_EQ(message({}), "TLS certificate: no PEM block of a certificate");
  EXPECT_EQ(message({.certificate_pem = "rubbish", .key_pem = pair.key_pem}), "TLS certificate: no PEM block of a certificate");
  EXPECT_TRUE(message({.certificate_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"})
                  .starts_with("TLS certificate: a PEM block is no certificate"));
  EXPECT_EQ(message({.certificate_pem = pair.certificate_pem, .key_pem = "x"}),
            "TLS key: no PEM block of an unencrypted private key");
  EXPECT_TRUE(message({.certificate_pem = pair.certificate_pem, .key_pem = other.key_pem})
                  .starts_with("TLS key does not belong to the certificate: "));
  EXPECT_EQ(message({.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem, .require_client_certificate = true}),
            "TLS: client certificates are required, but no CA is given to verify them");
  EXPECT_EQ(message({.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem, .version_min = TlsVersion::Tls13,
                     .version_max = TlsVersion::Tls12}),
            "TLS: the lowest version is above the highest one");
  EXPECT_EQ(make_tls_client({.ca_pem = "x"}).status().message(), "TLS CA: no PEM block of a certificate");
}

TEST(TlsContextTest, Takes_names_of_Go_and_of_OpenSSL) {
  const auto suites = translate_cipher_suites({"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256",
                                               "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_RSA_WITH_AES_128_CBC_SHA",
                                               "TLS_CHACHA20_POLY1305_SHA256"});
  ASSERT_TRUE(suites.ok()) << suites.status();
  EXPECT_EQ(suites->up_to_tls12,
            "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:AES128-SHA");
  EXPECT_EQ(suites->tls13, "TLS_CHACHA20_POLY1305_SHA256");
}

class TlsTest : public ::testing::Test {
 protected:
  void start(TlsServerConfig config = {}, ServerLimits limits = {}) {
    if (config.certificate_pem.empty()) {
      config.certificate_pem = pair_.certificate_pem;
      config.key_pem = pair_.key_pem;
    }
    auto context = make_tls_server(config);
    ASSERT_TRUE(context.ok()) << context.status();
    server_ = std::make_unique<Server>(
        loops_, ServerOptions{.name = "test", .address = "127.0.0.1", .tls = *context, .limits = limits});
    server_->handle_http([](HttpRequest request, HttpResponder responder) {
      responder.send({.body = request.peer.verified_client_certificate ? "verified" : "unknown"});
    });
    ASSERT_TRUE(server_->start().ok());
  }

  absl::StatusOr<HttpResponse> call(const TlsClientConfig& config, const std::string& host = "127.0.0.1") {
    auto context = make_tls_client(config);
    EXPECT_TRUE(context.ok()) << context.status();
    return http_call({.url = "https://" + host + ":" + std::to_string(server_->port()) + "/", .tls = *context});
  }

  std::string cause(const absl::StatusOr<HttpResponse>& result) {
    const std::string text(result.status().message());
    return text.substr(text.find("/: ") + 3);
  }

  KeyPair pair_ = make_certificate();
  Loops loops_{1};
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, Refuses_an_unknown_CA_a_wrong_name_and_a_wrong_address) {
  start();
  const auto unknown = call({.ca_pem = make_certificate().certificate_pem});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(cause(unknown).starts_with("certificate verify failed: ")) << unknown.status();
  EXPECT_TRUE(cause(call({})).starts_with("certificate verify failed: "));
  EXPECT_EQ(cause(call({.ca_pem = pair_.certificate_pem, .server_name = "example.com"})),
            "certificate verify failed: hostname mismatch");
  EXPECT_EQ(cause(call({.ca_pem = pair_.certificate_pem, .server_name = "10.0.0.1"})),
            "certificate verify failed: IP address mismatch");
}

TEST_F(TlsTest, Verifies_addresses_and_names_or_nothing) {
  start();
  EXPECT_TRUE(call({.ca_pem = pair_.certificate_pem}).ok());
  EXPECT_TRUE(call({.ca_pem = pair_.certificate_pem}, "localhost").ok());
  EXPECT_TRUE(call({.verify = false}).ok());
}

TEST_F(TlsTest, Asks_for_client_certificates_and_tells_whether_one_was_verified) {
  const auto client = make_certificate("DNS:client");
  start({.client_ca_pem = client.certificate_pem});
  EXPECT_EQ(call({.ca_pem = pair_.certificate_pem})->body, "unknown");
  const auto known = call(
      {.ca_pem = pair_.certificate_pem, .certificate_pem = client.certificate_pem, .key_pem = client.key_pem});
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->body, "verified");
  const auto stranger = make_certificate("DNS:stranger");
  EXPECT_FALSE(call({.ca_pem = pair_.certificate_pem, .certificate_pem = stranger.certificate_pem, .key_pem = stranger.key_pem}).ok());
}

TEST_F(TlsTest, Requires_a_client_certificate_when_told_so) {
  const auto client = make_certificate("DNS:client");
  start({.client_ca_pem = client.certificate_pem, .require_client_certificate = true});
  EXPECT_FALSE(call({.ca_pem = pair_.certificate_pem}).ok());
}

TEST_F(TlsTest, Tells_a_client_that_speaks_clear_HTTP) {
  start();
  RawClient client(server_->port());
  client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(client.receive_all(), "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
}

TEST_F(TlsTest, Holds_to_versions_and_suites) {
  start({.version_min = TlsVersion::Tls10, .version_max = TlsVersion::Tls12,
         .cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"}});
  const std::string base = "echo | openssl s_client -connect 127.0.0.1:" + std::to_string(server_->port()) + " ";
  EXPECT_NE(run_program(base + "-tls1_2 2>&1").output.find("ECDHE-ECDSA-AES256-GCM-SHA384"), std::string::npos);
  EXPECT_NE(run_program(base + "-tls1_1 -cipher ALL:@SECLEVEL=0 2>&1").output.find("Cipher is ECDHE-ECDSA-AES128-SHA"), std::string::npos);
  EXPECT_NE(run_program(base + "-tls1_3 2>&1").exit_code, 0);
}

TEST_F(TlsTest, Closes_the_oldest_handshake_for_a_new_one) {
  start({}, {.handshakes_max = 10});
  RawClient first(server_->port());
  std::vector<RawClient> more;
  for (int i = 0; i < 10; ++i) {
    more.emplace_back(server_->port());
  }
  EXPECT_EQ(first.receive(), "");
  EXPECT_TRUE(call({.ca_pem = pair_.certificate_pem}).ok());
}

TEST_F(TlsTest, Stands_1000_connections_that_never_finish_their_handshake) {
  start({}, {.handshake_timeout = 60s});
  const size_t before = testing::resident_bytes();
  std::vector<RawClient> silent;
  for (int i = 0; i < 1000; ++i) {
    silent.emplace_back(server_->port());
    silent.back().send(i % 2 == 0 ? "\x16\x03\x01" : "");
  }
  EXPECT_TRUE(call({.ca_pem = pair_.certificate_pem}).ok());
  const size_t grown = testing::resident_bytes() - before;
  EXPECT_LT(grown, 60U << 20);
  RecordProperty("bytes_per_silent_connection", std::to_string(grown / 1000));
}

}  // namespace
}  // namespace kuma::net
