#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "manager/resource_manager.h"
#include "manager/token_validator.h"
#include "net/http.h"
#include "store/store.h"
#include "xds/server/node.h"

namespace kuma::xds {

// Whether a proxy may be what it says it is: the token of each request against the resource that it brings or that is
// stored (spec/xds-server.md §4). Errors are what the proxy is told. Cheap enough for every request. Thread: any.
class ProxyAuthenticator {
 public:
  struct Options {
    bool dataplane_tokens = true;  // dpServer.authn.dpProxy.type is dpToken; none: everybody may be anybody
    bool zone_tokens = true;
  };
  ProxyAuthenticator(Options options, const model::Registry& registry, const store::Store& store, manager::TokenValidator& validator);

  // The token is the raw value of the one `authorization` in a stream's metadata. Who needs none may show anything.
  absl::Status check(const Node& node, const net::Headers& metadata) const;
  absl::Status check(ProxyType type, const model::Resource& resource, std::string_view token) const;

 private:
  const Options options_;
  const model::Registry& registry_;
  const store::Store& store_;
  manager::TokenValidator& validator_;
};

// Creates the resources that proxies bring along and removes them once their proxy is gone (spec/xds-server.md §5).
// Thread: any; removal runs on `executor`.
class ProxyRegistrar {
 public:
  struct Options {
    std::chrono::nanoseconds deregistration_delay = std::chrono::seconds(10);
    std::string control_plane_id;
  };
  ProxyRegistrar(Options options, const model::Registry& registry, store::Store& store, manager::ResourceManager& manager,
                 ProxyAuthenticator& authenticator, TimerExecutor& executor);
  ~ProxyRegistrar();  // stop()

  // A stream of the proxy has opened; stores the resource it brings, if any. May wait for a disk: call from a worker.
  absl::Status on_open(const Node& node, std::string_view token);
  // It has ended: the last one of a proxy that brought its resource takes it away after the delay.
  void on_close(const Node& node);
  // The control plane is going down: nothing is removed any more.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
