#include "kds/global.h"

#include <charconv>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "kds/stream_metrics.h"
#include "system/v1alpha1/zone.pb.h"

namespace kuma::kds {
namespace {

constexpr std::string_view kFeatureZonePing = "zone-ping-health";
// Tokens and certificates allow for a few minutes; a connection takes less.
constexpr auto kClockTolerance = std::chrono::minutes(2);

std::string get(const Metadata& metadata, const char* name) {
  const auto found = metadata.find(name);
  return found == metadata.end() ? std::string() : found->second;
}

// How far the peer's clock is from ours, in whole minutes; nothing if it says no time or is right.
std::optional<std::chrono::minutes> clock_difference(const Metadata& metadata, WallTime now) {
  const std::string text = get(metadata, kTime);
  int64_t seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr int64_t kSecondsMax = 1'000'000'000'000;  // far from where nanoseconds overflow the subtraction below
  if (text.empty() || read.ec != std::errc() || seconds < 0 || seconds > kSecondsMax) {
    return std::nullopt;
  }
  const auto off = std::chrono::seconds(seconds) - std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  if (std::chrono::abs(off) < kClockTolerance) {
    return std::nullopt;
  }
  return std::chrono::round<std::chrono::minutes>(off);
}

NodeInfo own_node(const std::string& zone, const std::string& version) {
  // As the reference does: a global's requests carry the id of the zone that they go to.
  return {.id = zone, .features = {std::string(kFeatureZoneToken)}, .version = version, .git_tag = version, .git_commit = "unknown", .build_date = "unknown"};
}

}  // namespace

// A stream whose place in the table goes when it closes.
class Global::Tracked final : public Session {
 public:
  Tracked(Global& owner, StreamKey key, const Link* link, std::shared_ptr<Session> inner)
      : owner_(owner), key_(std::move(key)), link_(link), inner_(std::move(inner)) {}
  void on_message(std::string_view bytes) override { inner_->on_message(bytes); }
  void on_closed(const absl::Status& why) override {
    inner_->on_closed(why);
    owner_.on_closed(key_, link_);
  }

 private:
  Global& owner_;
  const StreamKey key_;
  const Link* const link_;
  const std::shared_ptr<Session> inner_;
};

Global::Global(Parts parts, Options options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      catalog_(parts_.registry, {.side = Side::Global, .hash_suffix = options_.hash_suffix}),
      admin_(std::make_shared<AdminStreams>(parts_.executor, parts_.make_id)),
      insights_(std::make_unique<ZoneInsights>(options_.insights, parts_.registry, parts_.manager, parts_.clock, parts_.executor,
                                               [this](const std::string& zone) { return strand_of(zone); }, parts_.make_id)) {}

Global::~Global() { stop(); }

void Global::start() {
  feed_ = std::make_unique<Feed>(parts_.store, catalog_, parts_.executor);
  if (options_.health_timeout.count() > 0 && options_.health_interval.count() > 0) {
    parts_.executor.post([this] { watch_zones(); });
  }
}

void Global::stop() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  if (feed_ != nullptr) {
    feed_->stop();
  }
  watch_timer_ = nullptr;
  insights_->stop();
}

// A caller may give any name, so only zones that exist get an entry.
void Global::note_problem(const std::string& zone, std::string message) {
  if (parts_.store.get(*parts_.registry.find("Zone"), {"", zone}).ok()) {
    insights_->on_problem(zone, std::move(message));
  } else {
    make_logger("kds")->warn("zone \"{}\": {}", zone, message);
    refusals_.add(zone, std::move(message), parts_.clock.wall_now());
  }
}

void Global::note_refusal(const char* reason, const std::string& zone, std::string message) {
  if (parts_.metrics != nullptr) {
    parts_.metrics->counter("kds_connections_refused", "Streams of zones that were turned away", {{"reason", reason}}).add();
  }
  note_problem(zone, std::move(message));
}

// That a zone leaves, or its host is lost, is no problem of its connection.
void Global::note_end(const std::string& zone, std::string_view rpc, const absl::Status& why) {
  if (!why.ok() && !absl::IsCancelled(why) && !absl::IsUnavailable(why)) {
    note_problem(zone, fmt::format("a stream ({}) was ended: {}", rpc.substr(rpc.rfind('/') + 1), message_of(why)));
  }
}

absl::StatusOr<std::string> Global::identify(const Metadata& metadata, bool admin) {
  const std::string zone = get(metadata, kClientId);
  if (zone.empty()) {
    const char* message = "'client-id' is not present in metadata";
    note_refusal("no_name", "", message);
    return admin ? absl::InvalidArgumentError(message) : absl::UnknownError(message);
  }
  if (parts_.authenticate) {
    if (const absl::Status status = parts_.authenticate(zone, get(metadata, kAuthorization)); !status.ok()) {
      note_refusal("token", zone, fmt::format("a control plane that wanted to connect as this zone was refused: {}", message_of(status)));
      return absl::UnauthenticatedError(fmt::format("authentication failed: {}", message_of(status)));
    }
  }
  return zone;
}

absl::Status Global::take_place(const std::string& zone, std::string_view rpc, const std::string& instance) {
  for (const auto& [key, stream] : streams_) {
    if (key.first == zone && !instance.empty() && !stream.instance.empty() && stream.instance != instance) {
      note_refusal("name_taken", zone, fmt::format("a second control plane ({}) that wanted to connect as this zone was refused: {} is connected", instance, stream.instance));
      return absl::AlreadyExistsError(fmt::format("zone \"{}\" is connected already, from the control plane {}; stop that one, or give this one ({}) another "
                                                  "name (KUMA_MULTIZONE_ZONE_NAME)", zone, stream.instance, instance));
    }
  }
  if (const auto former = streams_.find({zone, std::string(rpc)}); former != streams_.end()) {
    Link* link = former->second.link;
    streams_.erase(former);
    link->end(absl::CancelledError("stream canceled - the zone has opened a newer one"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Session>> Global::open(std::string_view rpc, const Metadata& metadata, Link& link) {
  std::string_view page;
  for (const std::string_view candidate : kAdminPages) {
    if (rpc_of_page(candidate) == rpc) {
      page = candidate;
    }
  }
  if (rpc == kStreamMessage && options_.disable_sotw) {
    note_refusal("protocol", get(metadata, kClientId), "it wanted to connect with the state of the world, which is off here: set "
                 "KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED=true there, or KUMA_MULTIZONE_GLOBAL_KDS_DISABLE_SOTW=false here");
    return absl::UnimplementedError("unknown service kuma.mesh.v1alpha1.MultiplexService");
  }
  KUMA_ASSIGN_OR_RETURN(const std::string zone, identify(metadata, !page.empty()));
  const std::string instance = get(metadata, kInstance);
  KUMA_RETURN_IF_ERROR(take_place(zone, rpc, instance));
  Open& open = streams_[{zone, std::string(rpc)}];
  open = {.link = &link, .instance = instance, .pings = get(metadata, kFeatures).find(kFeatureZonePing) != std::string::npos, .sync = {}};
  last_sign_[zone] = parts_.clock.monotonic_now();
  auto inner = page.empty() ? open_sync(zone, rpc, metadata, link) : open_admin(zone, page, link);
  if (page.empty()) {
    open.sync = std::static_pointer_cast<SyncSession>(inner);
  }
  return std::make_shared<Tracked>(*this, StreamKey(zone, rpc), &link, std::move(inner));
}

std::shared_ptr<Session> Global::open_sync(const std::string& zone, std::string_view rpc, const Metadata& metadata, Link& link) {
  const Protocol protocol = rpc == kStreamMessage ? Protocol::StateOfTheWorld : Protocol::Delta;
  refusals_.forget(zone);
  SyncSession::Setup setup;
  setup.on_closed = [this, zone, rpc = std::string(rpc)](const absl::Status& why) { note_end(zone, rpc, why); };
  if (rpc != kZoneToGlobalSync) {
    if (const auto off = clock_difference(metadata, parts_.clock.wall_now())) {
      insights_->on_problem(zone, fmt::format("the clock of the zone's control plane is {} minutes {} the global's: tokens and certificates may be refused",
                                     std::abs(off->count()), off->count() > 0 ? "ahead of" : "behind"));
    }
    setup.provider = provider_options(zone, protocol);
    keep_insight(setup, zone, protocol == Protocol::StateOfTheWorld && metadata.contains(kAuthorization));
    make_logger("kds")->info("zone \"{}\" has connected ({})", zone, protocol == Protocol::Delta ? "delta" : "state of the world");
  }
  if (rpc != kGlobalToZoneSync) {
    setup.consumer = consumer_setup(zone, protocol);
    setup.on_refused = [this, zone](const absl::Status& why) {
      insights_->on_problem(zone, fmt::format("what the zone sent could not be stored: {}", message_of(why)));
    };
  } else {
    strand_of(zone)->post([this, zone] {
      if (const absl::Status status = ensure_zone(zone); !status.ok()) {
        make_logger("kds")->error("zone \"{}\" could not be registered: {}", zone, message_of(status));
      }
    });
  }
  const std::string version = get(metadata, kKdsVersion);
  setup.legacy = version.empty() || version == "v2";
  StreamMetrics(parts_.metrics).watch(setup);
  return SyncSession::start({parts_.registry, parts_.store, catalog_, parts_.clock, parts_.executor}, link, std::move(setup));
}

Provider::Options Global::provider_options(const std::string& zone, Protocol protocol) const {
  return {.protocol = protocol, .identifier = "global", .peer_zone = zone, .nack_backoff = options_.nack_backoff,
          .answer_timeout = options_.answer_timeout, .message_size_max = options_.message_size_max};
}

SyncSession::ConsumerSetup Global::consumer_setup(const std::string& zone, Protocol protocol) {
  return {.options = {.protocol = protocol, .rules = {.side = Side::Global, .zone = zone}, .node = own_node(zone, options_.version)},
          .strand = strand_of(zone),
          .prepare = [this, zone] { return annotate(ensure_zone(zone), "Global CP could not create a zone"); },
          .response_backoff = options_.response_backoff,
          .message_size_max = options_.message_size_max};
}

// Insights of what is sent to a zone.
void Global::keep_insight(SyncSession::Setup& setup, const std::string& zone, bool token_provided) {
  const ZoneInsights::Id id = insights_->open(zone, token_provided);
  setup.on_events = [this, id](const NodeInfo& node, const std::vector<Provider::Event>& events) { insights_->on_events(id, node, events); };
  setup.on_closed = [id, zone, this, note_end = std::move(setup.on_closed)](const absl::Status& why) {
    note_end(why);
    make_logger("kds")->info("zone \"{}\" has disconnected: {}", zone, why.ok() ? "it left" : message_of(why));
    insights_->close(id);
  };
}

std::shared_ptr<Session> Global::open_admin(const std::string& zone, std::string_view page, Link& link) {
  // The insight belongs to the Zone, which one of the zone's other streams may be about to make.
  strand_of(zone)->post([this, zone] { (void)ensure_zone(zone); });
  insights_->on_admin_stream(zone, page);
  return admin_->open(zone, page, link);
}

absl::Status Global::ensure_zone(const std::string& zone) {
  const model::ResourceType& type = *parts_.registry.find("Zone");
  absl::Status status;
  if (!parts_.store.get(type, {"", zone}).ok()) {
    auto spec = std::make_unique<system::v1alpha1::Zone>();
    spec->mutable_enabled()->set_value(true);
    status = manager::ignore_existing(parts_.manager.create(model::make_resource(type, {"", zone}, std::move(spec))).status());
  }
  if (!status.ok()) {
    refusals_.add(zone, fmt::format("it could not be registered: {}", message_of(status)), parts_.clock.wall_now());
  }
  return status;
}

std::shared_ptr<Strand> Global::strand_of(const std::string& zone) {
  std::shared_ptr<Strand>& strand = strands_[zone];
  if (strand == nullptr) {
    strand = std::make_shared<Strand>(parts_.workers);
  }
  return strand;
}

absl::StatusOr<std::chrono::nanoseconds> Global::on_health_check(const Metadata& metadata) {
  KUMA_ASSIGN_OR_RETURN(const std::string zone, identify(metadata, true));
  last_sign_[zone] = parts_.clock.monotonic_now();
  strand_of(zone)->post([this, zone] { (void)ensure_zone(zone); });
  insights_->on_health_check(zone);
  return options_.health_interval;
}

void Global::on_closed(const StreamKey& key, const Link* link) {
  if (const auto found = streams_.find(key); found != streams_.end() && found->second.link == link) {
    streams_.erase(found);
  }
}

void Global::watch_zones() {
  const MonotonicTime now = parts_.clock.monotonic_now();
  const auto measure = [this, now] {
    if (parts_.metrics != nullptr) {
      const std::chrono::duration<double, std::milli> took = parts_.clock.monotonic_now() - now;
      parts_.metrics->summary("component_zone_watch", "Time in milliseconds to look for zones that say nothing any more").observe(took.count());
    }
  };
  for (const auto& [key, stream] : streams_) {
    const auto sign = last_sign_.find(key.first);
    if (stream.pings && sign != last_sign_.end() && now - sign->second > options_.health_timeout) {
      note_problem(key.first, fmt::format("it has not said that it is there for {}: its streams were ended", format_go_duration(options_.health_timeout)));
      stream.link->end(absl::CancelledError("stream canceled - zone hc failed"));
    }
  }
  measure();
  watch_timer_ = parts_.executor.post_after(options_.health_interval, [this] { watch_zones(); });
}

bool Global::is_settled() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const auto& one) {
    const auto session = one.second.sync.lock();
    return session == nullptr || session->is_settled();
  });
}

}  // namespace kuma::kds
