#pragma once

#include <map>
#include <memory>
#include <string>

#include "kds/admin_streams.h"
#include "kds/feed.h"
#include "kds/link.h"
#include "kds/refusals.h"
#include "kds/sync_session.h"
#include "kds/zone_insights.h"
#include "observe/metrics.h"

namespace kuma::kds {

// The global's end of all its zones, without sockets: makes the session of each stream that a zone opens, registers zones,
// keeps their insights and reaches their proxies. Serves both versions of the protocol at once.
//
// Everything is attributed to the zone that is connected (its `client-id`, proven by a token where tokens are asked for).
// A zone has one stream of a kind: a newer one of the same process, or of one that does not say which it is, replaces the
// older, and another process under a name that is taken is refused as long as the first is there.
//
// Thread: the executor's; start() and fetch_page() any; stop() when the executor has ended.
class Global {
 public:
  struct Options {
    std::string instance_id = {};
    std::string version = {};
    bool hash_suffix = false;
    bool disable_sotw = false;
    std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
    std::chrono::nanoseconds response_backoff{};
    std::chrono::nanoseconds answer_timeout = std::chrono::minutes(2);
    size_t message_size_max = 10 * 1024 * 1024;
    // Both or none: how often a zone says that it is there, and after how long without that its streams are ended.
    std::chrono::nanoseconds health_interval{};
    std::chrono::nanoseconds health_timeout{};
    ZoneInsights::Options insights = {};
  };
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    manager::ResourceManager& manager;
    const Clock& clock;
    TimerExecutor& executor;
    Executor& workers;  // write; may wait for a disk
    observe::Metrics* metrics = nullptr;
    std::function<std::string()> make_id;
    // Whether a token proves to be this zone; empty: zones need none.
    std::function<absl::Status(const std::string& zone, const std::string& token)> authenticate;
  };
  Global(Parts parts, Options options);
  ~Global();  // stop()

  void start();
  // The session of a new stream; an error is the status that ends it.
  absl::StatusOr<std::shared_ptr<Session>> open(std::string_view rpc, const Metadata& metadata, Link& link);
  // How often the zone shall ask; 0: never again.
  absl::StatusOr<std::chrono::nanoseconds> on_health_check(const Metadata& metadata);
  // A page of a proxy of any zone. Any thread.
  void fetch_page(const model::Resource& proxy, const std::string& page, PageDone done) { admin_->fetch(proxy, page, std::move(done)); }
  // Of zones that have no insight. Any thread.
  const Refusals& refusals() const { return refusals_; }
  void stop();

  // For tests: all that connected zones are owed has been acknowledged.
  bool is_settled() const;

 private:
  struct Open {
    Link* link = nullptr;
    std::string instance;
    bool pings = false;  // the zone says when it is alive
    std::weak_ptr<SyncSession> sync;
  };
  using StreamKey = std::pair<std::string, std::string>;  // zone, rpc
  class Tracked;

  void note_problem(const std::string& zone, std::string message);
  // A connection is turned away: counted, and noted as a problem of the zone.
  void note_refusal(const char* reason, const std::string& zone, std::string message);
  void note_end(const std::string& zone, std::string_view rpc, const absl::Status& why);
  absl::StatusOr<std::string> identify(const Metadata& metadata, bool admin);
  absl::Status take_place(const std::string& zone, std::string_view rpc, const std::string& instance);
  std::shared_ptr<Session> open_sync(const std::string& zone, std::string_view rpc, const Metadata& metadata, Link& link);
  std::shared_ptr<Session> open_admin(const std::string& zone, std::string_view page, Link& link);
  Provider::Options provider_options(const std::string& zone, Protocol protocol) const;
  SyncSession::ConsumerSetup consumer_setup(const std::string& zone, Protocol protocol);
  void keep_insight(SyncSession::Setup& setup, const std::string& zone, bool token_provided);
  absl::Status ensure_zone(const std::string& zone);
  std::shared_ptr<Strand> strand_of(const std::string& zone);
  void on_closed(const StreamKey& key, const Link* link);
  void watch_zones();

  const Parts parts_;
  const Options options_;
  Catalog catalog_;
  std::unique_ptr<Feed> feed_;
  std::shared_ptr<AdminStreams> admin_;
  std::unique_ptr<ZoneInsights> insights_;
  Refusals refusals_;
  std::map<StreamKey, Open> streams_;
  std::map<std::string, MonotonicTime> last_sign_;          // of life, by zone
  std::map<std::string, std::shared_ptr<Strand>> strands_;  // by zone; bounded by zones that were ever here
  std::shared_ptr<void> watch_timer_;
  bool stopped_ = false;
};

}  // namespace kuma::kds
