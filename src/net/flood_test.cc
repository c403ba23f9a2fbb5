// What hostile or broken peers do, in frames written by hand.

#include <future>

#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;
using testing::resident_bytes;

constexpr char kData = 0x0;
constexpr char kHeaders = 0x1;
constexpr char kPriority = 0x2;
constexpr char kRstStream = 0x3;
constexpr char kSettings = 0x4;
constexpr char kPing = 0x6;
constexpr char kWindowUpdate = 0x8;
constexpr char kContinuation = 0x9;
constexpr char kEndStream = 0x1;
constexpr char kEndHeaders = 0x4;

std::string be32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(value >> shift & 0xff);
  }
  return bytes;
}

std::string frame(char type, char flags, uint32_t stream, const std::string& payload) {
  return be32(static_cast<uint32_t>(payload.size())).substr(1) + type + flags + be32(stream) + payload;
}

// HPACK, literal without indexing.
std::string field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

std::string request_block(const std::string& path, bool grpc = false) {
  std::string block = field(":method", grpc ? "POST" : "GET") + field(":scheme", "http") + field(":path", path) +
                      field(":authority", "a");
  return grpc ? block + field("content-type", "application/grpc") + field("te", "trailers") : block;
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, "");

// Answers large bodies at /large, keeps gRPC streams open, never answers /never.
class FloodTest : public ::testing::Test {
 protected:
  class Silent final : public GrpcStreamHandler {
   public:
    void on_message(std::string_view) override {}
    void on_closed(GrpcStatus) override {}
  };

  void start(ServerLimits limits = {}) {
    server_ = std::make_unique<Server>(loops_, ServerOptions{.name = "test", .address = "127.0.0.1", .limits = limits});
    server_->handle_http([this](HttpRequest request, HttpResponder responder) {
      if (request.target == "/never") {
        std::lock_guard lock(kept_mutex_);
        kept_.push_back(std::move(responder));
        return;
      }
      responder.send({.body = request.target == "/large" ? std::string(4 << 20, 'x') : "ok"});
    });
    server_->handle_stream("/test.Service/Stream", [](GrpcStream&) { return std::make_unique<Silent>(); });
    ASSERT_TRUE(server_->start().ok());
    // What a first connection costs once (tables, buffers) is not what a flood costs.
    RawClient warm(server_->port());
    warm.send(kPreface + frame(kHeaders, kEndHeaders | kEndStream, 1, request_block("/")));
    warm.receive();
  }

  ~FloodTest() override {
    server_->stop(0s);
  }

  // Sends `flood(i)` without reading until the server hangs up; the time from the first flood byte to that.
  template <typename Flood>
  std::chrono::milliseconds time_to_hang_up(Flood&& flood, const std::string& opening = kPreface, bool read = false) {
    RawClient client(server_->port());
    client.send(opening);
    const auto begun = system_clock().monotonic_now();
    const auto give_up = begun + 5s;
    std::string batch;
    for (uint32_t i = 0; system_clock().monotonic_now() < give_up; ++i) {
      batch += flood(i);
      if (batch.size() < 16'384) {
        continue;
      }
      if (!client.send(batch)) {
        break;
      }
      batch.clear();
      if (read) {
        std::array<char, 65536> buffer{};
        if (::recv(client.descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT) == 0) {
          break;
        }
      }
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(system_clock().monotonic_now() - begun);
  }

  template <typename Flood>
  void expect_hang_up(Flood&& flood, const std::string& opening = kPreface, bool read = false) {
    const size_t before = resident_bytes();
    EXPECT_LT(time_to_hang_up(flood, opening, read), 50ms * kSlowdown);
    EXPECT_LT(resident_bytes(), before + (2U << 20) * kSlowdown);
    expect_well();
  }

  void expect_well() {
    const auto answer = http_call({.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/"});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->body, "ok");
  }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr unsigned kSlowdown = 20;  // sanitizers need more time and memory
#else
  static constexpr unsigned kSlowdown = 1;
#endif

  Loops loops_{1};
  std::mutex kept_mutex_;
  std::vector<HttpResponder> kept_;
  std::unique_ptr<Server> server_;
};

TEST_F(FloodTest, Rapid_resets) {
  start();
  expect_hang_up([](uint32_t i) {
    return frame(kHeaders, kEndHeaders | kEndStream, 2 * i + 1, request_block("/never")) + frame(kRstStream, 0, 2 * i + 1, be32(8));
  });
}

TEST_F(FloodTest, Rapid_resets_of_calls) {
  start();
  expect_hang_up([](uint32_t i) {
    return frame(kHeaders, kEndHeaders, 2 * i + 1, request_block("/test.Service/Stream", true)) +
           frame(kRstStream, 0, 2 * i + 1, be32(8));
  });
}

TEST_F(FloodTest, Streams_without_end) {
  start();
  expect_hang_up([](uint32_t i) { return frame(kHeaders, kEndHeaders, 2 * i + 1, request_block("/test.Service/Stream", true)); });
  expect_hang_up([](uint32_t i) { return frame(kHeaders, kEndHeaders | kEndStream, 2 * i + 1, request_block("/never")); });
  expect_hang_up([](uint32_t i) { return frame(kHeaders, kEndHeaders, 2 * i + 1, request_block("/body")); });
}

TEST_F(FloodTest, Continuation_without_end) {
  start();
  expect_hang_up([](uint32_t) { return frame(kContinuation, 0, 1, field("x", std::string(100, 'y'))); },
                 kPreface + frame(kHeaders, 0, 1, request_block("/")));
  expect_hang_up([](uint32_t) { return frame(kContinuation, 0, 1, ""); }, kPreface + frame(kHeaders, 0, 1, request_block("/")));
}

TEST_F(FloodTest, A_header_list_that_HPACK_makes_large) {
  start();
  // One entry of nearly 4 KiB goes into the table, then each byte repeats it.
  std::string block = request_block("/");
  block += std::string("\x40\x01x\x7f", 4) + static_cast<char>(0x80 + (3900 - 127) % 128) + static_cast<char>((3900 - 127) / 128);
  block += std::string(3900, 'v') + std::string(8'000, '\xbe');
  expect_hang_up([&](uint32_t i) { return frame(kHeaders, kEndHeaders | kEndStream, 2 * i + 1, block); });
}

TEST_F(FloodTest, Pings_and_settings_read_or_not) {
  start();
  for (const bool read : {false, true}) {
    expect_hang_up([](uint32_t) { return frame(kPing, 0, 0, "12345678"); }, kPreface, read);
    expect_hang_up([](uint32_t) { return frame(kSettings, 0, 0, ""); }, kPreface, read);
    expect_hang_up([](uint32_t i) { return frame(kSettings, 0, 0, std::string("\0\x04", 2) + be32(i % 1000)); }, kPreface, read);
  }
}

TEST_F(FloodTest, Priorities_and_empty_data_and_unknown_frames) {
  start();
  expect_hang_up([](uint32_t i) { return frame(kPriority, 0, 2 * i + 1, be32(0) + "x"); });
  expect_hang_up([](uint32_t) { return frame(kData, 0, 1, ""); },
                 kPreface + frame(kHeaders, kEndHeaders, 1, request_block("/body")));
}

TEST_F(FloodTest, A_client_that_asks_for_much_and_never_reads) {
  start({.outbound_queue_max = 1 << 20, .keepalive_interval = 100ms, .keepalive_timeout = 100ms});
  RawClient client(server_->port(), 4096);
  // Windows wide open: only TCP holds us back.
  client.send(kPreface + frame(kSettings, 0, 0, std::string("\0\x04", 2) + be32(0x7fffffff)) +
              frame(kWindowUpdate, 0, 0, be32(0x7fff0000)));
  const size_t before = resident_bytes();
  for (uint32_t i = 0; i < 99; ++i) {
    if (!client.send(frame(kHeaders, kEndHeaders | kEndStream, 2 * i + 1, request_block("/large")))) {
      break;
    }
  }
  // Nothing of a hundred times 4 MiB may be kept once the queue is over its limit, and the connection ends.
  const auto give_up = system_clock().monotonic_now() + 10s;
  while (server_->connection_count() > 1 && system_clock().monotonic_now() < give_up) {
    expect_well();
  }
  EXPECT_LT(resident_bytes(), before + (24U << 20) * kSlowdown);
  while (server_->connection_count() > 0 && system_clock().monotonic_now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server_->connection_count(), 0);
}

TEST_F(FloodTest, A_peer_that_does_not_answer_pings_is_gone) {
  start({.keepalive_interval = 30ms, .keepalive_timeout = 30ms});
  RawClient client(server_->port());
  client.send(kPreface + frame(kHeaders, kEndHeaders, 1, request_block("/test.Service/Stream", true)));
  client.receive_all();  // ends
  expect_well();
}

TEST_F(FloodTest, A_peer_without_streams_is_closed_when_idle) {
  start({.idle_timeout = 60ms, .keepalive_interval = 30ms});
  RawClient client(server_->port());
  client.send(kPreface);
  client.receive_all();
}

TEST_F(FloodTest, A_block_of_headers_that_trickles_is_ended) {
  start({.keepalive_interval = 30ms});
  RawClient client(server_->port());
  client.send(kPreface + frame(kHeaders, 0, 1, request_block("/")));
  client.receive_all();
}

TEST_F(FloodTest, Bodies_over_the_limit_are_refused_on_HTTP2) {
  start({.body_size_max = 1000});
  RawClient client(server_->port());
  client.send(kPreface + frame(kHeaders, kEndHeaders, 1, request_block("/body")) + frame(kData, 0, 1, std::string(1001, 'x')));
  // :status 413, as a literal: nghttp2 codes it with the static table's name.
  EXPECT_NE(client.receive_until("413").find("413"), std::string::npos);
  expect_well();
}

}  // namespace
}  // namespace kuma::net
