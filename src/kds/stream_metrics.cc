#include "kds/stream_metrics.h"

namespace kuma::kds {
namespace {

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

observe::Summary generation_time(observe::Metrics& metrics, Protocol protocol, bool changed) {
  constexpr const char* kHelp = "Time in milliseconds to find out what a peer is to be sent";
  if (protocol == Protocol::StateOfTheWorld) {
    return metrics.summary("kds_generation", kHelp);
  }
  // Nothing is looked at without a reason: there is no resync.
  return metrics.summary("kds_delta_generation", kHelp, {{"reason", "event"}, {"result", changed ? "changed" : "no_changes"}});
}

}  // namespace

void StreamMetrics::on_events(const std::string& prefix, const std::vector<Provider::Event>& events) const {
  for (const Provider::Event& event : events) {
    switch (event.kind) {
      case Provider::Event::Kind::LeftOut:
        metrics_->counter(prefix + "_generation_errors", "What could not be sent").add();
        break;
      case Provider::Event::Kind::Sent:
        metrics_->counter(prefix + "_responses_sent", "Number of responses sent by the server to a client", {{"type_url", event.type}}).add();
        break;
      case Provider::Event::Kind::Acknowledged:
      case Provider::Event::Kind::Rejected:
        metrics_->counter(prefix + "_requests_received", "Number of confirmations requests from a client",
                          {{"type_url", event.type}, {"confirmation", event.kind == Provider::Event::Kind::Acknowledged ? "ACK" : "NACK"}}).add();
        metrics_->summary(prefix + "_delivery", "Time in milliseconds from a response to its ACK or NACK").observe(milliseconds(event.took));
        break;
    }
  }
}

void StreamMetrics::watch(SyncSession::Setup& setup) const {
  if (metrics_ == nullptr) {
    return;
  }
  if (setup.consumer) {
    setup.on_applied = [applied = metrics_->histogram("kds_resources_sync", "Time in seconds to store what a peer has sent")](std::chrono::nanoseconds took) {
      applied.observe(std::chrono::duration<double>(took).count());
    };
  }
  if (!setup.provider) {
    return;
  }
  const Protocol protocol = setup.provider->protocol;
  const std::string prefix = protocol == Protocol::Delta ? "kds_delta" : "kds";
  setup.on_events = [*this, prefix, listener = std::move(setup.on_events)](const NodeInfo& node, const std::vector<Provider::Event>& events) {
    if (listener) {
      listener(node, events);
    }
    on_events(prefix, events);
  };
  setup.on_generated = [changed_time = generation_time(*metrics_, protocol, true), unchanged_time = generation_time(*metrics_, protocol, false)](
                           std::chrono::nanoseconds took, bool changed) { (changed ? changed_time : unchanged_time).observe(milliseconds(took)); };
  metrics_->counter(prefix + "_generation_errors", "What could not be sent");
  const observe::Gauge active = metrics_->gauge(prefix + "_streams_active", "Number of active connections between a server and a client");
  active.add(1);
  setup.on_closed = [active, listener = std::move(setup.on_closed)](const absl::Status& why) {
    active.add(-1);
    if (listener) {
      listener(why);
    }
  };
}

}  // namespace kuma::kds
