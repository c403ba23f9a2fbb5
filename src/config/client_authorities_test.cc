#include "config/client_authorities.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::config {
namespace {

using ::testing::HasSubstr;

class ClientAuthorities : public ::testing::Test {
 protected:
  ClientAuthorities() {
    std::string name = (std::filesystem::temp_directory_path() / "kuma-clients-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    api_.authn.type = "adminClientCerts";
  }
  ~ClientAuthorities() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string problem() const { return std::string(client_authorities(api_).status().message()); }

  std::filesystem::path folder_;
  ApiServer api_;
};

TEST_F(ClientAuthorities, Says_what_is_missing_when_clients_are_asked_and_nothing_verifies_them) {
  EXPECT_THAT(problem(), HasSubstr("KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR"));
  api_.auth_client_certs_dir = folder_.string();  // which is empty
  EXPECT_THAT(problem(), HasSubstr("KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR"));
  api_.authn.type = "tokens";
  api_.https.require_client_cert = true;
  EXPECT_THAT(problem(), HasSubstr("KUMA_API_SERVER_HTTPS_TLS_CA_FILE"));
}

TEST_F(ClientAuthorities, Names_what_cannot_be_read) {
  api_.auth_client_certs_dir = (folder_ / "none").string();
  EXPECT_THAT(problem(), HasSubstr("could not read the directory " + (folder_ / "none").string()));
  api_.auth_client_certs_dir.clear();
  api_.https.tls_ca_file = (folder_ / "none.pem").string();
  EXPECT_EQ(problem(), "could not read " + (folder_ / "none.pem").string());
}

TEST_F(ClientAuthorities, Are_the_certificates_of_the_folder_and_the_one_of_the_file) {
  write("b.pem", "B");
  write("a.crt", "A");
  write("a.key", "a key");
  api_.auth_client_certs_dir = folder_.string();
  api_.https.tls_ca_file = write("ca", "C");
  EXPECT_EQ(*client_authorities(api_), "A\nB\nC");
}

TEST_F(ClientAuthorities, Are_none_when_clients_are_not_asked) {
  write("a.crt", "A");
  api_.auth_client_certs_dir = folder_.string();
  api_.authn.type = "tokens";
  EXPECT_EQ(*client_authorities(api_), "");
}

}  // namespace
}  // namespace kuma::config
