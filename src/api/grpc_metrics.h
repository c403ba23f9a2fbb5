#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "net/call_observer.h"
#include "observe/metrics.h"

namespace kuma::api {

// Counts gRPC calls under the names that the reference has (spec/policy-observability.md §7): `<prefix>_started_total`,
// `…_handled_total` with the status, `…_msg_received_total`, `…_msg_sent_total`, `…_handling_seconds`, by type, service and method.
// Any thread.
class GrpcMetrics final : public net::CallObserver {
 public:
  // `prefix`: "grpc_server" or "grpc_client".
  GrpcMetrics(observe::Metrics& metrics, std::string prefix, const Clock& clock);

  std::unique_ptr<Call> on_started(std::string_view path, Kind kind) override;

 private:
  class Counted;
  struct Method {
    observe::Labels labels;
    observe::Counter started, received, sent;
    observe::Histogram seconds;
  };
  const Method& method_of(std::string_view path, Kind kind);

  observe::Metrics& metrics_;
  const std::string prefix_;
  const Clock& clock_;
  std::mutex mutex_;                                                       // guards methods_
  absl::flat_hash_map<std::string, std::unique_ptr<const Method>> methods_;  // by path; as many as servers and clients have
};

}  // namespace kuma::api
