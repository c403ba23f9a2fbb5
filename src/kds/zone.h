#pragma once

#include <memory>
#include <string>

#include "kds/admin_streams.h"
#include "kds/feed.h"
#include "kds/link.h"
#include "kds/sync_session.h"
#include "observe/metrics.h"

namespace kuma::kds {

// A zone's end: dials the global, opens all streams, and when one ends (whatever the reason) drops the connection and dials
// again after a pause. While the global is away the zone goes on with what it has.
//
// A global that knows no delta protocol is served with the state of the world until the next connection.
//
// Thread: the executor's; start() any; stop() when the executor has ended.
class Zone {
 public:
  struct Options {
    std::string name = {};
    std::string instance_id = {};
      NodeInfo node = {};       // without id
    bool delta = true;
    std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
    std::chrono::nanoseconds response_backoff{};
    std::chrono::nanoseconds answer_timeout = std::chrono::minutes(2);
    size_t message_size_max = 10 * 1024 * 1024;
    // The pause before dialling again: from the shortest, doubled each time, up to the longest; at random between half and
    // all of it. Back to the shortest once a connection has worked and lasted for the longest.
    std::chrono::nanoseconds pause_min = std::chrono::milliseconds(250);
    std::chrono::nanoseconds pause_max = std::chrono::seconds(5);
    std::chrono::nanoseconds health_interval = std::chrono::minutes(5);
  };
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    const Clock& clock;
    TimerExecutor& executor;
    Executor& workers;
    Connect connect;
    FetchPage fetch_page;
    std::function<double()> random;  // 0 to 1
    std::function<std::string()> read_token = nullptr;  // for each connection; null or an empty token: none is sent
    observe::Metrics* metrics = nullptr;
  };
  Zone(Parts parts, Options options);
  ~Zone();  // stop()

  void start();
  void stop();

  // For tests: connected, and nothing is owed in either direction.
  bool is_settled() const;

 private:
  class Watched;

  void dial();
  void open_sync(std::string_view rpc);
  void open_admin(std::string_view page);
  void check_health();
  Metadata metadata() const;
  SyncSession::Setup sync_setup(std::string_view rpc);
  // A stream of connection `generation` has ended.
  void on_stream_closed(uint64_t generation, std::string_view rpc, const absl::Status& why);
  void reconnect();

  const Parts parts_;
  const Options options_;
  Catalog catalog_;
  std::unique_ptr<Feed> feed_;
  const std::shared_ptr<Strand> strand_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::weak_ptr<SyncSession>> syncs_;
  uint64_t generation_ = 0;  // of the connection
  bool delta_;               // of the current connection
  std::string token_;        // likewise
  bool pausing_ = false;
  bool worked_ = false;      // a message has come over this connection
  MonotonicTime dialled_at_{};
  int failures_ = 0;
  std::chrono::nanoseconds health_interval_{};
  std::shared_ptr<void> pause_timer_;
  std::shared_ptr<void> health_timer_;
  bool stopped_ = false;
};

}  // namespace kuma::kds
