#include "kds/zone.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "kds/stream_metrics.h"
#include "mesh/v1alpha1/kds.pb.h"

namespace kuma::kds {
namespace {

using namespace std::chrono_literals;

// The global always has something to send, so silence for this long is no quiet.
constexpr auto kFirstResponseTimeout = 1min;

}  // namespace

// A stream whose end ends the connection.
class Zone::Watched final : public Session {
 public:
  Watched(Zone& owner, std::string_view rpc, std::shared_ptr<Session> inner) : owner_(owner), generation_(owner.generation_), rpc_(rpc), inner_(std::move(inner)) {}
  void on_message(std::string_view bytes) override {
    if (generation_ == owner_.generation_) {
      owner_.worked_ = true;
    }
    inner_->on_message(bytes);
  }
  void on_closed(const absl::Status& why) override {
    inner_->on_closed(why);
    owner_.on_stream_closed(generation_, rpc_, why);
  }

 private:
  Zone& owner_;
  const uint64_t generation_;
  const std::string_view rpc_;
  const std::shared_ptr<Session> inner_;
};

Zone::Zone(Parts parts, Options options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      catalog_(parts_.registry, {.side = Side::Zone, .zone = options_.name}),
      strand_(std::make_shared<Strand>(parts_.workers)),
      delta_(options_.delta) {}

Zone::~Zone() { stop(); }

void Zone::start() {
  feed_ = std::make_unique<Feed>(parts_.store, catalog_, parts_.executor);
  parts_.executor.post([this] { dial(); });
}

void Zone::stop() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  ++generation_;
  if (feed_ != nullptr) {
    feed_->stop();
  }
  pause_timer_ = nullptr;
  health_timer_ = nullptr;
  connection_.reset();
}

Metadata Zone::metadata() const {
  Metadata metadata = {{kClientId, options_.name}, {kKdsVersion, "v3"}, {kFeatures, "zone-ping-health"}, {kInstance, options_.instance_id}};
  metadata.emplace(kTime, fmt::format("{}", std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.wall_now().time_since_epoch()).count()));
  if (!token_.empty()) {
    metadata.emplace(kAuthorization, token_);
  }
  return metadata;
}

void Zone::dial() {
  if (stopped_) {
    return;
  }
  ++generation_;
  worked_ = false;
  dialled_at_ = parts_.clock.monotonic_now();
  pausing_ = false;
  syncs_.clear();
  token_ = parts_.read_token ? parts_.read_token() : "";
  connection_ = parts_.connect();
  if (delta_) {
    open_sync(kGlobalToZoneSync);
    open_sync(kZoneToGlobalSync);
  } else {
    open_sync(kStreamMessage);
  }
  for (const std::string_view page : kAdminPages) {
    open_admin(page);
  }
  health_interval_ = options_.health_interval;
  check_health();
}

SyncSession::Setup Zone::sync_setup(std::string_view rpc) {
  const Protocol protocol = rpc == kStreamMessage ? Protocol::StateOfTheWorld : Protocol::Delta;
  SyncSession::Setup setup;
  if (rpc != kGlobalToZoneSync) {
    setup.provider = Provider::Options{.protocol = protocol, .identifier = options_.name, .nack_backoff = options_.nack_backoff,
                                       .answer_timeout = options_.answer_timeout, .message_size_max = options_.message_size_max};
  }
  if (rpc != kZoneToGlobalSync) {
    NodeInfo node = options_.node;
    node.id = options_.name;
    node.features.insert(std::string(kFeatureZoneToken));
    setup.consumer = SyncSession::ConsumerSetup{.options = {.protocol = protocol, .rules = {.side = Side::Zone, .zone = options_.name}, .node = std::move(node)},
                                                .strand = strand_, .response_backoff = options_.response_backoff, .message_size_max = options_.message_size_max,
                                                .first_response_timeout = kFirstResponseTimeout};
  }
  StreamMetrics(parts_.metrics).watch(setup);
  return setup;
}

void Zone::open_sync(std::string_view rpc) {
  connection_->open(std::string(rpc), metadata(), [this, rpc](Link& link) {
    auto session = SyncSession::start({parts_.registry, parts_.store, catalog_, parts_.clock, parts_.executor}, link, sync_setup(rpc));
    syncs_.push_back(session);
    return std::make_shared<Watched>(*this, rpc, std::move(session));
  });
}

void Zone::open_admin(std::string_view page) {
  const std::string_view rpc = rpc_of_page(page);
  connection_->open(std::string(rpc), metadata(), [this, rpc, page](Link& link) {
    return std::make_shared<Watched>(*this, rpc, serve_admin_page(parts_.registry, parts_.store, parts_.executor, parts_.fetch_page, page, link));
  });
}

void Zone::check_health() {
  health_timer_ = nullptr;
  connection_->call(std::string(kHealthCheck), metadata(), mesh::v1alpha1::ZoneHealthCheckRequest().SerializeAsString(),
                    [this, generation = generation_](const absl::Status& status, const std::string& bytes) {
                      if (generation != generation_ || absl::IsUnimplemented(status)) {
                        return;
                      }
                      if (!status.ok()) {
                        on_stream_closed(generation, kHealthCheck, status);
                        return;
                      }
                      mesh::v1alpha1::ZoneHealthCheckResponse response;
                      (void)response.ParseFromString(bytes);
                      const std::chrono::nanoseconds interval = std::chrono::seconds(response.interval().seconds()) + std::chrono::nanoseconds(response.interval().nanos());
                      if (interval.count() > 0) {
                        health_interval_ = interval;
                      }
                      health_timer_ = parts_.executor.post_after(health_interval_, [this] { check_health(); });
                    });
}

void Zone::on_stream_closed(uint64_t generation, std::string_view rpc, const absl::Status& why) {
  if (generation != generation_ || pausing_ || stopped_) {
    return;
  }
  if (absl::IsUnimplemented(why)) {
    make_logger("kds")->warn("the global control plane does not know {}; upgrade it", rpc);
    if (rpc != kGlobalToZoneSync || !options_.delta) {
      return;  // the other streams go on
    }
    delta_ = false;
    make_logger("kds")->warn("going on with the state-of-the-world protocol");
  } else {
    delta_ = options_.delta;
    make_logger("kds")->warn("the connection to the global control plane has ended ({}): {}", rpc, why.ok() ? "the stream was closed" : message_of(why));
  }
  reconnect();
}

void Zone::reconnect() {
  pausing_ = true;
  // One that works and ends right away, each time anew, is no reason to hurry.
  const bool lasted = worked_ && parts_.clock.monotonic_now() - dialled_at_ >= options_.pause_max;
  failures_ = lasted ? 0 : std::min(failures_ + 1, 30);
  const auto pause_max = std::min(options_.pause_max, options_.pause_min * (int64_t{1} << std::min(failures_, 20)));
  const auto pause = std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(pause_max.count()) * (0.5 + 0.5 * parts_.random())));
  health_timer_ = nullptr;
  // Not within a callback of a stream that goes with the connection.
  parts_.executor.post([this] {
    if (pausing_) {
      connection_.reset();
    }
  });
  make_logger("kds")->info("dialling again in {}", format_go_duration(pause));
  pause_timer_ = parts_.executor.post_after(pause, [this] { dial(); });
}

bool Zone::is_settled() const {
  return !pausing_ && !syncs_.empty() && std::all_of(syncs_.begin(), syncs_.end(), [](const auto& one) {
    const auto session = one.lock();
    return session != nullptr && session->is_settled();
  });
}

}  // namespace kuma::kds
