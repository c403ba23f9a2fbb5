#include "xds/server/registrar.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/status.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"

namespace kuma::xds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

// The control plane that a proxy's last subscription is with; empty: it has none.
std::string last_control_plane(const model::Resource& insight) {
  const auto last = [](const auto& subscriptions) {
    return subscriptions.empty() ? std::string() : subscriptions.Get(subscriptions.size() - 1).control_plane_instance_id();
  };
  if (insight.type->name == "DataplaneInsight") {
    return last(insight.as<pb::DataplaneInsight>().subscriptions());
  }
  if (insight.type->name == "ZoneIngressInsight") {
    return last(insight.as<pb::ZoneIngressInsight>().subscriptions());
  }
  return last(insight.as<pb::ZoneEgressInsight>().subscriptions());
}

}  // namespace

ProxyAuthenticator::ProxyAuthenticator(Options options, const model::Registry& registry, const store::Store& store,
                                       manager::TokenValidator& validator)
    : options_(options), registry_(registry), store_(store), validator_(validator) {}

absl::Status ProxyAuthenticator::check(ProxyType type, const model::Resource& resource, std::string_view token) const {
  if (type == ProxyType::Dataplane) {
    return options_.dataplane_tokens ? validator_.check_dataplane(token, resource) : absl::OkStatus();
  }
  return options_.zone_tokens ? validator_.check_zone_proxy(token, resource) : absl::OkStatus();
}

absl::Status ProxyAuthenticator::check(const Node& node, const net::Headers& metadata) const {
  const bool needed = node.metadata.proxy_type == ProxyType::Dataplane ? options_.dataplane_tokens : options_.zone_tokens;
  if (!needed) {
    return absl::OkStatus();
  }
  const auto count = std::count_if(metadata.fields().begin(), metadata.fields().end(),
                                   [](const auto& field) { return field.first == "authorization"; });
  if (count > 1) {
    return absl::UnauthenticatedError(fmt::format(
        "could not extract credential from DiscoveryRequest: request must have exactly 1 \"authorization\" header, got {}", count));
  }
  const std::string_view token = metadata.get("authorization");
  absl::Status status;
  if (node.resource) {
    status = check(node.metadata.proxy_type, *node.resource, token);
  } else {
    const std::string_view type_name = resource_type_name(node.metadata.proxy_type);
    const auto stored = store_.get(*registry_.find(type_name), node.key);
    if (!stored.ok()) {
      status = absl::UnauthenticatedError(fmt::format(
          "resource \"{}\" not found; create a {} in Kuma CP first or pass it as an argument to kuma-dp", node.id, type_name));
    } else {
      status = check(node.metadata.proxy_type, **stored, token);
    }
  }
  return annotate(status, "authentication failed");
}

struct ProxyRegistrar::Impl : std::enable_shared_from_this<ProxyRegistrar::Impl> {
  Impl(Options o, const model::Registry& r, store::Store& s, manager::ResourceManager& m, ProxyAuthenticator& a, TimerExecutor& e)
      : options(std::move(o)), registry(r), store(s), manager(m), authenticator(a), executor(e) {}

  const Options options;
  const model::Registry& registry;
  store::Store& store;
  manager::ResourceManager& manager;
  ProxyAuthenticator& authenticator;
  TimerExecutor& executor;
  const std::shared_ptr<spdlog::logger> log = make_logger("xds.registrar");

  using Key = std::pair<ProxyType, model::ResourceKey>;

  std::mutex mutex;  // guards the next four
  std::map<Key, size_t> open;         // streams of proxies that brought their resource
  std::map<Key, size_t> registering;  // streams whose resource is being stored, or refused
  std::set<Key> removing;
  bool stopped = false;
  std::map<Key, std::shared_ptr<void>> timers;  // on the executor

  // On the executor.
  void remove_later(const Key& key) {
    timers[key] = executor.post_after(options.deregistration_delay, [self = shared_from_this(), key] {
      self->timers.erase(key);
      self->remove_if_gone(key);
    });
  }

  void remove_if_gone(const Key& key) {
    {
      const std::lock_guard lock(mutex);
      if (stopped || open.contains(key)) {
        return;
      }
      if (registering.contains(key)) {
        remove_later(key);  // it may be refused
        return;
      }
      removing.insert(key);
    }
    remove(key.first, key.second);
    const std::lock_guard lock(mutex);
    removing.erase(key);
  }

  static void count_down(std::map<Key, size_t>& counts, const Key& key) {
    const auto found = counts.find(key);
    if (found != counts.end() && --found->second == 0) {
      counts.erase(found);
    }
  }

  void remove(ProxyType type, const model::ResourceKey& key) {
    const model::ResourceType& resource_type = *registry.find(resource_type_name(type));
    const auto insight = store.get(*registry.find(resource_type.insight_type), key);
    if (insight.ok()) {
      const std::string control_plane = last_control_plane(**insight);
      if (!control_plane.empty() && control_plane != options.control_plane_id) {
        return;  // it went to another control plane
      }
    }
    const absl::Status status = manager.remove(resource_type, key);
    if (!status.ok() && !absl::IsNotFound(status)) {
      log->error("{} {} in mesh {} was not removed after its proxy had gone: {}", resource_type.name, key.name, key.mesh, message_of(status));
    } else {
      log->info("{} {} in mesh {} removed: its proxy has gone", resource_type.name, key.name, key.mesh);
    }
  }
};

ProxyRegistrar::ProxyRegistrar(Options options, const model::Registry& registry, store::Store& store, manager::ResourceManager& manager,
                               ProxyAuthenticator& authenticator, TimerExecutor& executor)
    : impl_(std::make_shared<Impl>(std::move(options), registry, store, manager, authenticator, executor)) {}

ProxyRegistrar::~ProxyRegistrar() { stop(); }

absl::Status ProxyRegistrar::on_open(const Node& node, std::string_view token) {
  if (!node.resource) {
    return absl::OkStatus();
  }
  const auto failed = [](const absl::Status& status) { return annotate(status, "could not register proxy passed in kuma-dp run"); };
  const model::ResourceKey own = node.resource->meta.key();
  if (own != node.key) {
    return failed(absl::InvalidArgumentError(fmt::format("proxyId {} does not match proxy resource {}.{}", node.id, own.mesh, own.name)));
  }
  const Impl::Key key{node.metadata.proxy_type, node.key};
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->removing.contains(key)) {
      return failed(absl::AbortedError("attempt to concurently register deleted DPP resource, needs retry"));
    }
    ++impl_->registering[key];
  }
  const auto stored = impl_->manager.upsert(*node.resource->type, node.key, [&](model::Resource& resource) -> absl::Status {
    if (resource.meta.version != 0) {
      if (const absl::Status status = impl_->authenticator.check(node.metadata.proxy_type, *node.resource, token); !status.ok()) {
        return annotate(status, "you are trying to override existing proxy to which you don't have an access.");
      }
    }
    resource.message = node.resource->message;
    return absl::OkStatus();
  });
  const std::lock_guard lock(impl_->mutex);
  Impl::count_down(impl_->registering, key);
  if (!stored.ok()) {
    return failed(stored.status());  // what is stored is somebody else's, and is not removed on a stranger's account
  }
  ++impl_->open[key];
  return absl::OkStatus();
}

void ProxyRegistrar::on_close(const Node& node) {
  if (!node.resource) {
    return;
  }
  const Impl::Key key{node.metadata.proxy_type, node.key};
  const std::lock_guard lock(impl_->mutex);
  Impl::count_down(impl_->open, key);
  if (!impl_->open.contains(key) && !impl_->stopped) {
    impl_->executor.post([self = impl_, key] { self->remove_later(key); });
  }
}

void ProxyRegistrar::stop() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stopped = true;
}

}  // namespace kuma::xds
