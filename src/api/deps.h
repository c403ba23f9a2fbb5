#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/config.h"
#include "mesh/mesh_view.h"
#include "model/resource.h"
#include "net/http.h"
#include "observe/metrics.h"
#include "security/tokens.h"
#include "store/store.h"

namespace kuma::api {

// Who sends a request.
using User = security::UserClaims;

// Writes with all that belongs to them: defaults, checks that need other resources, ownership. May wait for a disk or
// for keys, so the API calls it on its worker. Any thread.
struct ResourceWriter {
  std::function<absl::Status(model::Resource)> create;
  std::function<absl::Status(model::Resource)> update;  // meta.version is the one that was read
  std::function<absl::Status(const model::ResourceType&, const model::ResourceKey&)> remove;
};

// Issues tokens; waits for signing keys, so the API calls it on its worker. A function is empty where the settings
// disable that issuer. NotFound `there is no signing key with KID …` is passed on to clients. Any thread.
struct TokenIssuers {
  using Token = absl::StatusOr<std::string>;
  std::function<Token(const security::DataplaneClaims&, std::chrono::nanoseconds valid_for)> dataplane;
  std::function<Token(const security::ZoneClaims&, std::chrono::nanoseconds valid_for)> zone;
  std::function<Token(const std::string& zone, std::chrono::nanoseconds valid_for)> zone_ingress;
  std::function<Token(const security::UserClaims&, std::chrono::nanoseconds valid_for)> user;
};

// One page of a proxy's Envoy admin interface.
struct AdminPage {
  model::ResourcePtr proxy;  // Dataplane, ZoneIngress or ZoneEgress
  std::string path;          // "config_dump", "stats", "clusters"
};
// Fetches it and calls `done` once, on any thread. FailedPrecondition carries a message for the client; any other error
// is only logged.
using FetchAdminPage = std::function<void(AdminPage page, std::function<void(absl::StatusOr<std::string>)> done)>;

// Zones that a global turned away and that have no insight, as they never registered.
struct RefusedZone {
  std::string zone;  // as it calls itself; empty: it gave no name
  std::string message;
  uint64_t count = 0;
  WallTime first{}, last{};
};
struct RefusedZones {
  std::vector<RefusedZone> items;  // the newest first; bounded by whoever keeps them
  uint64_t left_out = 0;           // that were there and gave way to newer ones
};

// All that the REST API stands on. What is referred to outlives the handler that make_api() returns.
struct ApiDeps {
  const config::Config& config;
  const model::Registry& registry;
  const store::Store& store;  // reads
  const Clock& clock;
  // Runs what waits (writes, tokens) on a thread that may; false, and nothing done, when too much is waiting already.
  // Not a thread that makes keys, as some of it waits for them.
  std::function<bool(std::function<void()>)> run_on_worker;
  ResourceWriter writer;
  // The user of a bearer token, without the group of the authenticated; any error is a 401. Null: no token is valid.
  std::function<absl::StatusOr<User>(std::string_view token)> authenticate = nullptr;
  TokenIssuers tokens = {};
  // Waits, for a bounded time, while secrets of a mesh (empty: global ones) whose names begin with a prefix are on
  // their way. On the worker. Null: there is nothing to wait for.
  std::function<void(const std::string& mesh, std::string_view prefix)> wait_for_secrets = nullptr;
  FetchAdminPage fetch_admin_page = nullptr;
  // The newest view of a mesh, null when there is none. For inspection.
  std::function<mesh::MeshViewPtr(std::string_view mesh)> find_view = nullptr;
  // Names of a mesh that can't be had, and why. Null: nobody gives out names here.
  std::function<std::vector<std::string>(const std::string& mesh)> name_problems = nullptr;
  // Null: no zones connect here.
  std::function<RefusedZones()> refused_zones = nullptr;
  // What a view made for one question needs, where the engine's does not do: the address of a host name (empty: it has
  // none) and files that certificate authorities name. May wait; on the worker.
  std::function<std::string(const std::string& host)> resolve = nullptr;
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file = nullptr;
  std::function<std::string()> cluster_id = nullptr;  // empty until it is known
  std::string hostname = {};
  std::string instance_id = {};
  observe::Metrics* metrics = nullptr;
};

}  // namespace kuma::api
