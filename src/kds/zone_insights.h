#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "kds/provider.h"
#include "kds/strand.h"
#include "manager/resource_manager.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::kds {

// Keeps the ZoneInsight of every connected zone (spec/kds.md §12.3): one subscription a stream to the zone, written soon
// after its first request, then at most once a flush interval and only if something changed, and when it ends.
//
// Thread: the executor; writes are made on the zone's strand. stop() when the executor has ended.
class ZoneInsights {
 public:
  struct Options {
    std::string instance_id = {};
    std::chrono::nanoseconds flush_interval = std::chrono::seconds(10);
    std::chrono::nanoseconds generation_interval = std::chrono::seconds(150);  // half the idle timeout
    size_t subscription_limit = 10;
    bool compact_finished = false;  // former subscriptions keep neither config nor counters by type
    std::string version = {};       // ours, for whether a zone's is compatible
  };
  using StrandOf = std::function<std::shared_ptr<Strand>(const std::string& zone)>;
  ZoneInsights(Options options, const model::Registry& registry, manager::ResourceManager& manager, const Clock& clock,
               TimerExecutor& executor, StrandOf strand_of, std::function<std::string()> make_id);
  ~ZoneInsights();

  using Id = uint64_t;
  Id open(const std::string& zone, bool token_provided);
  // Of the session's provider; the first call carries the node and counts as its first request.
  void on_events(Id id, const NodeInfo& node, const std::vector<Provider::Event>& events);
  void close(Id id);

  // Something is wrong with a zone's connection: shown in its insight, which takes its Zone to exist. Written soon, then at
  // most once a flush interval; the insight keeps the newest kProblemsMax that differ.
  static constexpr size_t kProblemsMax = 10;
  void on_problem(const std::string& zone, std::string message);

  void on_health_check(const std::string& zone);
  // An admin stream of the zone is open here; `page` is `config_dump`, `stats` or `clusters`.
  void on_admin_stream(const std::string& zone, std::string_view page);

  // Ends what is open and writes it, on the caller's thread.
  void stop();

 private:
  struct Stream {
    std::string zone;
    system::v1alpha1::KDSSubscription subscription;
    bool introduced = false;  // its first request has come
    bool dirty = false;
    std::shared_ptr<void> timer;
    MonotonicTime next_generation{};
  };
  struct Problem {
    WallTime last{};
    uint32_t count = 0;
  };
  struct Problems {
    std::map<std::string, Problem> unwritten;  // by message
    std::shared_ptr<void> timer;               // of the next write; null: none is due
    MonotonicTime not_before{};
    std::string logged;                        // the last one
  };
  using Insight = system::v1alpha1::ZoneInsight;
  void schedule(Id id, Stream& stream, std::chrono::nanoseconds delay);
  void flush(Id id);
  void write_end(const std::string& zone);
  bool write(const Stream& stream) const;  // false: it has to be tried again
  void write_problems(const std::string& zone);
  void update(const std::string& zone, std::function<void(Insight&)> change);
  bool write(const std::string& zone, const std::function<void(Insight&)>& change) const;

  const Options options_;
  const model::Registry& registry_;
  manager::ResourceManager& manager_;
  const Clock& clock_;
  TimerExecutor& executor_;
  const StrandOf strand_of_;
  const std::function<std::string()> make_id_;
  Id last_id_ = 0;
  std::map<Id, Stream> streams_;
  // The last of each zone that is away: its end is written until that succeeds, at the latest in stop().
  std::map<std::string, Stream> ended_;
  std::map<std::string, Problems> problems_;  // by zone; bounded by the zones there are
};

}  // namespace kuma::kds
