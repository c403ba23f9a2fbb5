#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/server.h"

namespace kuma::net {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  absl::Status start(const std::string& path) {
    server_ = std::make_unique<Server>(loops_,
                                       ServerOptions{.name = "test", .unix_path = path, .tls = nullptr, .limits = {}});
    server_->handle_http([](HttpRequest request, HttpResponder responder) {
      responder.send({.status = 200, .headers = {}, .body = "you asked for " + request.target});
    });
    return server_->start();
  }
  std::string ask(const std::string& request) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::write(descriptor, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::string answer;
    char c = 0;
    while (::read(descriptor, &c, 1) == 1) {
      answer += c;
    }
    ::close(descriptor);
    return answer;
  }

  const std::string path_ = testing::TempDir() + "kuma-net-unix-" + std::to_string(::getpid());
  Loops loops_{1};
  std::unique_ptr<Server> server_;
};

TEST_F(UnixSocketTest, Says_why_it_cannot_listen) {
  EXPECT_THAT(std::string(start(std::string(200, 'x')).message()), testing::HasSubstr("too long for a socket"));
  EXPECT_THAT(std::string(start("/none/socket").message()), testing::HasSubstr("cannot listen on /none/socket: "));
  ASSERT_TRUE(start(path_).ok());
  Server second(loops_, ServerOptions{.name = "second", .unix_path = path_, .tls = nullptr, .limits = {}});
  EXPECT_THAT(std::string(second.start().message()), testing::HasSubstr("in use"));
}

TEST_F(UnixSocketTest, Answers_HTTP) {
  ASSERT_TRUE(start(path_).ok());
  const std::string answer = ask("GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, testing::EndsWith("you asked for /x"));
}

}  // namespace
}  // namespace kuma::net
