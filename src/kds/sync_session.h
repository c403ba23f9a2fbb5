#pragma once

#include <optional>

#include "base/executor.h"
#include "kds/consumer.h"
#include "kds/link.h"
#include "kds/provider.h"
#include "kds/store_sync.h"
#include "kds/strand.h"

namespace kuma::kds {

// What every session of a control plane stands on; all of it outlives the sessions.
struct Host {
  const model::Registry& registry;
  store::Store& store;
  Catalog& catalog;
  const Clock& clock;
  TimerExecutor& executor;  // the one thread of catalog and sessions
};

// A synchronisation stream: GlobalToZoneSync or ZoneToGlobalSync of version 2, which have a provider at one end and a
// consumer at the other, or StreamMessage of version 1, which has both at both. This file moves messages between the
// stream, the state machines and the store; it decides nothing.
//
// Sending never waits for receiving nor the reverse: a provider has at most one response a type under way, a consumer's
// store work is done elsewhere, and every message is taken as it comes.
class SyncSession : public Session, public std::enable_shared_from_this<SyncSession> {
 public:
  struct ConsumerSetup {
    Consumer::Options options = {};
    std::shared_ptr<Strand> strand = {};
    // Runs on the strand before anything is asked for (a global makes the Zone); its error ends the stream.
    std::function<absl::Status()> prepare = {};
    std::chrono::nanoseconds response_backoff{};
    size_t message_size_max = 10 * 1024 * 1024;
    // After this long without any response, though the peer always has some, the stream is said to be stuck. 0: never.
    std::chrono::nanoseconds first_response_timeout{};
  };
  struct Setup {
    std::optional<Provider::Options> provider = {};
    std::optional<ConsumerSetup> consumer = {};
    bool legacy = false;  // version 1 in the envelope of old peers
    // What the provider saw, for those who count. `node` is that of the first request.
    std::function<void(const NodeInfo& node, const std::vector<Provider::Event>& events)> on_events = {};
    // How long it took to find out what the peer is to be sent, and whether there was anything.
    std::function<void(std::chrono::nanoseconds took, bool changed)> on_generated = {};
    // How long it took to store what the peer sent. On the strand.
    std::function<void(std::chrono::nanoseconds took)> on_applied = {};
    // What the peer sent could not be stored; it is asked again.
    std::function<void(const absl::Status& why)> on_refused = {};
    std::function<void(const absl::Status& why)> on_closed = {};
  };

  static std::shared_ptr<SyncSession> start(const Host& host, Link& link, Setup setup);

  void on_message(std::string_view bytes) override;
  void on_closed(const absl::Status& why) override;

  // For those who wait for quiet.
  bool is_settled() const;

 private:
  SyncSession(const Host& host, Link& link, Setup setup);
  void start_consumer();
  void on_request(const Request& request);
  void on_response(ReceivedResponse response);
  void store_next();
  void on_stored(bool initial, const absl::Status& status);
  void send(const Request& request);
  void send(const Response& response);
  void schedule_flush();
  void flush();
  void end(const absl::Status& status);
  bool is_open() const { return link_ != nullptr && !ended_; }
  bool is_mux() const { return setup_.provider && setup_.consumer; }

  const Host host_;
  Link* link_;
  Setup setup_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<Consumer> consumer_;
  std::shared_ptr<StoreSync> sync_;
  bool ended_ = false;
  bool flush_scheduled_ = false;
  std::map<std::string, bool> stored_types_;  // whether a type has been stored on this stream
  std::shared_ptr<void> wake_timer_;
  std::shared_ptr<void> answer_timer_;
  std::shared_ptr<void> first_response_timer_;
};

}  // namespace kuma::kds
