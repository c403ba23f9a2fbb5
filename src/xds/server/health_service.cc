#include "xds/server/health_service.h"

#include <map>
#include <mutex>

#include "base/log.h"
#include "base/status.h"
#include "policy/envoy/pack.h"
#include "xds/server/node.h"

namespace kuma::xds {
namespace {

using ::envoy::service::health::v3::EndpointHealthResponse;
using mesh::v1alpha1::Dataplane;

constexpr int kUnknown = 2;

}  // namespace

// One stream, found by the key of its dataplane.
class HealthStream : public std::enable_shared_from_this<HealthStream> {
 public:
  HealthStream(net::GrpcStream& stream, HealthCheckSettings settings, uint32_t admin_port)
      : loop_(stream.loop()), stream_(&stream), settings_(settings), admin_port_(admin_port) {}

  // Sends what to check when it is something else than before. On the stream's loop.
  void tell(const Dataplane& dataplane) {
    std::string specifier = policy::envoy::serialize(make_health_checks(dataplane, admin_port_, settings_));
    if (stream_ != nullptr && specifier != sent_) {
      sent_ = std::move(specifier);
      stream_->send({.head = sent_, .pieces = {}});
    }
  }
  // From anywhere.
  void changed(model::ResourcePtr dataplane) {
    loop_.post([self = shared_from_this(), dataplane = std::move(dataplane)] { self->tell(dataplane->as<Dataplane>()); });
  }
  void closed() { stream_ = nullptr; }

 private:
  net::Loop& loop_;
  net::GrpcStream* stream_;
  const HealthCheckSettings settings_;
  const uint32_t admin_port_;
  std::string sent_;
};

struct HealthService::Impl : std::enable_shared_from_this<HealthService::Impl> {
  Impl(HealthCheckSettings checks, Parts given)
      : settings(checks),
        parts(given),
        type(*given.registry.find("Dataplane")),
        streams_active(given.metrics.gauge("hds_streams_active", "Envoys that check the health of applications")),
        requests(given.metrics.counter("hds_requests_received", "Envoys that asked what to check")),
        responses(given.metrics.counter("hds_responses_sent", "What Envoys found")) {}

  void start() {
    subscription = parts.store.subscribe([self = weak_from_this()](std::span<const model::Change> changes) {
      if (const auto impl = self.lock()) {
        for (const model::Change& change : changes) {
          impl->on_change(change);
        }
      }
    });
  }

  void on_change(const model::Change& change) {
    if (change.after == nullptr || change.after->type != &type) {
      return;
    }
    std::lock_guard lock(mutex);
    const auto [first, last] = streams.equal_range({change.after->meta.mesh, change.after->meta.name});
    for (auto stream = first; stream != last; ++stream) {
      stream->second->changed(change.after);
    }
  }

  void add(const model::ResourceKey& key, std::shared_ptr<HealthStream> stream) {
    std::lock_guard lock(mutex);
    streams.emplace(key, std::move(stream));
  }
  void remove(const model::ResourceKey& key, const std::shared_ptr<HealthStream>& stream) {
    std::lock_guard lock(mutex);
    std::erase_if(streams, [&](const auto& entry) { return entry.first == key && entry.second == stream; });
  }

  // Writes only what differs. On a worker.
  void store_health(const model::ResourceKey& key, const EndpointHealthResponse& found) {
    const auto stored = parts.store.get(type, key);
    if (!stored.ok()) {
      return;
    }
    Dataplane trial = (*stored)->as<Dataplane>();
    if (!apply_health(found, trial)) {
      return;
    }
    const auto written = parts.manager.upsert(type, key, [&](model::Resource& resource) -> absl::Status {
      if (resource.meta.version == 0) {
        return absl::NotFoundError("the dataplane is gone");
      }
      auto changed = std::make_shared<Dataplane>(resource.as<Dataplane>());
      (void)apply_health(found, *changed);
      resource.message = std::move(changed);
      return absl::OkStatus();
    });
    if (!written.ok() && written.status().code() != absl::StatusCode::kNotFound) {
      log->warn("the health of dataplane {}.{} could not be stored: {}", key.mesh, key.name, message_of(written.status()));
    }
  }

  const HealthCheckSettings settings;
  const Parts parts;
  const model::ResourceType& type;
  observe::Gauge streams_active;
  observe::Counter requests;
  observe::Counter responses;
  const std::shared_ptr<spdlog::logger> log = make_logger("hds");
  std::unique_ptr<store::Subscription> subscription;
  std::mutex mutex;  // guards streams
  std::multimap<model::ResourceKey, std::shared_ptr<HealthStream>> streams;
};

namespace {

template <typename Impl>
class Handler final : public net::GrpcStreamHandler {
 public:
  Handler(std::shared_ptr<Impl> impl, net::GrpcStream& stream) : impl_(std::move(impl)), stream_(stream) {
    impl_->streams_active.add(1);
  }

  void on_message(std::string_view bytes) override {
    ::envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      end("the message is neither a health check request nor a response");
    } else if (opened_ == nullptr) {
      open(message);
    } else if (message.has_endpoint_health_response()) {
      impl_->responses.add();
      // Dropped when too much is waiting: Envoy reports again after its interval.
      (void)impl_->parts.workers.try_post([impl = impl_, key = key_, found = message.endpoint_health_response()] {
        impl->store_health(key, found);
      });
    }
  }

  void on_half_close() override { stream_.finish({0, ""}); }

  void on_closed(net::GrpcStatus) override {
    impl_->streams_active.add(-1);
    if (opened_ != nullptr) {
      opened_->closed();
      impl_->remove(key_, opened_);
    }
  }

 private:
  void open(const ::envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse& message) {
    if (!message.has_health_check_request()) {
      end("the first message has to be a health check request with a node");
      return;
    }
    impl_->requests.add();
    auto node = parse_node(message.health_check_request().node(), impl_->parts.registry);
    if (!node.ok()) {
      end(message_of(node.status()));
      return;
    }
    if (absl::Status status = impl_->parts.authenticator.check(*node, stream_.metadata()); !status.ok()) {
      end(message_of(status));
      return;
    }
    key_ = node->key;
    opened_ = std::make_shared<HealthStream>(stream_, impl_->settings, node->metadata.admin_port);
    impl_->add(key_, opened_);
    if (const auto stored = impl_->parts.store.get(impl_->type, key_); stored.ok()) {
      opened_->tell((*stored)->template as<Dataplane>());
    }
  }

  void end(std::string_view message) { stream_.finish({kUnknown, std::string(message)}); }

  std::shared_ptr<Impl> impl_;
  net::GrpcStream& stream_;
  model::ResourceKey key_;
  std::shared_ptr<HealthStream> opened_;
};

}  // namespace

HealthService::HealthService(HealthCheckSettings settings, Parts parts) : impl_(std::make_shared<Impl>(settings, parts)) {
  impl_->start();
}

HealthService::~HealthService() { stop(); }

void HealthService::serve(net::Server& server) {
  server.handle_stream("/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck", [impl = impl_](net::GrpcStream& stream) {
    return std::make_unique<Handler<Impl>>(impl, stream);
  });
}

void HealthService::stop() { impl_->subscription = nullptr; }

}  // namespace kuma::xds
