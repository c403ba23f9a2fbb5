#include "kds/zone_insights.h"

#include "base/log.h"
#include "base/status.h"
#include "base/version.h"
#include "insight/subscriptions.h"
#include "kds/refusals.h"

namespace kuma::kds {
namespace {

namespace pb = ::kuma::system::v1alpha1;
using namespace std::chrono_literals;

// A zone asks for some thirty types at once: one write shows all of the answers.
constexpr auto kFirstFlushDelay = 300ms;

void count(pb::KDSServiceStats& stats, Provider::Event::Kind kind) {
  switch (kind) {
    case Provider::Event::Kind::Sent:
      stats.set_responses_sent(stats.responses_sent() + 1);
      break;
    case Provider::Event::Kind::Acknowledged:
      stats.set_responses_acknowledged(stats.responses_acknowledged() + 1);
      break;
    case Provider::Event::Kind::Rejected:
      stats.set_responses_rejected(stats.responses_rejected() + 1);
      break;
    case Provider::Event::Kind::LeftOut:
      break;
  }
}

}  // namespace

ZoneInsights::ZoneInsights(Options options, const model::Registry& registry, manager::ResourceManager& manager, const Clock& clock,
                           TimerExecutor& executor, StrandOf strand_of, std::function<std::string()> make_id)
    : options_(std::move(options)), registry_(registry), manager_(manager), clock_(clock), executor_(executor),
      strand_of_(std::move(strand_of)), make_id_(std::move(make_id)) {}

ZoneInsights::~ZoneInsights() = default;

ZoneInsights::Id ZoneInsights::open(const std::string& zone, bool token_provided) {
  Stream stream{.zone = zone, .subscription = {}, .timer = {}, .next_generation = clock_.monotonic_now() + options_.generation_interval};
  stream.subscription.set_id(make_id_());
  stream.subscription.set_global_instance_id(options_.instance_id);
  *stream.subscription.mutable_connect_time() = insight::to_timestamp(clock_.wall_now());
  stream.subscription.mutable_status()->mutable_total();
  stream.subscription.mutable_version()->mutable_kumacp();
  stream.subscription.set_auth_token_provided(token_provided);
  streams_.emplace(++last_id_, std::move(stream));
  ended_.erase(zone);
  return last_id_;
}

void ZoneInsights::on_events(Id id, const NodeInfo& node, const std::vector<Provider::Event>& events) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  Stream& stream = found->second;
  if (!std::exchange(stream.introduced, true)) {
    auto& version = *stream.subscription.mutable_version()->mutable_kumacp();
    version.set_version(node.version);
    version.set_gittag(node.git_tag);
    version.set_gitcommit(node.git_commit);
    version.set_builddate(node.build_date);
    version.set_kumacpglobalcompatible(compatible_versions(options_.version, node.version));
    stream.subscription.set_config(node.config);
    stream.dirty = true;
    schedule(id, stream, kFirstFlushDelay);
  }
  if (events.empty()) {
    return;
  }
  auto& status = *stream.subscription.mutable_status();
  for (const Provider::Event& event : events) {
    if (!event.error.empty()) {
      on_problem(stream.zone, event.kind == Provider::Event::Kind::Rejected ? fmt::format("{} refused by the zone: {}", event.type, event.error) : event.error);
    }
    if (event.kind == Provider::Event::Kind::LeftOut) {
      continue;
    }
    count(*status.mutable_total(), event.kind);
    count((*status.mutable_stat())[event.type], event.kind);
  }
  *status.mutable_last_update_time() = insight::to_timestamp(clock_.wall_now());
  stream.dirty = true;
}

void ZoneInsights::schedule(Id id, Stream& stream, std::chrono::nanoseconds delay) {
  stream.timer = executor_.post_after(delay, [this, id] { flush(id); });
}

void ZoneInsights::flush(Id id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  Stream& stream = found->second;
  if (clock_.monotonic_now() >= stream.next_generation) {
    stream.next_generation = clock_.monotonic_now() + options_.generation_interval;
    stream.subscription.set_generation(stream.subscription.generation() + 1);
    stream.dirty = true;
  }
  if (std::exchange(stream.dirty, false)) {
    strand_of_(stream.zone)->post([this, id, copy = stream] {
      if (!write(copy)) {
        executor_.post([this, id] {
          if (const auto again = streams_.find(id); again != streams_.end()) {
            again->second.dirty = true;
          }
        });
      }
    });
  }
  schedule(id, stream, options_.flush_interval);
}

bool ZoneInsights::write(const Stream& stream) const {
  return write(stream.zone, [&](Insight& insight) {
    insight::upsert_subscription(insight, stream.subscription, clock_.wall_now(), options_.subscription_limit);
    if (options_.compact_finished) {
      for (int i = 0; i + 1 < insight.subscriptions_size(); ++i) {
        insight.mutable_subscriptions(i)->clear_config();
        insight.mutable_subscriptions(i)->mutable_status()->clear_stat();
      }
    }
  });
}

void ZoneInsights::close(Id id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  Stream stream = std::move(found->second);
  streams_.erase(found);
  if (stream.introduced) {
    *stream.subscription.mutable_disconnect_time() = insight::to_timestamp(clock_.wall_now());
    stream.timer = nullptr;
    const std::string zone = stream.zone;
    ended_.insert_or_assign(zone, std::move(stream));
    write_end(zone);
  }
}

void ZoneInsights::write_end(const std::string& zone) {
  const auto found = ended_.find(zone);
  if (found == ended_.end()) {
    return;  // it is back
  }
  strand_of_(zone)->post([this, zone, copy = found->second] {
    if (write(copy)) {
      return;
    }
    executor_.post([this, zone] {
      if (const auto again = ended_.find(zone); again != ended_.end()) {
        again->second.timer = executor_.post_after(options_.flush_interval, [this, zone] { write_end(zone); });
      }
    });
  });
}

void ZoneInsights::on_problem(const std::string& zone, std::string message) {
  message = to_problem_line(std::move(message));
  Problems& problems = problems_[zone];
  if (!problems.unwritten.contains(message) && problems.unwritten.size() >= kProblemsMax) {
    return;
  }
  if (std::exchange(problems.logged, message) != message) {
    make_logger("kds")->warn("zone \"{}\": {}", zone, message);
  }
  Problem& problem = problems.unwritten[std::move(message)];
  problem.last = clock_.wall_now();
  ++problem.count;
  if (problems.timer == nullptr) {
    const auto delay = std::max<std::chrono::nanoseconds>(kFirstFlushDelay, problems.not_before - clock_.monotonic_now());
    problems.timer = executor_.post_after(delay, [this, zone] { write_problems(zone); });
  }
}

void ZoneInsights::write_problems(const std::string& zone) {
  Problems& problems = problems_[zone];
  problems.timer = nullptr;
  problems.not_before = clock_.monotonic_now() + options_.flush_interval;
  update(zone, [unwritten = std::exchange(problems.unwritten, {})](Insight& insight) {
    auto& list = *insight.mutable_problems();
    for (const auto& [message, problem] : unwritten) {
      const auto same = std::find_if(list.begin(), list.end(), [&text = message](const auto& one) { return one.message() == text; });
      const uint32_t before = same == list.end() ? 0 : same->count();
      if (same != list.end()) {
        list.erase(same);
      }
      pb::KDSProblem& added = *list.Add();
      added.set_message(message);
      added.set_count(before + problem.count);
      *added.mutable_time() = insight::to_timestamp(problem.last);
    }
    if (const int surplus = list.size() - static_cast<int>(kProblemsMax); surplus > 0) {
      list.DeleteSubrange(0, surplus);
    }
  });
}

void ZoneInsights::on_health_check(const std::string& zone) {
  update(zone, [now = insight::to_timestamp(clock_.wall_now())](Insight& insight) { *insight.mutable_health_check()->mutable_time() = now; });
}

void ZoneInsights::on_admin_stream(const std::string& zone, std::string_view page) {
  update(zone, [page = std::string(page), instance = options_.instance_id](Insight& insight) {
    auto& streams = *insight.mutable_envoy_admin_streams();
    if (page == "config_dump") {
      streams.set_config_dump_global_instance_id(instance);
    } else if (page == "stats") {
      streams.set_stats_global_instance_id(instance);
    } else {
      streams.set_clusters_global_instance_id(instance);
    }
  });
}

void ZoneInsights::update(const std::string& zone, std::function<void(Insight&)> change) {
  strand_of_(zone)->post([this, zone, change = std::move(change)] { (void)write(zone, change); });
}

bool ZoneInsights::write(const std::string& zone, const std::function<void(Insight&)>& change) const {
  const auto written = manager_.upsert(*registry_.find("ZoneInsight"), {"", zone}, [&change](model::Resource& resource) {
    Insight insight = resource.as<Insight>();
    change(insight);
    resource.message = std::make_shared<const Insight>(std::move(insight));
    return absl::OkStatus();
  });
  // Without its Zone there is nothing to write to, and nobody to read it.
  if (written.ok() || absl::IsNotFound(written.status())) {
    return true;
  }
  make_logger("kds")->warn("the insight of zone \"{}\" could not be written and is tried again: {}", zone, message_of(written.status()));
  return false;
}

void ZoneInsights::stop() {
  for (auto& [id, stream] : std::exchange(streams_, {})) {
    if (stream.introduced) {
      *stream.subscription.mutable_disconnect_time() = insight::to_timestamp(clock_.wall_now());
      (void)write(stream);
    }
  }
  for (const auto& [zone, stream] : std::exchange(ended_, {})) {
    (void)write(stream);
  }
}

}  // namespace kuma::kds
