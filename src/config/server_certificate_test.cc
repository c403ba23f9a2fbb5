#include "config/server_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/load.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::config {
namespace {

using testing::HasSubstr;

class PrepareWorkDir : public testing::Test {
 protected:
  PrepareWorkDir() {
    std::string name = (std::filesystem::temp_directory_path() / "kuma-work-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    config_.general.work_dir = (folder_ / "deep" / "work").string();
    complete_config(config_, "");
  }
  ~PrepareWorkDir() override { std::filesystem::remove_all(folder_); }

  static std::string read(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  static mode_t mode_of(const std::string& file) {
    struct stat info {};
    return ::stat(file.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  std::filesystem::path folder_;
  Config config_;
};

TEST_F(PrepareWorkDir, Says_which_folder_cannot_be_made_and_which_variable_names_it) {
  std::ofstream(folder_ / "file") << "x";
  config_.general.work_dir = (folder_ / "file" / "work").string();
  const absl::Status status = prepare_work_dir(config_, system_clock());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(config_.general.work_dir + " (KUMA_GENERAL_WORK_DIR): "));
}

TEST_F(PrepareWorkDir, Rejects_a_certificate_without_its_key) {
  std::filesystem::create_directories(config_.general.work_dir);
  std::ofstream(config_.general.tls.cert_file) << "x";
  const absl::Status status = prepare_work_dir(config_, system_clock());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("exists without its key"));
}

TEST_F(PrepareWorkDir, Makes_a_pair_that_serves_this_host_and_is_its_own_CA) {
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  EXPECT_EQ(mode_of(config_.general.work_dir), 0700U);
  EXPECT_EQ(mode_of(config_.general.tls.key_file), 0600U);
  EXPECT_EQ(mode_of(config_.general.tls.cert_file), 0600U);

  BIO* bio = BIO_new_file(config_.general.tls.cert_file.c_str(), "r");
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_check_host(certificate, "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate, "::1", 0), 1);
  EXPECT_EQ(X509_check_host(certificate, "example.com", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ca(certificate), 1);
  EXPECT_EQ(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
  EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), EVP_PKEY_EC);
  X509_free(certificate);
  BIO_free(bio);
}

TEST_F(PrepareWorkDir, Keeps_the_pair_that_is_there) {
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  const std::string certificate = read(config_.general.tls.cert_file);
  const std::string key = read(config_.general.tls.key_file);
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  EXPECT_EQ(read(config_.general.tls.cert_file), certificate);
  EXPECT_EQ(read(config_.general.tls.key_file), key);
}

TEST_F(PrepareWorkDir, Replaces_a_key_that_a_crash_left_without_certificate) {
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  const std::string key = read(config_.general.tls.key_file);
  std::filesystem::remove(config_.general.tls.cert_file);
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  EXPECT_NE(read(config_.general.tls.key_file), key);
  EXPECT_TRUE(std::filesystem::exists(config_.general.tls.cert_file));
}

TEST_F(PrepareWorkDir, Makes_no_pair_where_the_user_has_one) {
  config_.general.tls.cert_file = "/mine.crt";
  config_.general.tls.key_file = "/mine.key";
  ASSERT_TRUE(prepare_work_dir(config_, system_clock()).ok());
  EXPECT_TRUE(std::filesystem::is_empty(config_.general.work_dir));
}

}  // namespace
}  // namespace kuma::config
