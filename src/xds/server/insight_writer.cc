#include "xds/server/insight_writer.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"

namespace kuma::xds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

void set_time(google::protobuf::Timestamp& out, WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<int32_t>((time - seconds).count()));
}

// Puts a subscription among those of an insight: in the place of the one with its id, else at the end, with all earlier ones
// ended; only the newest `limit` stay.
template <typename Subscriptions>
void put_subscription(Subscriptions& subscriptions, const pb::DiscoverySubscription& subscription, uint32_t limit, WallTime now) {
  for (auto& existing : subscriptions) {
    if (existing.id() == subscription.id()) {
      existing = subscription;
      return;
    }
  }
  for (auto& existing : subscriptions) {
    if (!existing.has_disconnect_time()) {
      set_time(*existing.mutable_disconnect_time(), now);
    }
  }
  *subscriptions.Add() = subscription;
  while (subscriptions.size() > static_cast<int>(limit)) {
    subscriptions.DeleteSubrange(0, 1);
  }
}

pb::DiscoveryServiceStats* stats_of(pb::DiscoverySubscriptionStatus& status, std::optional<XdsType> type) {
  if (!type) {
    return nullptr;
  }
  switch (*type) {
    case XdsType::Cluster:
      return status.mutable_cds();
    case XdsType::Endpoint:
      return status.mutable_eds();
    case XdsType::Listener:
      return status.mutable_lds();
    case XdsType::Route:
      return status.mutable_rds();
    case XdsType::Secret:
    case XdsType::Runtime:
      return nullptr;
  }
  return nullptr;
}

void count(pb::DiscoveryServiceStats& stats, AdsSession::Event::Kind kind) {
  switch (kind) {
    case AdsSession::Event::Kind::Sent:
      stats.set_responses_sent(stats.responses_sent() + 1);
      break;
    case AdsSession::Event::Kind::Acknowledged:
      stats.set_responses_acknowledged(stats.responses_acknowledged() + 1);
      break;
    case AdsSession::Event::Kind::Rejected:
      stats.set_responses_rejected(stats.responses_rejected() + 1);
      break;
  }
}

bool is_same_time(const google::protobuf::Timestamp& stored, WallTime time) {
  google::protobuf::Timestamp other;
  set_time(other, time);
  return stored.seconds() == other.seconds() && stored.nanos() == other.nanos();
}

// Certificates are counted where the count outlives us: in the stored insight, by one for each that is not the last one.
void put_certificate(pb::DataplaneInsight& insight, const std::optional<CertificateInfo>& certificate) {
  if (!certificate) {
    insight.clear_mtls();
    return;
  }
  auto& mtls = *insight.mutable_mtls();
  if (!mtls.has_last_certificate_regeneration() || !is_same_time(mtls.last_certificate_regeneration(), certificate->issued_at)) {
    mtls.set_certificate_regenerations(mtls.certificate_regenerations() + 1);
  }
  set_time(*mtls.mutable_certificate_expiration_time(), certificate->expires_at);
  set_time(*mtls.mutable_last_certificate_regeneration(), certificate->issued_at);
  mtls.set_issuedbackend(certificate->issued_backend);
  mtls.clear_supportedbackends();
  for (const std::string& backend : certificate->supported_backends) {
    mtls.add_supportedbackends(backend);
  }
}

}  // namespace

struct InsightWriter::Stream {
  const model::ResourceType* insight_type = nullptr;
  model::ResourceKey proxy;
  pb::DiscoverySubscription subscription;
  bool dirty = true;
  bool closed = false;
  bool written = false;       // at least once
  bool scheduled = false;     // a flush is on its way
  MonotonicTime next_flush{};
};

struct InsightWriter::Impl : std::enable_shared_from_this<InsightWriter::Impl> {
  Impl(Options o, const model::Registry& r, manager::ResourceManager& m, const Clock& c, TimerExecutor& e)
      : options(std::move(o)), registry(r), manager(m), clock(c), executor(e) {}

  const Options options;
  const model::Registry& registry;
  manager::ResourceManager& manager;
  const Clock& clock;
  TimerExecutor& executor;
  const std::shared_ptr<spdlog::logger> log = make_logger("xds.insight");

  std::mutex mutex;  // guards all below
  std::map<uint64_t, Stream> streams;
  std::multimap<model::ResourceKey, uint64_t> by_proxy;  // ids of `streams`
  // What the engine has said of a proxy's certificate: one, or that it has none. A proxy that is not here keeps what its
  // insight says.
  std::map<model::ResourceKey, std::optional<CertificateInfo>> certificates;
  uint64_t last_id = 0;
  bool stopped = false;
  // Touched on the executor only.
  std::map<uint64_t, std::shared_ptr<void>> timers;
  std::shared_ptr<void> generation_timer;

  // With mutex held. Makes sure that a flush of the stream comes when it may.
  void schedule(uint64_t id, Stream& stream) {
    if (stream.scheduled || stopped) {
      return;
    }
    stream.scheduled = true;
    const MonotonicTime now = clock.monotonic_now();
    const std::chrono::nanoseconds delay = stream.closed || now >= stream.next_flush ? std::chrono::nanoseconds(0) : stream.next_flush - now;
    executor.post([self = shared_from_this(), id, delay] {
      if (delay.count() == 0) {
        self->flush(id);
        return;
      }
      self->timers[id] = self->executor.post_after(delay, [self, id] { self->flush(id); });
    });
  }

  // On the executor.
  void flush(uint64_t id) {
    timers.erase(id);
    if (const auto due = take(id)) {
      write(due->stream, due->certificate);
    }
  }

  struct Due {
    Stream stream;
    std::optional<std::optional<CertificateInfo>> certificate;  // nothing: not known
  };

  // What is to be written of a stream, if anything has changed.
  std::optional<Due> take(uint64_t id) {
    const std::lock_guard lock(mutex);
    const auto found = streams.find(id);
    if (found == streams.end()) {
      return std::nullopt;
    }
    Stream& stream = found->second;
    stream.scheduled = false;
    if (!stream.dirty) {
      return std::nullopt;
    }
    stream.dirty = false;
    stream.written = true;
    stream.next_flush = clock.monotonic_now() + options.flush_interval;
    Due due{.stream = stream, .certificate = {}};
    if (const auto known = certificates.find(stream.proxy); known != certificates.end()) {
      due.certificate = known->second;
    }
    if (stream.closed) {
      const auto [begin, end] = by_proxy.equal_range(stream.proxy);
      by_proxy.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == id; }));
      streams.erase(found);
    }
    return due;
  }

  // Raises the generation of open subscriptions now and then: one that stays the same for a whole idle timeout is taken
  // for one whose control plane has died, and ended.
  void schedule_generations() {
    generation_timer = executor.post_after(options.generation_interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->raise_generations();
        self->schedule_generations();
      }
    });
  }

  void raise_generations() {
    const std::lock_guard lock(mutex);
    for (auto& [id, stream] : streams) {
      if (!stream.closed && stream.written) {
        stream.subscription.set_generation(stream.subscription.generation() + 1);
        stream.dirty = true;
        schedule(id, stream);
      }
    }
  }

  // A copy of the stored insight with the stream's subscription in it.
  template <typename Insight>
  std::unique_ptr<Insight> updated(const model::Resource& resource, const Stream& stream) const {
    auto insight = resource.message == nullptr ? std::make_unique<Insight>() : std::make_unique<Insight>(resource.as<Insight>());
    put_subscription(*insight->mutable_subscriptions(), stream.subscription, options.subscription_limit, clock.wall_now());
    return insight;
  }

  void write(const Stream& stream, const std::optional<std::optional<CertificateInfo>>& certificate) {
    const auto result = manager.upsert(*stream.insight_type, stream.proxy, [&](model::Resource& resource) -> absl::Status {
      if (stream.insight_type->name == "DataplaneInsight") {
        auto insight = updated<pb::DataplaneInsight>(resource, stream);
        if (certificate) {
          put_certificate(*insight, *certificate);
        }
        resource.message = std::move(insight);
      } else if (stream.insight_type->name == "ZoneIngressInsight") {
        resource.message = updated<pb::ZoneIngressInsight>(resource, stream);
      } else {
        resource.message = updated<pb::ZoneEgressInsight>(resource, stream);
      }
      return absl::OkStatus();
    });
    // The owner is gone: a proxy whose dataplane was deleted has no insight any more.
    if (!result.ok() && !absl::IsNotFound(result.status())) {
      log->error("insight of {} in mesh {} was not written: {}", stream.proxy.name, stream.proxy.mesh, message_of(result.status()));
    }
  }
};

InsightWriter::InsightWriter(Options options, const model::Registry& registry, manager::ResourceManager& manager, const Clock& clock,
                             TimerExecutor& executor)
    : impl_(std::make_shared<Impl>(std::move(options), registry, manager, clock, executor)) {
  executor.post([self = impl_] { self->schedule_generations(); });
}

InsightWriter::~InsightWriter() { stop(); }

uint64_t InsightWriter::open(const model::ResourceType& proxy_type, const model::ResourceKey& proxy, const pb::Version& version) {
  const std::lock_guard lock(impl_->mutex);
  Stream stream;
  stream.insight_type = impl_->registry.find(proxy_type.insight_type);
  stream.proxy = proxy;
  stream.subscription.set_id(random_uuid());
  stream.subscription.set_control_plane_instance_id(impl_->options.control_plane_id);
  const WallTime now = impl_->clock.wall_now();
  set_time(*stream.subscription.mutable_connect_time(), now);
  auto& status = *stream.subscription.mutable_status();
  set_time(*status.mutable_last_update_time(), now);
  status.mutable_total();
  status.mutable_cds();
  status.mutable_eds();
  status.mutable_lds();
  status.mutable_rds();
  *stream.subscription.mutable_version() = version;
  const uint64_t id = ++impl_->last_id;
  impl_->by_proxy.emplace(proxy, id);
  impl_->streams.emplace(id, std::move(stream));
  return id;
}

void InsightWriter::on_events(uint64_t id, const std::vector<AdsSession::Event>& events, bool settled) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->streams.find(id);
  if (found == impl_->streams.end()) {
    return;
  }
  Stream& stream = found->second;
  auto& status = *stream.subscription.mutable_status();
  for (const AdsSession::Event& event : events) {
    count(*status.mutable_total(), event.kind);
    if (pb::DiscoveryServiceStats* stats = stats_of(status, event.type)) {
      count(*stats, event.kind);
    }
    if (event.kind != AdsSession::Event::Kind::Sent) {
      set_time(*status.mutable_last_update_time(), impl_->clock.wall_now());
    }
    stream.dirty = true;
  }
  // The first write waits until there is something to say: all acknowledged, or something refused.
  const bool rejected = status.total().responses_rejected() > 0;
  if (stream.dirty && (stream.written || settled || rejected)) {
    impl_->schedule(id, stream);
  }
}

void InsightWriter::set_certificate(const model::ResourceKey& proxy, std::optional<CertificateInfo> certificate) {
  const std::lock_guard lock(impl_->mutex);
  const auto known = impl_->certificates.find(proxy);
  if (known != impl_->certificates.end() && known->second == certificate) {
    return;
  }
  impl_->certificates.insert_or_assign(proxy, std::move(certificate));
  const auto [begin, end] = impl_->by_proxy.equal_range(proxy);
  for (auto it = begin; it != end; ++it) {
    const uint64_t id = it->second;
    if (Stream& stream = impl_->streams.at(id); !stream.closed) {
      stream.dirty = true;
      if (stream.written) {
        impl_->schedule(id, stream);
      }
    }
  }
}

void InsightWriter::forget_certificate(const model::ResourceKey& proxy) {
  const std::lock_guard lock(impl_->mutex);
  impl_->certificates.erase(proxy);
}

void InsightWriter::close(uint64_t id) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->streams.find(id);
  if (found == impl_->streams.end()) {
    return;
  }
  Stream& stream = found->second;
  set_time(*stream.subscription.mutable_disconnect_time(), impl_->clock.wall_now());
  stream.closed = true;
  stream.dirty = true;
  stream.scheduled = false;  // not at the end of the interval: now
  impl_->schedule(id, stream);
}

void InsightWriter::stop() {
  std::vector<uint64_t> ids;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) {
      return;
    }
    impl_->stopped = true;
    for (const auto& [id, stream] : impl_->streams) {
      ids.push_back(id);
    }
  }
  for (const uint64_t id : ids) {
    if (const auto due = impl_->take(id)) {
      impl_->write(due->stream, due->certificate);
    }
  }
}

}  // namespace kuma::xds
