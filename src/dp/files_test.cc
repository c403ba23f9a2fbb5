#include "dp/files.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "dp/launch.h"
#include "dp/token.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

class FilesTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string file(const std::string& content) {
    const std::string path = dir_ + "/file";
    std::ofstream(path) << content;
    return path;
  }
  std::string dir_ =
      testing::TempDir() + "kuma-dp-files-" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

int mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
}

TEST_F(FilesTest, Errors_are_in_the_words_that_users_know) {
  EXPECT_EQ(read_file("/none/x").status().message(), "open /none/x: no such file or directory");
  EXPECT_EQ(read_file(dir_).status().message(), "read " + dir_ + ": is a directory");
  EXPECT_THAT(std::string(write_private_file("/proc/none/x", "").message()), testing::StartsWith("mkdir /proc/none: "));
  EXPECT_THAT(std::string(TempDir::make("/none").status().message()), testing::StartsWith("mkdir /none/kuma-dp-"));
}

TEST_F(FilesTest, Private_files_are_private_whatever_was_there_before) {
  const std::string path = dir_ + "/a/b/bootstrap.yaml";
  ASSERT_TRUE(write_private_file(path, "one").ok());
  EXPECT_EQ(mode_of(path), 0600);
  ::chmod(path.c_str(), 0644);
  ASSERT_TRUE(write_private_file(path, "two").ok());
  EXPECT_EQ(mode_of(path), 0600);
  EXPECT_EQ(*read_file(path), "two");
}

TEST_F(FilesTest, Private_files_do_not_follow_links) {
  std::filesystem::create_symlink(dir_ + "/elsewhere", dir_ + "/link");
  EXPECT_FALSE(write_private_file(dir_ + "/link", "x").ok());
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/elsewhere"));
}

TEST_F(FilesTest, Temporary_directories_are_private_and_go_with_their_owner) {
  std::string path;
  {
    auto dir = *TempDir::make(dir_);
    path = dir.path();
    EXPECT_THAT(path, testing::MatchesRegex(dir_ + "/kuma-dp-[0-9]+"));
    EXPECT_EQ(mode_of(path), 0700);
    std::ofstream(path + "/x") << "x";
    const TempDir moved = std::move(dir);
    EXPECT_EQ(moved.path(), path);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

std::string jwt(std::string_view header) { return base64url_encode(header) + "." + base64url_encode("{}") + ".c2ln"; }

TEST_F(FilesTest, Tokens_are_looked_at_before_anything_starts) {
  const std::string prefix =
      "dataplane token is invalid, in Kubernetes you must mount a serviceAccount token, in universal you must start "
      "your "
      "proxy with a generated token.: ";
  const auto error = [&](const std::string& content) { return std::string(check_token_file(file(content)).message()); };
  EXPECT_EQ(check_token_file("/none/t").message(),
            prefix + "could not read file /none/t: stat /none/t: no such file or directory");
  EXPECT_EQ(error(""), prefix + "token under file " + dir_ + "/file is empty");
  EXPECT_EQ(error(" \n"), prefix + "token under file " + dir_ + "/file is empty");
  EXPECT_EQ(error("a\nb"), prefix + "Token shouldn't contain line breaks within the token, only at the start or end");
  EXPECT_EQ(error("abc"),
            prefix + "not valid JWT token. Can't parse it.: token contains an invalid number of segments");
  EXPECT_THAT(error("a.b.c"), testing::StartsWith(prefix + "not valid JWT token. Can't parse it.: "));
  EXPECT_EQ(error(jwt("{}")), prefix + "not valid JWT token. No Alg.");
  EXPECT_TRUE(check_token_file(file("\n" + jwt(R"({"alg":"RS256"})") + "\n")).ok());
}

TEST_F(FilesTest, Socket_paths_are_short_enough_for_a_socket) {
  EXPECT_EQ(socket_path("/tmp/d", "al", "web-1", "default"), "/tmp/d/kuma-al-web-1-default.sock");
  EXPECT_EQ(socket_path("", "mh", "web-1", ""), "kuma-mh-web-1-.sock");
  const std::string path = socket_path("/tmp/d", "al", std::string(200, 'x'), "default");
  EXPECT_EQ(path.size(), 98u + 5);
  EXPECT_THAT(path, testing::EndsWith("x.sock"));
}

TEST_F(FilesTest, Memory_limit_is_what_the_cgroup_says) {
  EXPECT_EQ(cgroup_memory_limit(dir_), 0u);
  std::ofstream(dir_ + "/memory.limit_in_bytes") << "1000\n";
  EXPECT_EQ(cgroup_memory_limit(dir_), 1000u);
  std::ofstream(dir_ + "/memory.max") << "max\n";
  EXPECT_EQ(cgroup_memory_limit(dir_), 0u);
  std::ofstream(dir_ + "/memory.max") << "2000\n";
  EXPECT_EQ(cgroup_memory_limit(dir_), 2000u);
}

}  // namespace
}  // namespace kuma::dp
