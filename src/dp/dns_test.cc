#include <arpa/inet.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/status.h"
#include "base/text.h"
#include "dp/dns_message.h"
#include "dp/dns_server.h"
#include "dp/dns_socket.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A question for the addresses of a name.
std::string query(std::string_view name, uint16_t id = 0x1234) {
  std::string message("\0\0\1\0\0\1\0\0\0\0\0\0", 12);
  set_dns_id(message, id);
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    message += static_cast<char>(dot);
    message += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  message += std::string("\0\0\1\0\1", 5);
  return message;
}

TEST(DnsMessage, What_is_no_question_is_told_apart) {
  const std::string good = query("web.mesh");
  ASSERT_TRUE(parse_dns_header(good));
  EXPECT_EQ(parse_dns_header(good)->id, 0x1234);
  EXPECT_FALSE(parse_dns_header(good)->is_answer);
  EXPECT_EQ(parse_dns_header(good)->question_bytes, good.size());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_dns_header(good.substr(0, size))) << size;
  }
  std::string two = good;
  two[5] = 2;
  EXPECT_FALSE(parse_dns_header(two)) << "two questions";
  std::string compressed = good;
  compressed[12] = static_cast<char>(0xc0);
  EXPECT_FALSE(parse_dns_header(compressed)) << "a name that points elsewhere";
  std::string endless = good.substr(0, 12);
  for (int i = 0; i < 40; ++i) {
    endless += "\7aaaaaaa";
  }
  EXPECT_FALSE(parse_dns_header(endless + std::string("\0\0\1\0\1", 5))) << "a name of more than 255 bytes";
}

TEST(DnsMessage, An_answer_has_the_question_and_nothing_else) {
  const std::string asked = query("web.mesh") + "additional";
  const std::string answer = make_dns_answer(asked, DnsCode::NoSuchName);
  EXPECT_TRUE(answers(answer, asked));
  EXPECT_EQ(parse_dns_header(answer)->code, DnsCode::NoSuchName);
  EXPECT_EQ(answer.size(), query("web.mesh").size());
  EXPECT_FALSE(answers(asked, asked)) << "a question answers nothing";
  EXPECT_FALSE(answers(make_dns_answer(query("web.mesh", 1), DnsCode::NoError), asked));
  EXPECT_FALSE(answers(make_dns_answer(query("web.mess"), DnsCode::NoError), asked));
  EXPECT_TRUE(answers(make_dns_answer(query("WEB.mesh"), DnsCode::NoError), asked)) << "letters of either case are the same";
  EXPECT_EQ(parse_dns_header(make_dns_answer(query("x").substr(0, 12), DnsCode::FormatError)), std::nullopt);
}

TEST(DnsMessage, Name_servers_are_those_that_can_be_asked) {
  EXPECT_THAT(parse_name_servers("# nameserver 1.1.1.1\nsearch a.test\nnameserver\t10.0.0.2 # first\nnameserver fd00::1\n"
                                 "nameserver no-address\nnameserverx 1.2.3.4\nnameserver\nnameserver 10.0.0.3\nnameserver 10.0.0.4"),
              ElementsAre("10.0.0.2", "fd00::1", "10.0.0.3"));
  EXPECT_THAT(parse_name_servers(""), IsEmpty());
}

// A server that answers by UDP, and by TCP when it has been told to, what a function says; "" is no answer.
class FakeServer {
 public:
  using Reply = std::function<std::string(const std::string&)>;
  explicit FakeServer(const std::string& ip, uint16_t port, Reply reply)
      : reply_(std::move(reply)), sockets_(listen(ip, port)), thread_([this] { run(); }) {}
  ~FakeServer() {
    stopped_ = true;
    thread_.join();
  }
  uint16_t port() const { return local_port(udp_); }
  int asked() const { return asked_; }
  int asked_by_tcp() const { return asked_by_tcp_; }

 private:
  void run() {
    while (!stopped_) {
      std::array<pollfd, 2> ready = {pollfd{udp_.get(), POLLIN, 0}, pollfd{tcp_.get(), POLLIN, 0}};
      ::poll(ready.data(), ready.size(), 20);
      while (auto datagram = receive(udp_)) {
        ++asked_;
        if (std::string answer = reply_(datagram->data); !answer.empty()) {
          send_answer(udp_, answer, *datagram);
        }
      }
      if (Fd peer(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC)); peer.is_open()) {
        ++asked_by_tcp_;
        std::string message(512, '\0');
        const ssize_t size = ::recv(peer.get(), message.data(), message.size(), 0);
        if (size > 2) {
          const std::string answer = reply_(message.substr(2, static_cast<size_t>(size) - 2));
          const std::string whole = std::string{static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size() & 0xff)} + answer;
          ::send(peer.get(), whole.data(), 1, MSG_NOSIGNAL);  // in two pieces
          ::send(peer.get(), whole.data() + 1, whole.size() - 1, MSG_NOSIGNAL);
        }
      }
    }
  }

  // Both on one port; one that is free for UDP may be taken for TCP.
  static std::pair<Fd, Fd> listen(const std::string& ip, uint16_t port) {
    for (int i = 0; i < 50; ++i) {
      Fd udp = *listen_udp(ip, port);
      if (auto tcp = listen_tcp(ip, local_port(udp)); tcp.ok()) {
        return {std::move(udp), *std::move(tcp)};
      }
    }
    ADD_FAILURE() << "no port of " << ip << " is free for UDP and TCP in 50 tries";
    return {};
  }

  const Reply reply_;
  std::pair<Fd, Fd> sockets_;
  Fd& udp_ = sockets_.first;
  Fd& tcp_ = sockets_.second;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> asked_ = 0, asked_by_tcp_ = 0;
  std::thread thread_;
};

std::string code(const std::string& asked, DnsCode answer) { return make_dns_answer(asked, answer); }

class DnsServerTest : public ::testing::Test {
 protected:
  DnsServerTest() { write_servers("nameserver 127.0.0.2\n"); }
  ~DnsServerTest() override { std::filesystem::remove_all(directory_); }

  void write_servers(const std::string& text) { std::ofstream(directory_ / "resolv.conf") << text; }
  void start(uint16_t envoy_port, uint16_t upstream_port) {
    const DnsServerOptions options{.port = 0,
                                     .envoy_port = envoy_port,
                                     .empty_port = 0,
                                     .resolv_conf = directory_ / "resolv.conf",
                                     .upstream_port = upstream_port,
                                     .loopback_only = true};
    auto server = DnsServer::start(options, clock_, log_);
    // A port that is free for UDP may be taken for TCP.
    for (int i = 0; i < 50 && absl::IsResourceExhausted(server.status()); ++i) {
      server = DnsServer::start(options, clock_, log_);
    }
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // What comes back within five seconds.
  static std::string exchange(int type, uint16_t port, const std::string& message) {
    const auto address = socket_address("127.0.0.1", port);
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), address->get(), address->size) != 0) {
      return "no connection";
    }
    ::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL);
    std::string answer(4096, '\0');
    size_t have = 0;
    do {
      const ssize_t size = ::recv(fd.get(), answer.data() + have, answer.size() - have, 0);
      if (size <= 0) {
        return "no answer";
      }
      have += static_cast<size_t>(size);
    } while (type == SOCK_STREAM && (have < 2 || have < 2U + static_cast<uint8_t>(answer[1])));
    answer.resize(have);
    return type == SOCK_STREAM ? answer.substr(2) : answer;
  }
  std::string ask(const std::string& message) { return exchange(SOCK_DGRAM, server_->port(), message); }
  std::string ask_by_tcp(const std::string& message) { return exchange(SOCK_STREAM, server_->port(), framed(message)); }
  static std::string framed(const std::string& message) { return std::string{'\0', static_cast<char>(message.size())} + message; }

  const std::filesystem::path directory_ = [] {
    auto path = std::filesystem::temp_directory_path() / ("dns-" + random_uuid());
    std::filesystem::create_directories(path);
    return path;
  }();
  const Clock& clock_ = system_clock();
  Log log_{clock_, Log::Level::Info, [](std::string_view) {}};
  std::unique_ptr<DnsServer> server_;
};

TEST_F(DnsServerTest, Names_of_the_mesh_are_answered_by_Envoy) {
  FakeServer envoy("127.0.0.1", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError) + "records"; });
  FakeServer other("127.0.0.2", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError); });
  start(envoy.port(), other.port());
  const std::string asked = query("web.mesh");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoError) + "records") << "with the client's id";
  EXPECT_EQ(ask_by_tcp(asked), code(asked, DnsCode::NoError) + "records");
  EXPECT_EQ(envoy.asked(), 2);
  EXPECT_EQ(other.asked() + other.asked_by_tcp(), 0);
}

TEST_F(DnsServerTest, Other_names_are_asked_of_the_hosts_servers) {
  for (const DnsCode from_envoy : {DnsCode::NoSuchName, DnsCode::ServerFailure, DnsCode::FormatError, DnsCode::NotImplemented, DnsCode::Refused}) {
    FakeServer envoy("127.0.0.1", 0, [&](const std::string& asked) { return code(asked, from_envoy); });
    FakeServer other("127.0.0.2", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError) + "elsewhere"; });
    start(envoy.port(), other.port());
    const std::string asked = query("example.test");
    EXPECT_EQ(ask(asked), code(asked, DnsCode::NoError) + "elsewhere");
    EXPECT_EQ(ask_by_tcp(asked), code(asked, DnsCode::NoError) + "elsewhere");
    EXPECT_EQ(other.asked(), 1);
    EXPECT_EQ(other.asked_by_tcp(), 1) << "who asks by TCP may need an answer that is too long for UDP";
  }
}

TEST_F(DnsServerTest, Without_Envoy_the_hosts_servers_are_asked_and_their_no_is_final) {
  FakeServer other("127.0.0.2", 0, [](const std::string& asked) { return code(asked, DnsCode::NoSuchName); });
  start(1, other.port());  // nobody listens there
  const std::string asked = query("nobody.test");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoSuchName));
  EXPECT_EQ(other.asked(), 1);
}

TEST_F(DnsServerTest, The_next_server_is_asked_when_one_is_silent_or_gone) {
  write_servers("nameserver 127.0.0.3\nnameserver 127.0.0.4\nnameserver 127.0.0.2\n");
  FakeServer envoy("127.0.0.1", 0, [](const std::string& asked) { return code(asked, DnsCode::NoSuchName); });
  FakeServer other("127.0.0.2", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError) + "third"; });
  FakeServer silent("127.0.0.4", other.port(), [](const std::string&) { return std::string(); });
  start(envoy.port(), other.port());
  const std::string asked = query("example.test");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoError) + "third");
  EXPECT_EQ(silent.asked(), 1);
}

TEST_F(DnsServerTest, Without_any_server_Envoys_no_is_passed_on) {
  write_servers("");
  FakeServer envoy("127.0.0.1", 0, [](const std::string& asked) { return code(asked, DnsCode::NoSuchName); });
  start(envoy.port(), 53);
  const std::string asked = query("example.test");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoSuchName));
}

TEST_F(DnsServerTest, Nobody_to_ask_is_a_failure_at_once) {
  start(1, 1);
  const std::string asked = query("example.test");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::ServerFailure));
  EXPECT_EQ(ask_by_tcp(asked), code(asked, DnsCode::ServerFailure));
}

TEST_F(DnsServerTest, A_changed_list_of_servers_is_followed) {
  write_servers("");
  FakeServer other("127.0.0.2", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError) + "new"; });
  start(1, other.port());
  const std::string asked = query("example.test");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::ServerFailure));
  write_servers("# another size and time\nnameserver 127.0.0.2\n");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoError) + "new");
}

TEST_F(DnsServerTest, A_wrong_answer_is_waited_out) {
  write_servers("");
  std::atomic<int> times = 0;
  FakeServer envoy("127.0.0.1", 0, [&](const std::string& asked) {
    ++times;
    return code(query("other.test", parse_dns_header(asked)->id), DnsCode::NoError);
  });
  start(envoy.port(), 53);
  const std::string asked = query("web.mesh");
  EXPECT_EQ(ask(asked), code(asked, DnsCode::ServerFailure));
  EXPECT_EQ(times, 1);
}

TEST_F(DnsServerTest, The_empty_server_knows_no_name) {
  start(1, 1);
  const std::string asked = query("anything.test");
  EXPECT_EQ(exchange(SOCK_DGRAM, server_->empty_port(), asked), code(asked, DnsCode::NoSuchName));
  EXPECT_EQ(exchange(SOCK_STREAM, server_->empty_port(), framed(asked)), code(asked, DnsCode::NoSuchName));
}

TEST_F(DnsServerTest, Garbage_is_refused_or_passed_over_and_does_no_harm) {
  FakeServer envoy("127.0.0.1", 0, [](const std::string& asked) { return code(asked, DnsCode::NoError); });
  start(envoy.port(), 53);
  std::string broken = query("web.mesh").substr(0, 15);
  const std::string refused = ask(broken);
  ASSERT_EQ(refused.size(), 12);
  EXPECT_EQ(refused[3] & 0x0f, static_cast<int>(DnsCode::FormatError));
  const std::string asked = query("web.mesh");
  for (const std::string& garbage : {std::string("x"), std::string(2000, '\xff'), code(asked, DnsCode::NoError)}) {
    const auto address = socket_address("127.0.0.1", server_->port());
    Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::sendto(fd.get(), garbage.data(), garbage.size(), 0, address->get(), address->size);
  }
  std::vector<Fd> idle;
  for (int i = 0; i < 100; ++i) {  // more than it keeps
    const auto address = socket_address("127.0.0.1", server_->port());
    Fd& fd = idle.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::connect(fd.get(), address->get(), address->size);
    ::send(fd.get(), "\1", 1, MSG_NOSIGNAL);
  }
  EXPECT_EQ(ask_by_tcp(asked), code(asked, DnsCode::NoError));
  EXPECT_EQ(ask(asked), code(asked, DnsCode::NoError));
}

TEST_F(DnsServerTest, A_port_that_is_taken_is_named) {
  start(1, 1);
  auto second = DnsServer::start({.port = server_->port(), .resolv_conf = "", .loopback_only = true}, clock_, log_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(message_of(second.status()), fmt::format("could not listen on UDP port {}: address already in use", server_->port()));
}

}  // namespace
}  // namespace kuma::dp
