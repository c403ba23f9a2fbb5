#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "manager/resource_manager.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "xds/server/certificate_info.h"
#include "xds/server/session.h"

namespace kuma::xds {

// Keeps the insights of connected proxies (spec/xds-server.md §7): one subscription a stream, written at a bounded rate: the
// first time as soon as the proxy has acknowledged what it was sent, then each proxy at most once per flush interval, and
// when the stream ends. Nothing is written that has not changed.
//
// Status writes go to the store through the manager like any other, but no configuration depends on them, so they wake
// nobody (but for the one bit of PERMISSIVE meshes).
//
// Thread: any. Writes are made on `executor`, which may wait for the store.
class InsightWriter {
 public:
  struct Options {
    std::string control_plane_id;
    std::chrono::nanoseconds flush_interval = std::chrono::seconds(10);
    std::chrono::nanoseconds generation_interval = std::chrono::seconds(150);  // half the idle timeout
    uint32_t subscription_limit = 2;
  };
  InsightWriter(Options options, const model::Registry& registry, manager::ResourceManager& manager, const Clock& clock,
                TimerExecutor& executor);
  ~InsightWriter();  // stop()

  // A stream of a proxy has opened; `id` is what the other calls name it by.
  uint64_t open(const model::ResourceType& proxy_type, const model::ResourceKey& proxy, const ::kuma::mesh::v1alpha1::Version& version);
  // `settled`: the proxy has acknowledged all there is.
  void on_events(uint64_t id, const std::vector<AdsSession::Event>& events, bool settled);
  // The proxy's certificate, or that it needs none.
  void set_certificate(const model::ResourceKey& proxy, std::optional<CertificateInfo> certificate);
  // Nothing is known of it any more (its proxy has gone): the insight keeps what it says, as clients in PERMISSIVE meshes
  // go by the certificates of all dataplanes of a service, also of those that are away for a moment.
  void forget_certificate(const model::ResourceKey& proxy);
  void close(uint64_t id);

  // Writes what is pending, on the caller's thread, and schedules nothing any more.
  void stop();

 private:
  struct Stream;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
