// Many proxies that are connected and have nothing to do: xds_idle KUMA_CP [PROXIES].
//
// Starts a control plane, registers that many dataplanes, opens an ADS stream for each (a connection each, over TLS), a few at
// a time, asks for clusters and listeners and acknowledges what comes. Then nothing changes: measured are the memory and the
// CPU of the control plane.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "fmt/format.h"
#include "net/client.h"

namespace kuma {
namespace {

using namespace std::chrono_literals;
namespace discovery = envoy::service::discovery::v3;

constexpr const char* kMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
constexpr const char* kTypes[] = {"type.googleapis.com/envoy.config.cluster.v3.Cluster", "type.googleapis.com/envoy.config.listener.v3.Listener"};
constexpr int kConnectingMax = 200;

// Ends the program, and with it the control plane.
[[noreturn]] void fail(const std::string& message) {
  std::cerr << message << '\n';
  std::exit(1);
}

double milliseconds_since(MonotonicTime begin) {
  return std::chrono::duration<double, std::milli>(system_clock().monotonic_now() - begin).count();
}

// The milliseconds until it holds; fails after `limit`.
double wait_until(std::string_view what, std::chrono::seconds limit, const std::function<bool()>& condition) {
  const MonotonicTime begin = system_clock().monotonic_now();
  while (!condition()) {
    if (system_clock().monotonic_now() - begin > limit) {
      fail(fmt::format("{}: not within {} s", what, limit.count()));
    }
    std::this_thread::sleep_for(1ms);
  }
  return milliseconds_since(begin);
}

// A control plane with a store in memory on ports of its own, ended with this object.
class ChildProcess {
 public:
  // `more`: NAME=value of its environment.
  ChildProcess(const std::string& program, const std::string& mode, const std::vector<std::string>& more = {}) {
    std::string folder = "/tmp/load.XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) {
      fail("no temporary folder");
    }
    folder_ = folder;
    const uint16_t first = static_cast<uint16_t>(20'000 + getpid() % 20'000);
    uint16_t next = first;
    for (const char* name : {"KUMA_API_SERVER_HTTP_PORT", "KUMA_API_SERVER_HTTPS_PORT", "KUMA_DP_SERVER_PORT", "KUMA_DIAGNOSTICS_SERVER_PORT",
                             "KUMA_INTER_CP_SERVER_PORT", "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT", "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT"}) {
      ports_[name] = next++;
    }
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (const auto& [name, port] : ports_) {
        setenv(name.c_str(), std::to_string(port).c_str(), 1);
      }
      setenv("KUMA_MODE", mode.c_str(), 1);
      setenv("KUMA_ENVIRONMENT", "universal", 1);
      setenv("KUMA_STORE_TYPE", "memory", 1);
      setenv("KUMA_GENERAL_WORK_DIR", folder_.c_str(), 1);
      setenv("KUMA_API_SERVER_HTTP_INTERFACE", "127.0.0.1", 1);
      for (const std::string& one : more) {
        const size_t at = one.find('=');
        setenv(one.substr(0, at).c_str(), one.substr(at + 1).c_str(), 1);
      }
      if (std::freopen((folder_ + "/log").c_str(), "w", stdout) != nullptr) {
        dup2(fileno(stdout), 2);
      }
      execl(program.c_str(), program.c_str(), "run", nullptr);
      _exit(127);
    }
  }
  ~ChildProcess() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  uint16_t port(const std::string& variable) const { return ports_.at(variable); }

  absl::StatusOr<net::HttpResponse> call(const std::string& method, const std::string& path, const std::string& body = "") const {
    net::HttpCall call;
    call.method = method;
    call.url = fmt::format("http://127.0.0.1:{}{}", port("KUMA_API_SERVER_HTTP_PORT"), path);
    call.headers.add("content-type", "application/json");
    call.body = body;
    return net::http_call(std::move(call));
  }
  bool has(const std::string& path) const {
    const auto response = call("GET", path);
    return response.ok() && response->status == 200;
  }
  void put(const std::string& path, const std::string& body) const {
    const auto response = call("PUT", path, body);
    if (!response.ok() || response->status / 100 != 2) {
      fail(fmt::format("PUT {}: {}", path, response.ok() ? response->body : std::string(message_of(response.status()))));
    }
  }

  double cpu_seconds() const {
    std::ifstream in(fmt::format("/proc/{}/stat", pid_));
    std::string stat((std::istreambuf_iterator<char>(in)), {});
    std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
    std::string skipped;
    long user = 0, system = 0;
    for (int i = 0; i < 11; ++i) {
      rest >> skipped;
    }
    rest >> user >> system;
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  long resident_mib() const {
    std::ifstream in(fmt::format("/proc/{}/statm", pid_));
    long all = 0, resident = 0;
    in >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE) / (1024 * 1024);
  }

 private:
  std::string folder_;
  std::map<std::string, uint16_t> ports_;  // by variable
  pid_t pid_ = 0;
};

// What became of all streams.
struct Counts {
  std::atomic<int> answered{0};  // streams that got clusters and listeners
  std::atomic<int> closed{0};
};

class Proxy final : public net::GrpcStreamHandler {
 public:
  Proxy(net::GrpcStream& stream, const std::string& name, Counts& counts) : stream_(stream), counts_(counts) {
    for (const char* type : kTypes) {
      discovery::DiscoveryRequest request;
      request.mutable_node()->set_id("default." + name);
      request.set_type_url(type);
      send(request);
    }
  }
  void on_message(std::string_view bytes) override {
    discovery::DiscoveryResponse response;
    if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return;  // the stream is never counted as answered
    }
    discovery::DiscoveryRequest request;
    request.set_type_url(response.type_url());
    request.set_version_info(response.version_info());
    request.set_response_nonce(response.nonce());
    send(request);
    if (++responses_ == std::size(kTypes)) {
      ++counts_.answered;
    }
  }
  void on_half_close() override {}
  void on_closed(net::GrpcStatus) override { ++counts_.closed; }

 private:
  void send(const discovery::DiscoveryRequest& request) { stream_.send({.head = request.SerializeAsString(), .pieces = {}}); }

  net::GrpcStream& stream_;
  Counts& counts_;
  size_t responses_ = 0;
};

void run(const std::string& program, int count) {
  const ChildProcess control_plane(program, "standalone", {"KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE=none"});
  wait_until("the control plane starts", 30s, [&] { return control_plane.has("/meshes/default"); });
  for (int i = 0; i < count; ++i) {
    control_plane.put(fmt::format("/meshes/default/dataplanes/dp-{}", i),
                      fmt::format(R"({{"type": "Dataplane", "mesh": "default", "name": "dp-{0}", "networking": {{"address": "10.{1}.{2}.{3}", "inbound": [{{"port": 80, )"
                                  R"("tags": {{"kuma.io/service": "svc-{4}", "kuma.io/protocol": "http"}}}}]}}}})",
                                  i, i >> 16, i >> 8 & 255, i & 255, i / 4));
  }
  const long before = control_plane.resident_mib();
  const auto tls = net::make_tls_client({.verify = false});
  net::Loops loops(1);
  Counts counts;
  std::vector<std::unique_ptr<net::GrpcChannel>> channels;
  double cpu = control_plane.cpu_seconds();
  const MonotonicTime begin = system_clock().monotonic_now();
  for (int i = 0; i < count; ++i) {
    wait_until("proxies are answered", 60s, [&] { return i - counts.answered < kConnectingMax; });
    channels.push_back(std::make_unique<net::GrpcChannel>(
        loops.at(0), net::ChannelOptions{.host = "127.0.0.1", .port = control_plane.port("KUMA_DP_SERVER_PORT"), .tls = *tls, .keepalive_interval = 1h}));
    channels.back()->open_stream(kMethod, {}, [&counts, name = fmt::format("dp-{}", i)](net::GrpcStream& stream) { return std::make_unique<Proxy>(stream, name, counts); });
  }
  wait_until("proxies are answered", 60s, [&] { return counts.answered == count; });
  std::cout << fmt::format("connect: {} proxies in {:.2f}s cpu={:.2f}s rss={}MiB (before: {}MiB)\n", count, milliseconds_since(begin) / 1000,
                           control_plane.cpu_seconds() - cpu, control_plane.resident_mib(), before);
  std::this_thread::sleep_for(5s);
  cpu = control_plane.cpu_seconds();
  std::this_thread::sleep_for(20s);
  std::cout << fmt::format("idle: cpu={:.2f}% of one core rss={}MiB closed={}\n", (control_plane.cpu_seconds() - cpu) * 5, control_plane.resident_mib(),
                           counts.closed.load());
  channels.clear();
  loops.stop();
}

}  // namespace
}  // namespace kuma

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: xds_idle KUMA_CP [PROXIES]\n";
    return 1;
  }
  kuma::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 10'000);
  return 0;
}
