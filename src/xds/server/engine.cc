#include "xds/server/engine.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <random>
#include <set>

#include "base/log.h"
#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "security/certificate.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::xds {
namespace {

constexpr std::string_view kAdminCaSecret = "envoy-admin-ca";

// Observes, when the last proxy lets go of it, how long a write took to reach all it concerned.
class Propagation {
 public:
  Propagation(MonotonicTime committed_at, const Clock& clock, observe::Histogram histogram)
      : committed_at_(committed_at), clock_(clock), histogram_(histogram) {}
  ~Propagation() {
    if (concerns_somebody_) {
      histogram_.observe(std::chrono::duration<double>(clock_.monotonic_now() - committed_at_).count());
    }
  }
  Propagation(const Propagation&) = delete;
  Propagation& operator=(const Propagation&) = delete;

  // Called once a proxy has been handed the change; a change that reached nobody says nothing about propagation.
  void concerns_somebody() { concerns_somebody_ = true; }

 private:
  const MonotonicTime committed_at_;
  const Clock& clock_;
  const observe::Histogram histogram_;
  std::atomic<bool> concerns_somebody_ = false;
};

struct Connection {
  Engine::ConnectionId id = 0;
  std::shared_ptr<SnapshotSink> sink;
};

// A proxy with at least one open stream.
struct ConnectedProxy {
  ProxyInput input;
  std::vector<Connection> connections;
  std::shared_ptr<const Generation> last;
  SnapshotPtr snapshot;
  ProxyIdentity identity;
  std::string admin_ca_pem;          // that the admin certificate was made with
  std::vector<std::string> admin_addresses;
  std::shared_ptr<void> renewal;     // timer of the identity
};

double milliseconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  Impl(Options o, Parts p)
      : options(std::move(o)),
        parts(std::move(p)),
        builder(parts.registry, {.zone = options.zone, .read_file = parts.read_file}),
        issuer(parts.clock, interner, parts.metrics),
        generator_runs(parts.metrics.counter("xds_generator_runs", "Configurations of proxies that were generated")),
        pushes(parts.metrics.counter("xds_pushes", "Snapshots that were handed to streams because they differ from the last")),
        generation_errors(parts.metrics.counter("xds_generation_errors", "Generations that failed")),
        batches(parts.metrics.counter("mesh_view_batches", "Batches of changes folded into views")),
        propagation(parts.metrics.histogram(
            "xds_propagation_seconds", "Time from the commit of a write to the last acknowledgement of a proxy that it concerns", {},
            {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30})) {
    for (const char* result : {"changed", "generated"}) {
      generation_time.emplace(result, parts.metrics.summary("xds_generation", "Summary of XDS Snapshot generation",
                                                            {{"proxy_type", "dataplane"}, {"result", result}}));
    }
  }

  const Options options;
  const Parts parts;
  const std::shared_ptr<spdlog::logger> log = make_logger("xds.engine");
  Interner interner;
  SharedPieces pieces;
  mesh::ViewBuilder builder;
  IdentityIssuer issuer;
  const observe::Counter generator_runs, pushes, generation_errors, batches;
  std::map<std::string, observe::Summary> generation_time;
  const observe::Histogram propagation;

  // On the executor only.
  std::map<model::ResourceKey, ConnectedProxy> proxies;
  std::map<ConnectionId, model::ResourceKey> connections;
  security::AuthorityPtr admin_ca;
  std::string admin_ca_pem;
  std::map<std::string, std::string> resolved;
  std::set<std::string> resolving;
  std::shared_ptr<void> resolve_timer, resync_timer;
  bool stopped = false;

  std::mutex pending_mutex;  // guards the next two
  std::vector<model::Change> pending;
  bool drain_posted = false;

  mutable std::mutex published_mutex;  // guards the next two
  std::map<std::string, mesh::MeshViewPtr, std::less<>> published;
  std::map<model::ResourceKey, ProxyStatus> statuses;

  std::atomic<ConnectionId> last_connection{0};
  std::unique_ptr<store::Subscription> subscription;

  // ---------------------------------------------------------------- changes

  // On a writer's thread, with the store locked: only hands the changes on.
  void on_changes(std::span<const model::Change> changes) {
    const std::lock_guard lock(pending_mutex);
    pending.insert(pending.end(), changes.begin(), changes.end());
    if (!drain_posted) {
      drain_posted = true;
      parts.executor.post([self = shared_from_this()] { self->drain(); });
    }
  }

  void drain() {
    std::vector<model::Change> changes;
    {
      const std::lock_guard lock(pending_mutex);
      changes.swap(pending);
      drain_posted = false;
    }
    if (stopped || changes.empty()) {
      return;
    }
    batches.add();
    const bool admin_ca_changed = std::any_of(changes.begin(), changes.end(), [this](const auto& change) { return take_admin_ca(change); });
    apply(builder.apply(changes));
    if (admin_ca_changed) {
      for (auto& [key, proxy] : proxies) {
        generate(key, proxy, nullptr);
      }
    }
    resolve_hosts();
  }

  void apply(const std::vector<mesh::MeshUpdate>& updates) {
    for (const mesh::MeshUpdate& update : updates) {
      const std::string& name = update.view != nullptr ? update.view->name : update.previous->name;
      {
        const std::lock_guard lock(published_mutex);
        if (update.view != nullptr) {
          published.insert_or_assign(name, update.view);
        } else {
          published.erase(name);
        }
      }
      if (update.view == nullptr) {
        continue;  // proxies of a mesh that is gone keep what they have
      }
      const auto token = std::make_shared<Propagation>(update.change.committed_at, parts.clock, propagation);
      // Proxies of a mesh stand together: keys are ordered by mesh.
      for (auto it = proxies.lower_bound({name, ""}); it != proxies.end() && it->first.mesh == name; ++it) {
        ConnectedProxy& proxy = it->second;
        if (concerns(update.change, *update.view, it->first, proxy.last.get())) {
          if (generate(it->first, proxy, token)) {
            token->concerns_somebody();
          }
        }
      }
    }
  }

  // ---------------------------------------------------------------- generation

  // True when the proxy's snapshot changed and was delivered.
  bool generate(const model::ResourceKey& key, ConnectedProxy& proxy, const std::shared_ptr<void>& token) {
    const mesh::MeshViewPtr view = builder.find(key.mesh);
    if (view == nullptr) {
      set_status(key, {fmt::format("mesh \"{}\" is not there", key.mesh), {}});
      return false;
    }
    const MonotonicTime begin = parts.clock.monotonic_now();
    generator_runs.add();
    auto snapshot = build_snapshot(*view, key, proxy);
    if (!snapshot.ok()) {
      if (!absl::IsNotFound(snapshot.status())) {
        generation_errors.add();
      }
      set_status(key, {std::string(message_of(snapshot.status())), {}});
      return false;
    }
    const bool changed = proxy.snapshot == nullptr || !same(*proxy.snapshot, **snapshot);
    generation_time.at(changed ? "changed" : "generated").observe(milliseconds(parts.clock.monotonic_now() - begin));
    set_status(key, {"", proxy.last->problems});
    schedule_renewal(key, proxy);
    report_certificate(*view, key, proxy);
    if (!changed) {
      return false;
    }
    proxy.snapshot = *std::move(snapshot);
    for (const Connection& connection : proxy.connections) {
      pushes.add();
      connection.sink->deliver(proxy.snapshot, token);
    }
    return true;
  }

  absl::StatusOr<SnapshotPtr> build_snapshot(const mesh::MeshView& view, const model::ResourceKey& key, ConnectedProxy& proxy) {
    KUMA_RETURN_IF_ERROR(ensure_admin_tls(view, key, proxy));
    KUMA_ASSIGN_OR_RETURN(Generation generation, xds::generate(view, proxy.input, {.interner = interner, .pieces = &pieces}));
    KUMA_ASSIGN_OR_RETURN(std::vector<WireResourcePtr> secrets, issuer.secrets_for(view, key, generation.secrets, proxy.identity));
    auto snapshot = std::make_shared<Snapshot>();
    for (size_t i = 0; i < kXdsTypeCount; ++i) {
      std::vector<WireResourcePtr> wires;
      wires.reserve(generation.resources[i].size());
      for (const GeneratedResource& resource : generation.resources[i]) {
        wires.push_back(resource.wire);
      }
      if (static_cast<XdsType>(i) == XdsType::Secret) {
        wires = std::move(secrets);
      }
      snapshot->types[i] = make_type_snapshot(std::move(wires));
    }
    proxy.last = std::make_shared<const Generation>(std::move(generation));
    return SnapshotPtr(std::move(snapshot));
  }

  static bool same(const Snapshot& a, const Snapshot& b) {
    for (size_t i = 0; i < kXdsTypeCount; ++i) {
      if (a.types[i].version != b.types[i].version) {
        return false;
      }
    }
    return true;
  }

  // The certificate of the proxy's admin listener, made once for its addresses.
  absl::Status ensure_admin_tls(const mesh::MeshView& view, const model::ResourceKey& key, ConnectedProxy& proxy) {
    if (proxy.input.metadata.admin_port == 0) {
      return absl::OkStatus();
    }
    const mesh::DataplaneView* dataplane = view.find_dataplane(key);
    if (dataplane == nullptr) {
      return absl::OkStatus();  // generation says what is missing
    }
    if (admin_ca == nullptr) {
      return absl::UnavailableError(fmt::format("the GlobalSecret {} is not there yet; it is made in the background at the first start", kAdminCaSecret));
    }
    std::vector<std::string> addresses = {dataplane->address};
    if (dataplane->advertised_address != dataplane->address) {
      addresses.push_back(dataplane->advertised_address);
    }
    if (proxy.admin_ca_pem == admin_ca_pem && proxy.admin_addresses == addresses) {
      return absl::OkStatus();
    }
    KUMA_ASSIGN_OR_RETURN(security::KeyPair pair, security::issue_admin_server(*admin_ca, addresses, parts.clock.wall_now()));
    proxy.input.admin_tls = {admin_ca->certificate().to_pem(), std::move(pair.certificate_pem), std::move(pair.key_pem)};
    proxy.admin_ca_pem = admin_ca_pem;
    proxy.admin_addresses = std::move(addresses);
    return absl::OkStatus();
  }

  // True when the change is one of the authority of admin listeners.
  bool take_admin_ca(const model::Change& change) {
    if (change.after == nullptr || change.type().name != "GlobalSecret" || change.meta().name != kAdminCaSecret) {
      return false;
    }
    const std::string& pem = change.after->as<::kuma::system::v1alpha1::Secret>().data().value();
    if (pem == admin_ca_pem) {
      return false;
    }
    auto authority = security::Authority::load(pem, pem);
    if (!authority.ok()) {
      log->error("the GlobalSecret {} is not usable: {}", kAdminCaSecret, message_of(authority.status()));
      return false;
    }
    admin_ca = *std::move(authority);
    admin_ca_pem = pem;
    return true;
  }

  void schedule_renewal(const model::ResourceKey& key, ConnectedProxy& proxy) {
    if (!proxy.identity.identity) {
      proxy.renewal = nullptr;
      return;
    }
    const std::chrono::nanoseconds left = proxy.identity.identity->renew_at() - parts.clock.wall_now();
    proxy.renewal = parts.executor.post_after(std::max(left, std::chrono::nanoseconds(std::chrono::milliseconds(100))),
                                              [weak = weak_from_this(), key] {
                                                const auto self = weak.lock();
                                                if (self == nullptr || self->stopped) {
                                                  return;
                                                }
                                                if (const auto found = self->proxies.find(key); found != self->proxies.end()) {
                                                  self->generate(key, found->second, nullptr);
                                                }
                                              });
  }

  void report_certificate(const mesh::MeshView& view, const model::ResourceKey& key, const ConnectedProxy& proxy) {
    if (!proxy.identity.identity || view.trust == nullptr) {
      parts.insights.set_certificate(key, std::nullopt);
      return;
    }
    parts.insights.set_certificate(key, CertificateInfo{.issued_at = proxy.identity.identity->issued_at,
                                                        .expires_at = proxy.identity.identity->not_after,
                                                        .issued_backend = proxy.identity.issued_backend,
                                                        .supported_backends = {view.trust->backend}});
  }

  void set_status(const model::ResourceKey& key, ProxyStatus status) {
    const std::lock_guard lock(published_mutex);
    ProxyStatus& existing = statuses[key];
    if (!status.error.empty() && status.error != existing.error) {
      log->warn("no new configuration for {} in mesh {}: {}", key.name, key.mesh, status.error);
    }
    existing = std::move(status);
  }

  // ---------------------------------------------------------------- streams

  void on_connect(ConnectionId id, const model::ResourceKey& key, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink) {
    if (stopped) {
      return;
    }
    ConnectedProxy& proxy = proxies[key];
    proxy.input.key = key;
    const bool same_metadata = proxy.input.metadata == metadata;
    proxy.input.metadata = metadata;
    proxy.connections.push_back({id, std::move(sink)});
    connections.emplace(id, key);
    if (proxy.snapshot != nullptr && same_metadata) {
      proxy.connections.back().sink->deliver(proxy.snapshot, nullptr);
      return;
    }
    if (!generate(key, proxy, nullptr) && proxy.snapshot != nullptr) {
      proxy.connections.back().sink->deliver(proxy.snapshot, nullptr);
    }
  }

  void on_disconnect(ConnectionId id) {
    const auto found = connections.find(id);
    if (found == connections.end()) {
      return;
    }
    const model::ResourceKey key = found->second;
    connections.erase(found);
    const auto proxy = proxies.find(key);
    std::erase_if(proxy->second.connections, [&](const Connection& connection) { return connection.id == id; });
    if (proxy->second.connections.empty()) {
      proxies.erase(proxy);
      parts.insights.forget_certificate(key);
      const std::lock_guard lock(published_mutex);
      statuses.erase(key);
    }
  }

  // ---------------------------------------------------------------- host names, resync

  // Resolves names that are new at once, and all of them again after the interval.
  void resolve_hosts() {
    for (const std::string& host : builder.hosts()) {
      if (!resolved.contains(host)) {
        resolve_one(host);
      }
    }
    if (resolve_timer == nullptr && !builder.hosts().empty()) {
      resolve_timer = parts.executor.post_after(options.resolve_interval, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self == nullptr || self->stopped) {
          return;
        }
        self->resolve_timer = nullptr;
        for (const std::string& host : self->builder.hosts()) {
          self->resolve_one(host);
        }
        self->resolve_hosts();
      });
    }
  }

  void resolve_one(const std::string& host) {
    if (!resolving.insert(host).second) {
      return;
    }
    parts.workers.post([self = shared_from_this(), host] {
      std::string address = self->parts.resolve(host);
      self->parts.executor.post([self, host, address = std::move(address)] {
        self->resolving.erase(host);
        if (self->stopped) {
          return;
        }
        const auto known = self->resolved.find(host);
        if (known != self->resolved.end() && known->second == address) {
          return;
        }
        if (address.empty()) {
          self->log->error("the address {} does not resolve; what uses it is left out", host);
        }
        self->resolved.insert_or_assign(host, address);
        self->apply(self->builder.set_resolved(host, address));
      });
    });
  }

  void schedule_resync() {
    std::minstd_rand random(static_cast<unsigned>(parts.clock.monotonic_now().time_since_epoch().count()));
    const double jitter = std::uniform_real_distribution<double>(0.75, 1.25)(random);
    resync_timer = parts.executor.post_after(std::chrono::duration_cast<std::chrono::nanoseconds>(options.resync_interval * jitter),
                                             [weak = weak_from_this()] {
                                               const auto self = weak.lock();
                                               if (self == nullptr || self->stopped) {
                                                 return;
                                               }
                                               for (auto& [key, proxy] : self->proxies) {
                                                 if (self->generate(key, proxy, nullptr)) {
                                                   self->log->error("the resync found {} in mesh {} with an old configuration", key.name, key.mesh);
                                                 }
                                               }
                                               self->schedule_resync();
                                             });
  }
};

Engine::Engine(Options options, Parts parts) : impl_(std::make_shared<Impl>(std::move(options), std::move(parts))) {}

Engine::~Engine() { stop(); }

void Engine::start() {
  impl_->parts.executor.post([self = impl_] { self->schedule_resync(); });
  impl_->subscription = impl_->parts.store.subscribe([self = impl_.get()](std::span<const model::Change> changes) { self->on_changes(changes); });
}

void Engine::stop() {
  impl_->subscription = nullptr;
  impl_->parts.executor.post([self = impl_] {
    self->stopped = true;
    self->proxies.clear();
    self->connections.clear();
    self->resolve_timer = nullptr;
    self->resync_timer = nullptr;
  });
}

Engine::ConnectionId Engine::connect(const model::ResourceKey& proxy, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink) {
  const ConnectionId id = ++impl_->last_connection;
  impl_->parts.executor.post([self = impl_, id, proxy, metadata, sink = std::move(sink)]() mutable {
    self->on_connect(id, proxy, metadata, std::move(sink));
  });
  return id;
}

void Engine::disconnect(ConnectionId id) {
  impl_->parts.executor.post([self = impl_, id] { self->on_disconnect(id); });
}

mesh::MeshViewPtr Engine::view(std::string_view mesh) const {
  const std::lock_guard lock(impl_->published_mutex);
  const auto found = impl_->published.find(mesh);
  return found == impl_->published.end() ? nullptr : found->second;
}

std::optional<ProxyStatus> Engine::status(const model::ResourceKey& proxy) const {
  const std::lock_guard lock(impl_->published_mutex);
  const auto found = impl_->statuses.find(proxy);
  return found == impl_->statuses.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace kuma::xds
