#include "kds/grpc_link.h"

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "insight/subscriptions.h"
#include "kds/testing.h"
#include "kds/zone.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "net/testing.h"
#include "net/worker_pool.h"

namespace kuma::kds {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// A condition that another thread brings about.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = 60s) {
  const auto end = system_clock().monotonic_now() + limit;
  while (!condition()) {
    if (system_clock().monotonic_now() > end) {
      return false;
    }
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

const model::Registry& all_types() {
  static const model::Registry registry = manager::testing::all_types();
  return registry;
}

struct Site {
  explicit Site(size_t threads = 1) : store(store::make_memory_store(registry, system_clock())), loops(1), workers(threads) {}

  void put(std::string_view yaml) {
    const auto stored = store->create(testing::make(registry, yaml));
    EXPECT_TRUE(stored.ok()) << stored.status();
  }
  bool has(std::string_view type, const model::ResourceKey& key) const { return store->get(*registry.find(type), key).ok(); }
  size_t count(std::string_view type) const { return store->list({.type = registry.find(type)}).items.size(); }

  const model::Registry& registry = all_types();
  std::shared_ptr<store::Store> store;
  net::Loops loops;
  net::WorkerPool workers;
};

struct GlobalSite : Site {
  explicit GlobalSite(Global::Options options = {}, net::ServerOptions server_options = {}) : Site(2) {
    manager = std::make_unique<manager::ResourceManager>(manager::ResourceManager::Parts{registry, *store, keys, pending, system_clock()},
                                                         manager::Options{.mode = manager::Mode::Global});
    options.instance_id = "global-1";
    options.insights.instance_id = "global-1";
    options.insights.flush_interval = 100ms;
    global = std::make_unique<Global>(
        Global::Parts{.registry = registry, .store = *store, .manager = *manager, .clock = system_clock(), .executor = loops.at(0), .workers = workers,
                      .metrics = &metrics, .make_id = [this] { return fmt::format("id-{}", ++last_id); },
                      .authenticate = [this](const std::string& zone, const std::string& token) {
                        return !authenticated || token == "token of " + zone ? absl::OkStatus() : absl::UnauthenticatedError("this is no token of the zone");
                      }},
        std::move(options));
    global->start();
    server_options.address = "127.0.0.1";
    server = std::make_unique<net::Server>(loops, std::move(server_options));
    serve_global(*server, *global);
    EXPECT_TRUE(server->start().ok());
    put("{type: Mesh, name: default}");
  }
  ~GlobalSite() {
    server->stop(0s);
    workers.stop();
    loops.stop();
    global->stop();
  }
  system::v1alpha1::ZoneInsight insight(const std::string& zone) const {
    const auto stored = store->get(*registry.find("ZoneInsight"), {"", zone});
    return stored.ok() ? (*stored)->as<system::v1alpha1::ZoneInsight>() : system::v1alpha1::ZoneInsight();
  }
  // Whether the insight of a zone tells of a problem with this text.
  bool tells(const std::string& zone, const std::string& text) const {
    const auto shown = insight(zone);
    return std::any_of(shown.problems().begin(), shown.problems().end(), [&](const auto& one) { return one.message().find(text) != std::string::npos; });
  }

  security::testing::ManualExecutor key_executor;
  security::KeyPool keys{key_executor, security::KeyPoolLimits{.ready_count = 0}, []() -> absl::StatusOr<security::PrivateKey> { return security::testing::rsa_key(); }};
  manager::PendingSecrets pending;
  std::unique_ptr<manager::ResourceManager> manager;
  observe::Metrics metrics;
  std::atomic<bool> authenticated = false;
  std::atomic<int> last_id = 0;
  std::unique_ptr<Global> global;
  std::unique_ptr<net::Server> server;
};

struct ZoneSite : Site {
  explicit ZoneSite(uint16_t port, Zone::Options options = {}, std::string first_token = "") : ZoneSite(net::ChannelOptions{.host = "127.0.0.1", .port = port}, std::move(options), std::move(first_token)) {}
  // `disk`: what a former process has left; null: nothing.
  ZoneSite(net::ChannelOptions channel, Zone::Options options, std::string first_token = "", std::shared_ptr<store::Store> disk = nullptr,
           std::chrono::nanoseconds clock_off = 0s)
      : clock(system_clock(), clock_off), token(std::move(first_token)) {
    store = disk == nullptr ? store : std::move(disk);
    options.name = "east";
    options.instance_id = options.instance_id.empty() ? "east-1" : options.instance_id;
    options.pause_max = 100ms;
    options.pause_min = 10ms;
    zone = std::make_unique<Zone>(
        Zone::Parts{.registry = registry, .store = *store, .clock = clock, .executor = loops.at(0), .workers = workers,
                    .connect = make_connect(loops.at(0), std::move(channel)),
                    .fetch_page = [](const model::ResourcePtr& proxy, const std::string& page, const PageDone& done) { done(page + " of " + proxy->meta.name); },
                    .random = [] { return 0.5; },
                    .read_token = [this] {
                      const std::lock_guard lock(token_mutex);
                      return token;
                    }},
        std::move(options));
    zone->start();
  }
  ~ZoneSite() {
    workers.stop();
    // Its connection closes on the loop that it lives on.
    std::atomic<bool> closed = false;
    loops.at(0).post([&] {
      zone->stop();
      closed = true;
    });
    EXPECT_TRUE(eventually([&] { return closed.load(); }));
    loops.stop();
  }
  void set_token(std::string text) {
    const std::lock_guard lock(token_mutex);
    token = std::move(text);
  }

  const testing::OffClock clock;
  std::mutex token_mutex;  // guards the token
  std::string token;
  std::unique_ptr<Zone> zone;
};

constexpr std::string_view kDataplane =
    "{{type: Dataplane, mesh: default, name: {}, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{kuma.io/service: web, kuma.io/zone: east}}}}]}}}}";
constexpr std::string_view kPolicy =
    "{{type: MeshTimeout, mesh: default, name: {}, spec: {{targetRef: {{kind: Mesh}}, to: [{{targetRef: {{kind: Mesh}}, default: {{idleTimeout: 1s}}}}]}}}}";

class GrpcLinkTest : public ::testing::TestWithParam<Protocol> {
 protected:
  static void SetUpTestSuite() { set_log_level("off"); }
  static void TearDownTestSuite() { set_log_level("info"); }
  static Zone::Options zone_options() { return {.delta = GetParam() == Protocol::Delta}; }
};

INSTANTIATE_TEST_SUITE_P(Protocols, GrpcLinkTest, ::testing::Values(Protocol::Delta, Protocol::StateOfTheWorld),
                         [](const auto& param) { return param.param == Protocol::Delta ? "Delta" : "StateOfTheWorld"; });

TEST_P(GrpcLinkTest, A_zone_with_a_wrong_token_is_refused_with_the_reason_and_let_in_with_the_right_one) {
  GlobalSite global;
  global.put("{type: Zone, name: east}");
  global.authenticated = true;
  ZoneSite zone(global.server->port(), zone_options(), "token of west");
  EXPECT_TRUE(eventually([&] { return global.tells("east", "was refused: this is no token of the zone"); }));
  EXPECT_FALSE(zone.has("Mesh", {"", "default"}));
  EXPECT_FALSE(insight::is_online(global.insight("east").subscriptions()));
  zone.set_token("token of east");
  EXPECT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}); }));
  EXPECT_TRUE(eventually([&] { return insight::is_online(global.insight("east").subscriptions()); }));
}

TEST_P(GrpcLinkTest, A_zone_that_never_registered_is_told_of_until_it_is_let_in) {
  GlobalSite global;
  global.authenticated = true;
  ZoneSite zone(global.server->port(), zone_options(), "token of west");
  const auto tells = [&] {
    const auto refused = global.global->refusals().list();
    return !refused.empty() && refused.front().zone == "east" && refused.front().count > 0 &&
           refused.front().message == "a control plane that wanted to connect as this zone was refused: this is no token of the zone";
  };
  EXPECT_TRUE(eventually(tells));
  EXPECT_FALSE(global.has("Zone", {"", "east"})) << "strangers make no zones";
  EXPECT_GT(global.metrics.counter("kds_connections_refused", "", {{"reason", "token"}}).value(), 0);
  zone.set_token("token of east");
  EXPECT_TRUE(eventually([&] { return global.has("Zone", {"", "east"}) && global.global->refusals().list().empty(); }));
}

TEST_P(GrpcLinkTest, A_zone_of_the_old_protocol_at_a_global_that_has_it_off_is_told_of) {
  GlobalSite global({.disable_sotw = true});
  ZoneSite zone(global.server->port(), {.delta = false});
  EXPECT_TRUE(eventually([&] {
    const auto refused = global.global->refusals().list();
    return !refused.empty() && refused.front().zone == "east" && refused.front().message.find("KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED=true") != std::string::npos;
  }));
}

TEST_P(GrpcLinkTest, A_second_control_plane_under_a_taken_name_is_refused_and_the_zones_insight_tells) {
  GlobalSite global;
  ZoneSite first(global.server->port(), zone_options());
  ASSERT_TRUE(eventually([&] { return first.has("Mesh", {"", "default"}) && global.has("Zone", {"", "east"}); }));
  Zone::Options second_options = zone_options();
  second_options.instance_id = "impostor";
  ZoneSite second(global.server->port(), second_options);
  EXPECT_TRUE(eventually([&] { return global.tells("east", "a second control plane (impostor) that wanted to connect as this zone was refused: east-1 is connected"); }));
  EXPECT_FALSE(second.has("Mesh", {"", "default"}));
  second.put(fmt::format(kDataplane, "of-second"));
  first.put(fmt::format(kDataplane, "of-first"));
  EXPECT_TRUE(eventually([&] { return global.has("Dataplane", {"default", "east.of-first"}); }));
  EXPECT_FALSE(global.has("Dataplane", {"default", "east.of-second"}));
}

TEST_P(GrpcLinkTest, A_zone_whose_clock_is_off_loses_nothing_and_its_insight_tells) {
  GlobalSite global;
  ZoneSite zone({.host = "127.0.0.1", .port = global.server->port()}, zone_options(), "", nullptr, -26h);
  zone.put(fmt::format(kDataplane, "web"));
  EXPECT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}) && global.has("Dataplane", {"default", "east.web"}); }));
  EXPECT_TRUE(eventually([&] { return global.tells("east", "is 1560 minutes behind the global's"); })) << global.insight("east").DebugString();
}

TEST_P(GrpcLinkTest, A_message_over_what_the_global_takes_ends_the_stream_and_the_zones_insight_tells) {
  net::ServerOptions small;
  small.limits.grpc_message_size_max = 50'000;
  GlobalSite global({}, small);
  ZoneSite zone(global.server->port(), zone_options());
  ASSERT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}) && global.has("Zone", {"", "east"}); }));
  zone.put(fmt::format("{{type: Dataplane, mesh: default, name: large, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{kuma.io/service: web, "
                       "kuma.io/zone: east, large: {}}}}}]}}}}", std::string(60'000, 'x')));
  EXPECT_TRUE(eventually([&] { return global.tells("east", "was ended: received message larger than max"); })) << global.insight("east").DebugString();
  EXPECT_TRUE(eventually([&] {
    return global.tells("east", "it begins with Dataplane \"large\" of mesh \"default\" of 60") && global.tells("east", "raise KUMA_MULTIZONE_GLOBAL_KDS_MAX_MSG_SIZE");
  })) << global.insight("east").DebugString();
  global.put(fmt::format(kPolicy, "after"));
  EXPECT_TRUE(eventually([&] { return zone.has("MeshTimeout", {"default", "after"}); }));
  EXPECT_TRUE(zone.store->remove(*all_types().find("Dataplane"), {"default", "large"}).ok());
  zone.put(fmt::format(kDataplane, "small"));
  EXPECT_TRUE(eventually([&] { return global.has("Dataplane", {"default", "east.small"}); }));
}

TEST_P(GrpcLinkTest, A_resource_over_the_limit_is_left_out_and_named_in_the_zones_insight) {
  GlobalSite global({.message_size_max = 80 * 1024});
  ZoneSite zone(global.server->port(), zone_options());
  ASSERT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}); }));
  global.put(fmt::format("{{type: Secret, mesh: default, name: large, data: {}}}", base64_encode(std::string(100'000, 'x'))));
  EXPECT_TRUE(eventually([&] { return global.tells("east", "\"large\"") && global.tells("east", "KDS_MAX_MSG_SIZE"); })) << global.insight("east").DebugString();
  global.put(fmt::format(kPolicy, "after"));
  EXPECT_TRUE(eventually([&] { return zone.has("MeshTimeout", {"default", "after"}); }));
  EXPECT_FALSE(zone.has("Secret", {"default", "large"}));
}

// A listener that accepts and is silent, as a host that has lost its network.
struct SilentHost {
  SilentHost() : listener(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener, 16), 0);
    EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port = ntohs(address.sin_port);
  }
  ~SilentHost() { ::close(listener); }
  int listener;
  uint16_t port = 0;
};

TEST_P(GrpcLinkTest, A_zone_leaves_a_connection_on_which_nothing_comes_any_more) {
  SilentHost silent;
  GlobalSite global;
  std::atomic<int> dials = 0;
  net::Loops loops(1);
  const Connect to_silent = make_connect(loops.at(0), {.host = "127.0.0.1", .port = silent.port, .keepalive_interval = 50ms, .keepalive_timeout = 50ms});
  const Connect to_global = make_connect(loops.at(0), {.host = "127.0.0.1", .port = global.server->port()});
  Site site;
  Zone::Options options = zone_options();
  options.name = "east";
  options.pause_min = options.pause_max = 10ms;
  Zone zone({.registry = site.registry, .store = *site.store, .clock = system_clock(), .executor = loops.at(0), .workers = site.workers,
             .connect = [&] { return ++dials <= 2 ? to_silent() : to_global(); },
             .fetch_page = [](const model::ResourcePtr&, const std::string&, const PageDone& done) { done(""); }, .random = [] { return 0.5; }},
            options);
  zone.start();
  EXPECT_TRUE(eventually([&] { return site.has("Mesh", {"", "default"}); }));
  EXPECT_EQ(dials, 3);
  site.workers.stop();
  std::atomic<bool> closed = false;
  loops.at(0).post([&] {
    zone.stop();
    closed = true;
  });
  EXPECT_TRUE(eventually([&] { return closed.load(); }));
  loops.stop();
}

// Forwards to a port until it is told to be silent: then both sides keep connections on which nothing comes any more.
class Relay {
 public:
  explicit Relay(uint16_t target) : target_(target), thread_([this] { run(); }) {}
  ~Relay() {
    stop_ = true;
    thread_.join();
    for (const auto& [from, to] : pairs_) {
      ::close(from);
    }
  }
  uint16_t port() const { return host_.port; }
  // Connections that come later are forwarded.
  void silence() { silenced_ = true; }

 private:
  void run() {
    while (!stop_) {
      if (silenced_.exchange(false)) {
        dead_ = pairs_.size();
      }
      std::vector<pollfd> waits = {{.fd = host_.listener, .events = POLLIN, .revents = 0}};
      for (size_t i = dead_; i < pairs_.size(); ++i) {
        waits.push_back({.fd = pairs_[i].first, .events = POLLIN, .revents = 0});
      }
      ::poll(waits.data(), waits.size(), 10);
      for (size_t i = 1; i < waits.size(); ++i) {
        forward(dead_ + i - 1, waits[i].revents);
      }
      if ((waits[0].revents & POLLIN) != 0) {
        const int from = ::accept(host_.listener, nullptr, nullptr);
        const int to = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(target_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        pairs_.emplace_back(from, to);
        pairs_.emplace_back(to, from);
      }
    }
  }
  void forward(size_t index, short events) {
    if (events == 0) {
      return;
    }
    std::array<char, 65536> buffer{};
    const auto [from, to] = pairs_[index];
    const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
    if (got <= 0 || ::send(to, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) {
      ::shutdown(to, SHUT_RDWR);
      ::shutdown(from, SHUT_RDWR);
    }
  }

  SilentHost host_;
  const uint16_t target_;
  std::vector<std::pair<int, int>> pairs_;  // from, to
  size_t dead_ = 0;                         // as many of the first are silent
  std::atomic<bool> silenced_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_P(GrpcLinkTest, After_a_half_open_connection_both_sides_go_on_with_a_new_one) {
  net::ServerOptions server;
  server.limits.keepalive_interval = server.limits.keepalive_timeout = 200ms;
  GlobalSite global({}, server);
  Relay relay(global.server->port());
  ZoneSite zone({.host = "127.0.0.1", .port = relay.port(), .keepalive_interval = 200ms, .keepalive_timeout = 200ms}, zone_options());
  ASSERT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}); }));
  relay.silence();
  global.put(fmt::format(kPolicy, "meanwhile"));
  zone.put(fmt::format(kDataplane, "meanwhile"));
  EXPECT_TRUE(eventually([&] { return zone.has("MeshTimeout", {"default", "meanwhile"}); }));
  EXPECT_TRUE(eventually([&] { return global.has("Dataplane", {"default", "east.meanwhile"}); }));
}

TEST_P(GrpcLinkTest, Five_thousand_policies_and_five_thousand_dataplanes_at_once_reach_the_other_side) {
  constexpr size_t kCount = 5000;
  GlobalSite global;
  ZoneSite zone(global.server->port(), zone_options());
  ASSERT_TRUE(eventually([&] { return zone.has("Mesh", {"", "default"}); }));
  const model::Resource policy = testing::make(global.registry, fmt::format(kPolicy, "p"));
  const model::Resource dataplane = testing::make(zone.registry, fmt::format(kDataplane, "d"));
  const auto write = [](Site& site, model::Resource resource) {
    for (size_t i = 0; i < kCount; ++i) {
      resource.meta.name = fmt::format("r{}", i);
      EXPECT_TRUE(site.store->create(resource).ok());
    }
  };
  std::thread user([&] { write(global, policy); });
  write(zone, dataplane);
  user.join();
  EXPECT_TRUE(eventually([&] { return zone.count("MeshTimeout") == kCount && global.count("Dataplane") == kCount; }, 120s))
      << zone.count("MeshTimeout") << " policies, " << global.count("Dataplane") << " dataplanes";
}

TEST(GrpcLinkSwitchTest, A_zone_goes_from_one_protocol_to_the_other_and_back_and_loses_nothing) {
  set_log_level("off");
  GlobalSite global;
  std::shared_ptr<store::Store> disk;
  for (size_t run = 0; run < 4; ++run) {
    // While the zone is away: something new, and the oldest goes.
    const std::string name = fmt::format("r{}", run);
    global.put(fmt::format(kPolicy, name));
    if (run > 0) {
      EXPECT_TRUE(global.store->remove(*all_types().find("MeshTimeout"), {"default", fmt::format("r{}", run - 1)}).ok());
    }
    ZoneSite zone({.host = "127.0.0.1", .port = global.server->port()}, {.instance_id = fmt::format("east-{}", run), .delta = run % 2 == 0}, "", disk);
    disk = zone.store;
    zone.put(fmt::format(kDataplane, name));
    EXPECT_TRUE(eventually([&] { return zone.has("MeshTimeout", {"default", name}) && zone.count("MeshTimeout") == 1; })) << run;
    EXPECT_TRUE(eventually([&] { return global.has("Dataplane", {"default", "east." + name}) && global.count("Dataplane") == run + 1; })) << run;
    // And while it is here.
    global.put(fmt::format(kPolicy, name + "-live"));
    EXPECT_TRUE(eventually([&] { return zone.has("MeshTimeout", {"default", name + "-live"}); }));
    EXPECT_TRUE(global.store->remove(*all_types().find("MeshTimeout"), {"default", name + "-live"}).ok());
    EXPECT_TRUE(eventually([&] { return zone.count("MeshTimeout") == 1; }));
  }
  EXPECT_EQ(global.count("Dataplane"), 4);
  set_log_level("info");
}

}  // namespace
}  // namespace kuma::kds
