#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "dp/access_log_line.h"
#include "dp/access_log_streamer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using testing::HasSubstr;

TEST(AccessLogLine, Refuses_what_names_no_address) {
  for (const char* line :
       {"hello", "{\"message\":\"x\"}", "{\"address\":1,\"message\":\"x\"}", "{\"address\":\"a:1\"}", "{broken"}) {
    EXPECT_EQ(parse_access_log_line(line).status().message(),
              "log format invalid: expected 2 components separated by ';' or a JSON object")
        << line;
  }
}

TEST(AccessLogLine, Takes_text_from_json) {
  const auto line = parse_access_log_line(R"({"address":"10.0.0.1:80","message":"GET <a>; b\n"})");
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->address, "10.0.0.1:80");
  EXPECT_EQ(line->payload, "GET <a>; b\n\n");
}

TEST(AccessLogLine, Prints_an_object_compactly_with_sorted_keys) {
  EXPECT_EQ(parse_access_log_line(
                R"({"message":{"z": 1.0, "a": [true, null, "<&>"], "m": {"y": 0.25, "b": -3}},"address":"a:1"})")
                ->payload,
            R"({"a":[true,null,"\u003c\u0026\u003e"],"m":{"b":-3,"y":0.25},"z":1})"
            "\n");
}

TEST(AccessLogLine, Takes_the_older_form) {
  const auto line = parse_access_log_line("logs:5000;[x] a;b");
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->address, "logs:5000");
  EXPECT_EQ(line->payload, "[x] a;b\n");
}

// A receiver on a port of its own.
struct Receiver {
  Receiver() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    name = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    EXPECT_EQ(::listen(listener.get(), 8), 0);
  }
  Fd accept() const { return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  static std::string read(const Fd& fd, size_t size) {
    std::string text(size, 0);
    size_t have = 0;
    while (have < size) {
      const ssize_t count = ::read(fd.get(), text.data() + have, size - have);
      if (count <= 0) {
        break;
      }
      have += static_cast<size_t>(count);
    }
    text.resize(have);
    return text;
  }
  Fd listener;
  std::string name;
};

class AccessLogStreamerTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void write(const std::string& text) {
    const Fd fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(fd.is_open());
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string logged() {
    const std::lock_guard lock(mutex_);
    return logged_;
  }
  void wait_for_log(const std::string& part) {
    for (int i = 0; i < 5000 && logged().find(part) == std::string::npos; ++i) {
      ::poll(nullptr, 0, 1);
    }
    EXPECT_THAT(logged(), HasSubstr(part));
  }

  std::string dir_ = testing::TempDir() + "kuma-dp-al-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::string path_ = dir_ + "/al.sock";
  std::mutex mutex_;
  std::string logged_;
  Log log_{system_clock(), Log::Level::Info, [this](std::string_view line) {
             const std::lock_guard lock(mutex_);
             logged_ += line;
           }};
};

TEST_F(AccessLogStreamerTest, Says_why_the_pipe_cannot_be_made) {
  EXPECT_THAT(std::string(AccessLogStreamer::start("/proc/none/x", system_clock(), log_).status().message()),
              HasSubstr("mkfifo /proc/none/x: "));
}

TEST_F(AccessLogStreamerTest, Makes_a_pipe_for_everybody_replaces_an_old_file_and_removes_it_in_the_end) {
  std::ofstream(path_) << "old";
  {
    const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_TRUE(S_ISFIFO(info.st_mode));
    EXPECT_EQ(info.st_mode & 0777, 0666u);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(AccessLogStreamerTest, Sends_lines_to_the_addresses_that_they_name) {
  const Receiver one;
  const Receiver two;
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  write(one.name + ";a\n" + two.name + ";b\n" + R"({"address":")" + one.name + R"(","message":{"k":1}})" + "\n");
  const Fd first = one.accept();
  const Fd second = two.accept();
  EXPECT_EQ(Receiver::read(first, 10), "a\n{\"k\":1}\n");
  EXPECT_EQ(Receiver::read(second, 2), "b\n");
  write(one.name + ";more\n");  // over the same connection, though the pipe was closed and opened
  EXPECT_EQ(Receiver::read(first, 5), "more\n");
}

TEST_F(AccessLogStreamerTest, Puts_lines_together_that_come_in_pieces) {
  const Receiver receiver;
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  write(receiver.name + ";hal");
  write("f\n");
  const Fd connection = receiver.accept();
  EXPECT_EQ(Receiver::read(connection, 5), "half\n");
}

TEST_F(AccessLogStreamerTest, Drops_lines_that_nobody_takes_and_says_so_once) {
  std::string gone;
  { gone = Receiver().name; }
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  write(gone + ";lost\n");
  wait_for_log("access log lines were dropped");
  write("nonsense\n");
  write(gone + ";lost\n");
  const Receiver receiver;  // others are unaffected
  write(receiver.name + ";kept\n");
  EXPECT_EQ(Receiver::read(receiver.accept(), 5), "kept\n");
  const std::string text = logged();
  EXPECT_EQ(text.find("were dropped", text.find("were dropped") + 1), std::string::npos) << text;
}

TEST_F(AccessLogStreamerTest, Connects_again_after_the_receiver_has_closed) {
  const Receiver receiver;
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  write(receiver.name + ";one\n");
  {
    const Fd connection = receiver.accept();
    EXPECT_EQ(Receiver::read(connection, 4), "one\n");
  }
  // The end of the connection is seen at some time; lines until then and for a second after it may be lost.
  pollfd waiting{.fd = receiver.listener.get(), .events = POLLIN, .revents = 0};
  for (int i = 0; i < 500 && waiting.revents == 0; ++i) {
    write(receiver.name + ";two\n");
    ::poll(&waiting, 1, 10);
  }
  const Fd connection = receiver.accept();
  EXPECT_EQ(Receiver::read(connection, 4), "two\n");
}

TEST_F(AccessLogStreamerTest, A_receiver_that_does_not_read_costs_a_bounded_amount_and_holds_nobody) {
  const Receiver slow;
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  const std::string line = slow.name + ";" + std::string(2000, 'x') + "\n";
  for (int i = 0; i < 20'000 && logged().find("does not keep up") == std::string::npos; ++i) {
    write(line);
  }
  wait_for_log("does not keep up");
  const Receiver receiver;
  write(receiver.name + ";kept\n");
  EXPECT_EQ(Receiver::read(receiver.accept(), 5), "kept\n");
}

TEST_F(AccessLogStreamerTest, Skips_a_line_without_end) {
  const Receiver receiver;
  const auto streamer = *AccessLogStreamer::start(path_, system_clock(), log_);
  const std::string piece(60'000, 'x');
  for (int i = 0; i < 20; ++i) {
    write(piece);
  }
  write("\n" + receiver.name + ";kept\n");
  EXPECT_EQ(Receiver::read(receiver.accept(), 5), "kept\n");
  wait_for_log("line too long");
}

}  // namespace
}  // namespace kuma::dp
