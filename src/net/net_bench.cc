// What the transport costs, in the shape of the control plane's work: N proxies connect over TLS and open a stream, then all
// get 256 KiB that they share, then 2 KiB each; each push is acknowledged.
//
//   net_bench [STREAMS=3000] [rsa]
//
// The clients are a process of their own, so that CPU and memory are the server's alone. Build with the release preset.

#include <sys/resource.h>
#include <sys/wait.h>

#include <condition_variable>
#include <mutex>

#include "fmt/format.h"
#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"

namespace kuma::net {
namespace {

using testing::resident_bytes;

constexpr auto kPatience = std::chrono::minutes(2);

// Waits until something has happened so many times.
class Counter {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

struct Subscriber final : GrpcStreamHandler {
  Counter& heard;
  explicit Subscriber(Counter& counter) : heard(counter) {}
  void on_message(std::string_view) override { heard.add(); }
  void on_closed(GrpcStatus) override {}
};

struct Acknowledger final : GrpcStreamHandler {
  GrpcStream& stream;
  explicit Acknowledger(GrpcStream& call) : stream(call) { stream.send({.head = "hello"}); }
  void on_message(std::string_view) override { stream.send({.head = "ack"}); }
  void on_closed(GrpcStatus) override {}
};

int run_clients(uint16_t port, size_t count, const std::string& ca) {
  Loops loops(1);
  const auto tls = *make_tls_client({.ca_pem = ca});
  std::vector<std::unique_ptr<GrpcChannel>> channels;
  for (size_t i = 0; i < count; ++i) {
    channels.push_back(std::make_unique<GrpcChannel>(
        loops.next(), ChannelOptions{.host = "127.0.0.1", .port = port, .tls = tls, .connect_timeout = 100s}));
    channels.back()->open_stream("/bench.Bench/Stream", {}, [](GrpcStream& stream) { return std::make_unique<Acknowledger>(stream); });
  }
  ::pause();
  return 0;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Stopwatch {
 public:
  std::string lap() {
    const double cpu = cpu_seconds();
    const auto now = system_clock().monotonic_now();
    const auto text = fmt::format("{:6.2f} s CPU, {:6.2f} s", cpu - cpu_, std::chrono::duration<double>(now - wall_).count());
    cpu_ = cpu;
    wall_ = now;
    return text;
  }

 private:
  double cpu_ = cpu_seconds();
  MonotonicTime wall_ = system_clock().monotonic_now();
};

int run(size_t count, bool rsa) {
  const auto pair = testing::make_certificate("IP:127.0.0.1", rsa);
  std::array<int, 2> port_pipe{};
  if (::pipe(port_pipe.data()) != 0) {
    return 1;
  }
  const pid_t clients = ::fork();
  if (clients == 0) {
    uint16_t port = 0;
    return ::read(port_pipe[0], &port, sizeof(port)) == sizeof(port) ? run_clients(port, count, pair.certificate_pem) : 1;
  }
  Loops loops(2);
  Server server(loops, {.name = "bench", .address = "127.0.0.1",
                        .tls = *make_tls_server({.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem}),
                        .limits = {.handshakes_max = 100'000, .handshake_timeout = 100s}});
  Counter heard;
  std::mutex streams_mutex;
  std::vector<GrpcStream*> streams;
  server.handle_stream("/bench.Bench/Stream", [&](GrpcStream& stream) {
    std::lock_guard lock(streams_mutex);
    streams.push_back(&stream);
    return std::make_unique<Subscriber>(heard);
  });
  bool ok = server.start().ok();
  const uint16_t port = server.port();
  const size_t before = resident_bytes();
  Stopwatch watch;
  ok = ok && ::write(port_pipe[1], &port, sizeof(port)) == sizeof(port) && heard.wait_for(count);
  fmt::print("{} streams over TLS with {}\n", count, rsa ? "RSA-2048" : "ECDSA P-256");
  fmt::print("connect           {}, {} KiB resident a stream\n", watch.lap(), (resident_bytes() - before) / 1024 / count);

  const auto push = [&](std::string_view what, size_t size, size_t round) {
    const auto body = share_bytes(std::string(size, 'x'));
    watch.lap();
    for (GrpcStream* stream : streams) {
      stream->loop().post([stream, body] { stream->send({.head = "version-and-nonce", .pieces = {body}}); });
    }
    ok = ok && heard.wait_for(count * (round + 1));
    fmt::print("{:<18}{}, {} MiB resident in all\n", what, watch.lap(), resident_bytes() >> 20);
  };
  push("256 KiB to all", 256 * 1024, 1);
  push("256 KiB again", 256 * 1024, 2);
  push("2 KiB to all", 2 * 1024, 3);
  push("2 KiB again", 2 * 1024, 4);
  fmt::print("idle again        {} KiB resident a stream\n", (resident_bytes() - before) / 1024 / count);
  ::kill(clients, SIGTERM);
  ::waitpid(clients, nullptr, 0);
  server.stop(0s);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace kuma::net

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? static_cast<size_t>(std::atol(argv[1])) : 3000;
  return kuma::net::run(count, argc > 2 && std::string_view(argv[2]) == "rsa");
}
