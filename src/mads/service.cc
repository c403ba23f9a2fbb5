#include "mads/service.h"

#include <atomic>
#include <map>
#include <optional>

#include "base/status.h"
#include "base/text.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace kuma::mads {
namespace {

using ::envoy::service::discovery::v3::DiscoveryRequest;
using SnapshotPtr = std::shared_ptr<const Snapshot>;
using std::chrono::nanoseconds;

constexpr std::string_view kPath = "/v3/discovery:monitoringassignments";
constexpr char kStream[] = "/kuma.observability.v1.MonitoringAssignmentDiscoveryService/StreamMonitoringAssignments";
constexpr char kFetch[] = "/kuma.observability.v1.MonitoringAssignmentDiscoveryService/FetchMonitoringAssignments";
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcResourceExhausted = 8;

net::HttpResponse text(int status, std::string body) {
  net::HttpResponse response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("content-type", "text/plain; charset=utf-8");
  return response;
}

net::HttpResponse json_answer(int status, const json::value& body) {
  net::HttpResponse response{.status = status, .headers = {}, .body = to_json(body)};
  response.headers.add("content-type", "application/json");
  return response;
}

net::HttpResponse refusal(std::string_view title, std::string_view detail) {
  return json_answer(400, json::object{{"type", ""}, {"status", 0}, {"title", title}, {"detail", detail}, {"details", detail}});
}

bool is_relevant(const model::Change& change) {
  const model::ResourcePtr& one = change.after != nullptr ? change.after : change.before;
  const std::string_view type = one->type->name;
  return type == "Mesh" || type == "Dataplane" || type == "MeshGateway";
}

// A value of the query, still encoded: durations need no decoding.
std::optional<std::string_view> query_value(std::string_view target, std::string_view name) {
  size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const size_t end = std::min(target.find('&', at + 1), target.size());
    const std::string_view pair = target.substr(at + 1, end - at - 1);
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
      return pair.substr(name.size() + 1);
    }
    at = end == target.size() ? std::string_view::npos : end;
  }
  return std::nullopt;
}

}  // namespace

// All members but `subscription` and `options` are of the executor.
struct Service::Impl : std::enable_shared_from_this<Service::Impl> {
  Impl(Options given, const model::Registry& types, store::Store& where, TimerExecutor& runs_on)
      : options(given), registry(types), store(where), executor(runs_on) {}

  // Who waits for a snapshot of another version than this.
  struct Waiter {
    std::string version;
    std::function<void(SnapshotPtr)> tell;  // null pointer: nothing new within the time
    std::shared_ptr<void> timeout;          // null: it waits on and is told each time
  };

  const Options options;
  const model::Registry& registry;
  store::Store& store;
  TimerExecutor& executor;
  std::unique_ptr<store::Subscription> subscription;
  std::atomic<bool> refresh_posted = false;
  bool stopped = false;
  bool old = true;  // the snapshot may differ from the store
  SnapshotPtr snapshot;
  std::shared_ptr<void> pause;  // until the snapshot may be made anew; null: now
  std::map<uint64_t, Waiter> waiters;
  uint64_t next_waiter = 1;

  void start() {
    subscription = store.subscribe([self = weak_from_this()](std::span<const model::Change> changes) {
      const auto impl = self.lock();
      if (impl == nullptr || !std::ranges::any_of(changes, is_relevant) || impl->refresh_posted.exchange(true)) {
        return;
      }
      impl->executor.post([self] {
        if (const auto held = self.lock()) {
          held->refresh_posted = false;
          held->old = true;
          held->refresh_soon();
        }
      });
    });
  }

  // At once after a quiet interval, else when the interval ends. Only when somebody waits.
  void refresh_soon() {
    if (stopped || waiters.empty() || pause != nullptr) {
      return;
    }
    refresh();
    const SnapshotPtr now = snapshot;
    std::vector<std::function<void(SnapshotPtr)>> told;
    for (auto waiter = waiters.begin(); waiter != waiters.end();) {
      if (waiter->second.version == now->version) {
        ++waiter;
        continue;
      }
      waiter->second.version = now->version;
      told.push_back(waiter->second.tell);
      waiter = waiter->second.timeout != nullptr ? waiters.erase(waiter) : std::next(waiter);
    }
    for (const auto& tell : told) {
      tell(now);
    }
  }

  void refresh() {
    if (!old) {
      return;
    }
    old = false;
    auto made = std::make_shared<const Snapshot>(make_snapshot(find_assignments(registry, store)));
    if (snapshot == nullptr || snapshot->version != made->version) {
      snapshot = std::move(made);
    }
    pause = executor.post_after(options.refresh_interval, [self = weak_from_this()] {
      if (const auto held = self.lock()) {
        held->pause = nullptr;
        if (held->old) {
          held->refresh_soon();
        }
      }
    });
  }

  // The newest snapshot, now, when its version is another; else when it is, or nothing after the timeout.
  void fetch(std::string version, nanoseconds timeout, std::function<void(SnapshotPtr)> tell) {
    if (stopped) {
      return;
    }
    if (snapshot == nullptr || pause == nullptr) {
      refresh();
    }
    if (version != snapshot->version || timeout <= nanoseconds(0) || waiters.size() >= options.waiting_max) {
      tell(version != snapshot->version ? snapshot : nullptr);
      return;
    }
    const uint64_t id = next_waiter++;
    auto timer = executor.post_after(timeout, [self = weak_from_this(), id] {
      const auto held = self.lock();
      if (held == nullptr) {
        return;
      }
      if (auto node = held->waiters.extract(id); !node.empty()) {
        node.mapped().tell(nullptr);
      }
    });
    waiters.emplace(id, Waiter{std::move(version), std::move(tell), std::move(timer)});
  }

  // Told of the snapshot and of each later one until unwatch(). 0: too many wait.
  uint64_t watch(std::string version, std::function<void(SnapshotPtr)> tell) {
    if (stopped || waiters.size() >= options.waiting_max) {
      return 0;
    }
    const uint64_t id = next_waiter++;
    waiters.emplace(id, Waiter{std::move(version), std::move(tell), nullptr});
    if (snapshot == nullptr || pause == nullptr) {
      refresh_soon();
    }
    auto found = waiters.find(id);
    if (snapshot != nullptr && found != waiters.end() && found->second.version != snapshot->version) {
      found->second.version = snapshot->version;
      found->second.tell(snapshot);
    }
    return id;
  }

  void stop_here() {
    stopped = true;
    subscription = nullptr;
    pause = nullptr;
    waiters.clear();
  }
};

namespace {

// One stream: sends what is new, takes note of what is acknowledged. Lives on the stream's loop; the service reaches it
// through `self`, which ends with the call.
template <typename Impl>
class StreamHandler : public net::GrpcStreamHandler {
 public:
  StreamHandler(net::GrpcStream& stream, std::shared_ptr<Impl> impl)
      : stream_(stream), impl_(std::move(impl)), self_(std::make_shared<StreamHandler*>(this)) {}

  void on_message(std::string_view bytes) override {
    DiscoveryRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      stream_.finish({kGrpcInvalidArgument, "the message is no DiscoveryRequest"});
      return;
    }
    if (watching_) {
      return;  // an acknowledgement or a refusal: what is next is sent when it is there
    }
    watching_ = true;
    auto id = id_ = std::make_shared<uint64_t>(0);
    net::Loop* loop = &stream_.loop();
    auto tell = [loop, weak = std::weak_ptr<StreamHandler*>(self_)](SnapshotPtr snapshot) {
      loop->post([weak, snapshot] {
        if (const auto held = weak.lock()) {
          (*held)->send(*snapshot);
        }
      });
    };
    impl_->executor.post([impl = impl_, id, tell, loop, weak = std::weak_ptr<StreamHandler*>(self_),
                          version = request.version_info()] {
      *id = impl->watch(version, tell);
      if (*id == 0) {
        loop->post([weak] {
          if (const auto held = weak.lock()) {
            (*held)->stream_.finish({kGrpcResourceExhausted, "too many clients wait for assignments"});
          }
        });
      }
    });
  }

  void on_half_close() override { stream_.finish({}); }

  void on_closed(net::GrpcStatus) override {
    self_ = nullptr;
    if (id_ != nullptr) {
      impl_->executor.post([impl = impl_, id = id_] { impl->waiters.erase(*id); });
    }
  }

 private:
  void send(const Snapshot& snapshot) {
    ::envoy::service::discovery::v3::DiscoveryResponse only_nonce;  // fields of messages may be concatenated
    only_nonce.set_nonce(std::to_string(++nonce_));
    stream_.send({.head = snapshot.grpc + only_nonce.SerializeAsString(), .pieces = {}});
  }

  net::GrpcStream& stream_;
  std::shared_ptr<Impl> impl_;
  std::shared_ptr<StreamHandler*> self_;
  std::shared_ptr<uint64_t> id_;  // written on the executor
  bool watching_ = false;
  uint64_t nonce_ = 0;
};

}  // namespace

Service::Service(Options options, const model::Registry& registry, store::Store& store, TimerExecutor& executor)
    : impl_(std::make_shared<Impl>(options, registry, store, executor)) {
  impl_->start();
}

Service::~Service() { stop(); }

net::HttpHandler Service::http_handler() {
  return [impl = impl_](net::HttpRequest request, net::HttpResponder responder) {
    const std::string_view target = request.target;
    if (target.substr(0, target.find('?')) != kPath) {
      responder.send(text(404, "404: Page Not Found"));
      return;
    }
    if (request.method != "POST") {
      responder.send(text(405, "405: Method Not Allowed"));
      return;
    }
    nanoseconds timeout = impl->options.fetch_timeout;
    if (const auto given = query_value(target, "fetch-timeout"); given && !given->empty()) {
      const auto parsed = parse_go_duration(*given);
      if (!parsed.ok()) {
        responder.send(refusal("Could not parse fetch-timeout", message_of(parsed.status())));
        return;
      }
      timeout = *parsed;
    }
    const auto body = parse_json(request.body);
    if (!body.ok() || !body->is_object()) {
      responder.send(refusal("Could not parse request body",
                             body.ok() ? std::string_view("the body has to be an object") : message_of(body.status())));
      return;
    }
    std::string version;
    for (const std::string_view name : {"version_info", "versionInfo"}) {
      if (const json::value* found = find(*body, name); found != nullptr && found->is_string()) {
        version = std::string(found->get_string());
      }
    }
    auto shared = std::make_shared<net::HttpResponder>(std::move(responder));
    impl->executor.post([impl, version, timeout, shared] {
      impl->fetch(version, timeout, [shared](const SnapshotPtr& snapshot) {
        shared->send(snapshot == nullptr ? net::HttpResponse{.status = 304, .headers = {}, .body = {}}
                                         : json_answer(200, snapshot->http));
      });
    });
  };
}

void Service::serve_grpc(net::Server& server) {
  server.handle_stream(kStream, [impl = impl_](net::GrpcStream& stream) -> std::unique_ptr<net::GrpcStreamHandler> {
    return std::make_unique<StreamHandler<Impl>>(stream, impl);
  });
  server.handle_unary(kFetch, [impl = impl_](const net::Headers&, const std::string&, net::GrpcUnaryDone done) {
    impl->executor.post([impl, done = std::move(done)] {
      impl->fetch("", nanoseconds(0), [&done](const SnapshotPtr& snapshot) { done({}, snapshot == nullptr ? "" : snapshot->grpc); });
    });
  });
}

void Service::stop() {
  impl_->subscription = nullptr;
  impl_->executor.post([impl = impl_] { impl->stop_here(); });
}

}  // namespace kuma::mads
