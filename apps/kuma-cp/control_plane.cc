#include "control_plane.h"

#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "api/admin_client.h"
#include "api/api.h"
#include "api/diagnostics.h"
#include "api/grpc_metrics.h"
#include "api/measured_handler.h"
#include "api/wiring.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "base/version.h"
#include "config/client_authorities.h"
#include "config/load.h"
#include "insight/dataplane_gc.h"
#include "insight/finalizer.h"
#include "insight/metered_store.h"
#include "insight/resyncer.h"
#include "mads/service.h"
#include "manager/initial_resources.h"
#include "manager/resource_manager.h"
#include "manager/token_issuer.h"
#include "manager/token_validator.h"
#include "manager/vip_allocator.h"
#include "multizone.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "net/server.h"
#include "net/worker_pool.h"
#include "policy/policy.h"
#include "security/key.h"
#include "security/key_pool.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"
#include "xds/bootstrap/handler.h"
#include "xds/server/ads_service.h"
#include "xds/server/engine.h"
#include "xds/server/health_service.h"

namespace kuma {
namespace {

using namespace std::chrono_literals;

constexpr size_t kWorkers = 2;
constexpr std::chrono::nanoseconds kStopGrace = 2s;

// Threads that generate proxies' configurations.
size_t generator_count() { return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 8); }

model::Registry make_registry() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

// The variable that moves a server to another port.
std::string_view port_variable(std::string_view server) {
  for (const auto& [name, variable] : {std::pair("diagnostics", "KUMA_DIAGNOSTICS_SERVER_PORT"), std::pair("api-server", "KUMA_API_SERVER_HTTP_PORT"),
                                       std::pair("api-server-tls", "KUMA_API_SERVER_HTTPS_PORT"), std::pair("dp-server", "KUMA_DP_SERVER_PORT"),
                                       std::pair("mads-server", "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT")}) {
    if (server == name) {
      return variable;
    }
  }
  return "";
}

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) {
    return absl::NotFoundError(fmt::format("could not read {}", path));
  }
  return text;
}

// A file that a resource names. Whoever may write such a resource must not come by the keys of this control plane, nor hold it up
// with a pipe.
absl::StatusOr<std::string> read_data_file(const config::Config& config, const std::string& path) {
  std::error_code error;
  if (!path.starts_with('/') || !std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) > security::kPemLenMax) {
    return absl::NotFoundError(fmt::format("{} is no absolute path to a regular file of at most {} bytes", path, security::kPemLenMax));
  }
  for (const std::string* own : {&config.general.tls.key_file, &config.dp_server.tls.key_file, &config.api_server.https.tls.key_file,
                                 &config.multizone.global.tls.key_file, &config.diagnostics.tls.key_file,
                                 &config.monitoring_assignment_server.tls.key_file, &config.store.sqlite.path}) {
    if (!own->empty() && std::filesystem::equivalent(path, *own, error)) {
      return absl::PermissionDeniedError(fmt::format("{} is a file of the control plane itself", path));
    }
  }
  return read_file(path);
}

std::string host_name() {
  std::array<char, 256> buffer{};
  gethostname(buffer.data(), buffer.size() - 1);
  return buffer.data();
}

// The lexicographically smallest address of a host name, as the reference chooses it; empty for none.
std::string resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
    return "";
  }
  std::string smallest;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(info->ai_addr, info->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      const std::string address = text.data();
      smallest = smallest.empty() ? address : std::min(smallest, address);
    }
  }
  freeaddrinfo(found);
  return smallest;
}

bool has_ipv6(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET6;
  addrinfo* found = nullptr;
  const bool any = getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0;
  if (found != nullptr) {
    freeaddrinfo(found);
  }
  return any;
}

absl::StatusOr<net::TlsVersion> tls_version(const std::string& name, net::TlsVersion otherwise) {
  if (name.empty()) {
    return otherwise;
  }
  for (const auto& [known, version] : {std::pair("TLSv1_0", net::TlsVersion::Tls10), std::pair("TLSv1_1", net::TlsVersion::Tls11),
                                       std::pair("TLSv1_2", net::TlsVersion::Tls12), std::pair("TLSv1_3", net::TlsVersion::Tls13)}) {
    if (name == known) {
      return version;
    }
  }
  return absl::InvalidArgumentError(fmt::format("unknown TLS version \"{}\"; it is TLSv1_0, TLSv1_1, TLSv1_2 or TLSv1_3", name));
}

absl::StatusOr<net::TlsServerConfig> tls_config(const config::TlsServer& settings) {
  net::TlsServerConfig out;
  KUMA_ASSIGN_OR_RETURN(out.certificate_pem, read_file(settings.cert_file));
  KUMA_ASSIGN_OR_RETURN(out.key_pem, read_file(settings.key_file));
  KUMA_ASSIGN_OR_RETURN(out.version_min, tls_version(settings.min_version, net::TlsVersion::Tls12));
  KUMA_ASSIGN_OR_RETURN(out.version_max, tls_version(settings.max_version, net::TlsVersion::Tls13));
  out.cipher_suites = settings.cipher_suites;
  return out;
}

manager::Options manager_options(const config::Config& config) {
  return {.mode = config.is_global() ? manager::Mode::Global : config.is_zone() ? manager::Mode::Zone : manager::Mode::Standalone,
          .zone_name = config.multizone.zone.name,
          .unsafe_delete = config.store.unsafe_delete,
          .skip_mesh_creation = config.defaults.skip_mesh_creation,
          .skip_tenant_resources = config.defaults.skip_tenant_resources,
          .user_tokens = config.api_server.authn.type == "tokens",
          .bootstrap_admin_token = config.api_server.authn.bootstrap_admin_token};
}

absl::StatusOr<manager::TokenSources> token_sources(const config::TokenIssuer& issuer) {
  manager::TokenSources sources;
  sources.use_secrets = issuer.validator_use_secrets;
  for (const config::PublicKey& key : issuer.validator_public_keys) {
    std::string pem = key.key;
    if (!key.key_file.empty()) {
      KUMA_ASSIGN_OR_RETURN(pem, read_file(key.key_file));
    }
    sources.public_keys.push_back({key.kid, key.mesh, std::move(pem)});
  }
  return sources;
}

absl::StatusOr<manager::ValidatorOptions> validator_options(const config::Config& config) {
  manager::ValidatorOptions options;
  KUMA_ASSIGN_OR_RETURN(options.dataplane, token_sources(config.dp_server.authn.dp_proxy.token));
  KUMA_ASSIGN_OR_RETURN(options.zone, token_sources(config.dp_server.authn.zone_proxy.token));
  KUMA_ASSIGN_OR_RETURN(options.user, token_sources(config.api_server.authn.tokens));
  options.zone_mode = config.is_zone();
  options.zone_name = config.multizone.zone.name;
  return options;
}

absl::StatusOr<std::unique_ptr<store::Store>> open_store(const config::Config& config, const model::Registry& registry, const std::string& instance) {
  if (config.store.type == "memory") {
    return store::make_memory_store(registry, system_clock());
  }
  return store::open_sqlite_store(registry, system_clock(), config.store.sqlite.path, {.instance = instance});
}

}  // namespace

struct ControlPlane::Impl {
  explicit Impl(config::Config c)
      : config(std::move(c)),
        registry(make_registry()),
        host(host_name()),
        instance_id(fmt::format("{}-{}", host, to_hex(random_bytes(2)))),
        metrics({{"zone", config.is_zone() ? config.multizone.zone.name : config.is_global() ? "Global" : "Standalone"}}),
        server_calls(metrics, "grpc_server", system_clock()),
        client_calls(metrics, "grpc_client", system_clock()),
        workers(kWorkers),
        key_workers(1),
        loops(0),
        engine_loops(1),
        status_loops(1),
        generators(generator_count()),
        keys(key_workers) {}

  const config::Config config;
  const model::Registry registry;
  const std::string host;
  const std::string instance_id;
  const std::shared_ptr<spdlog::logger> log = make_logger("kuma-cp");
  observe::Metrics metrics;
  api::GrpcMetrics server_calls;
  api::GrpcMetrics client_calls;
  std::unique_ptr<store::Store> store;
  // Threads: writes and other things that wait; RSA keys; connections; the engine; insights and upkeep, which may wait for a
  // disk; configurations of proxies.
  net::WorkerPool workers;
  net::WorkerPool key_workers;
  net::Loops loops;
  net::Loops engine_loops;
  net::Loops status_loops;
  net::WorkerPool generators;
  security::KeyPool keys;
  manager::PendingSecrets pending;

  std::unique_ptr<manager::ResourceManager> manager;
  std::unique_ptr<manager::InitialResources> initial;
  std::unique_ptr<manager::TokenIssuer> issuer;
  std::unique_ptr<manager::TokenValidator> validator;
  std::unique_ptr<insight::Resyncer> resyncer;
  std::unique_ptr<insight::Finalizer> finalizer;
  std::unique_ptr<insight::DataplaneGc> dataplane_gc;
  std::unique_ptr<manager::VipAllocator> vips;
  std::unique_ptr<xds::InsightWriter> insights;
  std::unique_ptr<xds::Engine> engine;
  std::unique_ptr<xds::ProxyAuthenticator> authenticator;
  std::unique_ptr<xds::ProxyRegistrar> registrar;
  std::unique_ptr<mads::Service> monitoring;
  std::unique_ptr<xds::HealthService> health;
  std::unique_ptr<Multizone> multizone;
  std::vector<std::unique_ptr<net::Server>> servers;
  std::shared_ptr<void> initial_timer;
  bool stopped = false;

  absl::Status start();
  absl::Status start_store();
  void start_engine();
  absl::Status start_vips();
  void write_available_services(const std::string& ingress, const xds::AvailableServices::List& services);
  absl::Status start_dp_server();
  absl::Status start_api();
  absl::Status start_diagnostics();
  absl::Status start_monitoring();
  void start_health(net::Server& server);
  void publish_info();
  absl::Status start_multizone();
  absl::Status listen(net::ServerOptions options, net::HttpHandler handler, const std::function<void(net::Server&)>& prepare = {});
  void ensure_initial();
  net::Loop& engine_loop() { return engine_loops.at(0); }
  net::Loop& status_loop() { return status_loops.at(0); }
};

// What the program is. Each control plane leads by itself: nothing is shared that only one of several may do.
void ControlPlane::Impl::publish_info() {
  metrics
      .gauge("cp_info", "What this control plane is",
             {{"build_date", std::string(kBuildDate)}, {"cluster_id", manager::find_cluster_id(manager->secrets())},
              {"git_commit", std::string(kGitCommit)}, {"git_tag", std::string(kGitTag)}, {"instance_id", instance_id},
              {"product", std::string(kProduct)}, {"version", std::string(kVersion)}})
      .set(1);
  metrics.gauge("leader", "1 when this control plane does what one of several has to do").set(1);
  metrics.counter("events_dropped", "Changes that nobody could be told of: none, the change feed has no gaps");
}

absl::Status ControlPlane::Impl::start() {
  KUMA_RETURN_IF_ERROR(start_store());
  start_engine();
  if (!config.is_global()) {
    KUMA_RETURN_IF_ERROR(start_vips());
  }
  ensure_initial();
  publish_info();
  KUMA_RETURN_IF_ERROR(start_diagnostics());
  KUMA_RETURN_IF_ERROR(start_multizone());
  KUMA_RETURN_IF_ERROR(start_api());
  if (!config.is_global()) {
    KUMA_RETURN_IF_ERROR(start_dp_server());
    KUMA_RETURN_IF_ERROR(start_monitoring());
  }
  log->info("ready: {} control plane {}, store {}, API on {}, proxies on {}", config.mode, instance_id, store->kind(),
            config.api_server.http.port, config.dp_server.port);
  if (store->kind() == "memory") {
    log->warn("the store memory keeps nothing over a restart: tokens, secrets and resources are new each time");
  }
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::start_store() {
  KUMA_ASSIGN_OR_RETURN(auto opened, open_store(config, registry, instance_id));
  store = std::make_unique<insight::MeteredStore>(std::move(opened), system_clock(), metrics);
  const manager::Options options = manager_options(config);
  manager = std::make_unique<manager::ResourceManager>(
      manager::ResourceManager::Parts{.registry = registry, .store = *store, .keys = keys, .pending = pending, .clock = system_clock()}, options);
  initial = std::make_unique<manager::InitialResources>(
      manager::InitialResources::Parts{.registry = registry, .store = *store, .manager = *manager, .keys = keys, .pending = pending, .clock = system_clock()},
      options);
  issuer = std::make_unique<manager::TokenIssuer>(manager->secrets(), pending, system_clock());
  KUMA_ASSIGN_OR_RETURN(manager::ValidatorOptions validator_settings, validator_options(config));
  validator = std::make_unique<manager::TokenValidator>(manager->secrets(), *store, system_clock(), std::move(validator_settings));
  return absl::OkStatus();
}

// The resources of a first start, again every few seconds until all of them are there (a disk may be full).
void ControlPlane::Impl::ensure_initial() {
  if (const absl::Status status = initial->ensure(); !status.ok()) {
    log->error("what a control plane starts with could not be made; trying again in 5 s: {}", message_of(status));
  }
  initial_timer = status_loop().post_after(5s, [this] {
    if (!initial->complete()) {
      (void)workers.try_post([this] { ensure_initial(); });
    }
  });
}

// What the zone offers to others by way of one of its ingresses. Whatever goes wrong, the next change or resync tries again.
void ControlPlane::Impl::write_available_services(const std::string& ingress, const xds::AvailableServices::List& services) {
  const auto stored = manager->upsert(*registry.find("ZoneIngress"), {"", ingress}, [&](model::Resource& resource) -> absl::Status {
    if (resource.meta.version == 0) {
      return absl::NotFoundError("it is gone");
    }
    auto spec = std::make_shared<::kuma::mesh::v1alpha1::ZoneIngress>(resource.as<::kuma::mesh::v1alpha1::ZoneIngress>());
    *spec->mutable_availableservices() = services;
    resource.message = std::move(spec);
    return absl::OkStatus();
  });
  if (!stored.ok() && !absl::IsNotFound(stored.status())) {
    log->warn("what the zone offers through its ingress {} could not be stored: {}", ingress, message_of(stored.status()));
  }
}

void ControlPlane::Impl::start_engine() {
  const Clock& clock = system_clock();
  insights = std::make_unique<xds::InsightWriter>(
      xds::InsightWriter::Options{.control_plane_id = instance_id,
                                  .flush_interval = config.xds_server.dataplane_status_flush_interval,
                                  .generation_interval = config.metrics.dataplane.idle_timeout / 2,
                                  .subscription_limit = static_cast<uint32_t>(std::max(0, config.metrics.dataplane.subscription_limit))},
      registry, *manager, clock, status_loop());
  engine = std::make_unique<xds::Engine>(
      xds::Engine::Options{.zone = config.multizone.zone.name,
                           .vip_naming = {.domain = config.dns_server.domain, .service_port = config.dns_server.service_vip_port},
                           .auto_reachable = config.experimental.auto_reachable_services,
                           .resolve_interval = config.general.dns_cache_ttl,
                           .jobs_max = 2 * generator_count(),
                           .ingress_tag_filters = config.experimental.ingress_tag_filters},
      xds::Engine::Parts{.registry = registry,
                         .store = *store,
                         .clock = clock,
                         .executor = engine_loop(),
                         .generators = &generators,
                         .workers = workers,
                         .metrics = metrics,
                         .on_certificate = [this](const auto& key, const auto& certificate) { insights->set_certificate(key, certificate); },
                         .on_gone = [this](const auto& key) { insights->forget_certificate(key); },
                         .resolve = resolve,
                         .read_file = [this](const std::string& path) { return read_data_file(config, path); },
                         .write_available_services = [this](const auto& ingress, const auto& services) {
                           (void)workers.try_post([this, ingress, services] { write_available_services(ingress, services); });
                         }});
  engine->start();

  if (!config.is_zone()) {
    resyncer = std::make_unique<insight::Resyncer>(registry, *store, clock, status_loop(), &metrics,
                                                   insight::ResyncerOptions{.interval_min = config.metrics.mesh.min_resync_interval});
    resyncer->start();
  }
  std::vector<std::string> types = {"DataplaneInsight", "ZoneEgressInsight"};
  if (config.is_zone()) {
    types.push_back("ZoneIngressInsight");
  }
  if (config.is_global()) {
    types = {"ZoneInsight"};
  }
  const std::chrono::nanoseconds idle_timeout = config.is_global() ? config.metrics.zone.idle_timeout : config.metrics.dataplane.idle_timeout;
  finalizer = std::make_unique<insight::Finalizer>(registry, *store, clock, status_loop(), &metrics,
                                                   insight::FinalizerOptions{.types = types, .idle_timeout = idle_timeout});
  finalizer->start();
  if (!config.is_global()) {
    dataplane_gc = std::make_unique<insight::DataplaneGc>(
        registry, *store, clock, status_loop(), &metrics, insight::DataplaneGcOptions{.age = config.runtime.universal.dataplane_cleanup_age},
        [this](const model::ResourceKey& key) { return manager->remove(*registry.find("Dataplane"), key); });
    dataplane_gc->start();
  }
}

absl::Status ControlPlane::Impl::start_vips() {
  KUMA_ASSIGN_OR_RETURN(mesh::VipRange range, mesh::VipRange::parse(config.dns_server.cidr));
  vips = std::make_unique<manager::VipAllocator>(
      manager::VipAllocator::Parts{.registry = registry, .store = *store, .clock = system_clock(), .executor = engine_loop(), .workers = workers},
      manager::VipAllocatorOptions{.range = std::move(range),
                                   .zone = config.multizone.zone.name,
                                   .domain = config.dns_server.domain,
                                   .service_vips = config.dns_server.service_vip_enabled,
                                   .form = config.experimental.use_tag_first_virtual_outbound_model ? mesh::VipForm::ByTags
                                                                                                    : mesh::VipForm::ByName});
  vips->start();
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::listen(net::ServerOptions options, net::HttpHandler handler, const std::function<void(net::Server&)>& prepare) {
  const size_t body_size_max = options.limits.body_size_max = config.api_server.body_size_max;
  const std::string name = options.name;
  auto server = std::make_unique<net::Server>(loops, std::move(options));
  server->handle_http(std::move(handler));
  server->on_body_too_large([body_size_max](const net::HttpRequest&) { return api::body_too_large(body_size_max); });
  if (prepare) {
    prepare(*server);
  }
  KUMA_RETURN_IF_ERROR(annotate(server->start(), "{} (its port: {})", name, port_variable(name)));
  servers.push_back(std::move(server));
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::start_diagnostics() {
  net::ServerOptions options{.name = "diagnostics", .address = "", .port = static_cast<uint16_t>(config.diagnostics.server_port)};
  if (config.diagnostics.tls_enabled) {
    KUMA_ASSIGN_OR_RETURN(const net::TlsServerConfig tls, tls_config(config.diagnostics.tls));
    KUMA_ASSIGN_OR_RETURN(options.tls, net::make_tls_server(tls));
  }
  return listen(std::move(options), api::make_diagnostics(metrics));
}

absl::Status ControlPlane::Impl::start_multizone() {
  Multizone::Parts parts{.config = config, .registry = registry, .store = *store, .manager = *manager, .validator = *validator, .metrics = metrics,
                         .server_calls = server_calls, .client_calls = client_calls, .instance_id = instance_id, .tls = nullptr,
                         .fetch_admin_page = api::make_admin_client(loops, {.tls = api::make_admin_tls(manager->secrets(), system_clock()),
                                                                            .default_port = config.bootstrap_server.admin_port})};
  if (config.is_global() && config.multizone.global.tls_enabled) {
    KUMA_ASSIGN_OR_RETURN(const net::TlsServerConfig tls, tls_config(config.multizone.global.tls));
    KUMA_ASSIGN_OR_RETURN(parts.tls, net::make_tls_server(tls));
  }
  KUMA_ASSIGN_OR_RETURN(multizone, Multizone::start(std::move(parts)));
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::start_api() {
  api::ApiDeps deps{
      .config = config,
      .registry = registry,
      .store = *store,
      .clock = system_clock(),
      .run_on_worker = [this](std::function<void()> work) { return workers.try_post(std::move(work)); },
      .writer = api::make_writer(*manager),
      .authenticate = api::make_authenticator(*validator),
      .tokens = api::make_token_issuers(*issuer, config),
      .wait_for_secrets = api::make_secret_waiter(pending),
      .fetch_admin_page = multizone->fetch_admin_page(),
      .find_view = [this](std::string_view mesh) { return engine->view(mesh); },
      .name_problems = [this](const std::string& mesh) { return vips == nullptr ? std::vector<std::string>() : vips->problems(mesh); },
      .refused_zones = config.is_global() ? [this] { return multizone->refused_zones(); } : std::function<api::RefusedZones()>(),
      .resolve = resolve,
      .read_file = [this](const std::string& path) { return read_data_file(config, path); },
      .cluster_id = [this] { return manager::find_cluster_id(manager->secrets()); },
      .hostname = host,
      .instance_id = instance_id,
      .metrics = &metrics,
  };
  const net::HttpHandler handler = api::make_api(std::move(deps));
  if (config.api_server.http.enabled) {
    KUMA_RETURN_IF_ERROR(listen({.name = "api-server", .address = config.api_server.http.interface, .port = static_cast<uint16_t>(config.api_server.http.port)}, handler));
  }
  if (config.api_server.https.enabled) {
    KUMA_ASSIGN_OR_RETURN(net::TlsServerConfig tls, tls_config(config.api_server.https.tls));
    KUMA_ASSIGN_OR_RETURN(tls.client_ca_pem, config::client_authorities(config.api_server));
    tls.require_client_certificate = config.api_server.https.require_client_cert;
    net::ServerOptions options{.name = "api-server-tls", .address = config.api_server.https.interface, .port = static_cast<uint16_t>(config.api_server.https.port)};
    KUMA_ASSIGN_OR_RETURN(options.tls, net::make_tls_server(tls));
    KUMA_RETURN_IF_ERROR(listen(std::move(options), handler));
  }
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::start_dp_server() {
  KUMA_ASSIGN_OR_RETURN(const net::TlsServerConfig tls, tls_config(config.dp_server.tls));
  KUMA_RETURN_IF_ERROR(bootstrap::check_xds_host(config, tls.certificate_pem));
  net::ServerOptions options{.name = "dp-server", .address = "", .port = static_cast<uint16_t>(config.dp_server.port)};
  options.calls = &server_calls;
  options.limits.header_timeout = config.dp_server.read_header_timeout;
  KUMA_ASSIGN_OR_RETURN(options.tls, net::make_tls_server(tls));

  authenticator = std::make_unique<xds::ProxyAuthenticator>(
      xds::ProxyAuthenticator::Options{.dataplane_tokens = config.dp_server.authn.dp_proxy.type != "none",
                                       .zone_tokens = config.dp_server.authn.zone_proxy.type != "none"},
      registry, *store, *validator);
  registrar = std::make_unique<xds::ProxyRegistrar>(
      xds::ProxyRegistrar::Options{.deregistration_delay = config.xds_server.dataplane_deregistration_delay, .control_plane_id = instance_id},
      registry, *store, *manager, *authenticator, status_loop());
  const bootstrap::HandlerParts parts{.config = config,
                                      .registry = registry,
                                      .store = *store,
                                      .certificate_pem = tls.certificate_pem,
                                      .has_ipv6 = has_ipv6,
                                      .run_on_worker = [this](std::function<void()> work) { return workers.try_post(std::move(work)); }};
  return listen(std::move(options), api::measured(bootstrap::make_http_handler(parts), metrics, "dp_server", "/bootstrap", system_clock()), [this](net::Server& server) {
    xds::serve_ads(server, {.control_plane_id = instance_id, .nack_backoff = config.xds_server.nack_backoff},
                   {.registry = registry, .clock = system_clock(), .engine = *engine, .authenticator = *authenticator,
                    .registrar = *registrar, .insights = *insights, .workers = workers, .metrics = metrics});
    if (config.dp_server.hds.enabled) {
      start_health(server);
    }
  });
}

void ControlPlane::Impl::start_health(net::Server& server) {
  const auto& hds = config.dp_server.hds;
  const auto& checks = hds.check_defaults;
  health = std::make_unique<xds::HealthService>(
      xds::HealthCheckSettings{.report_interval = hds.interval, .timeout = checks.timeout, .interval = checks.interval,
                               .no_traffic_interval = checks.no_traffic_interval, .healthy_threshold = checks.healthy_threshold,
                               .unhealthy_threshold = checks.unhealthy_threshold},
      xds::HealthService::Parts{.registry = registry, .store = *store, .manager = *manager, .authenticator = *authenticator,
                                .workers = workers, .metrics = metrics});
  health->serve(server);
}

absl::Status ControlPlane::Impl::start_monitoring() {
  const config::MonitoringAssignmentServer& settings = config.monitoring_assignment_server;
  net::ServerOptions options{.name = "mads-server", .address = "", .port = static_cast<uint16_t>(settings.port)};
  options.calls = &server_calls;
  if (settings.tls_enabled) {
    KUMA_ASSIGN_OR_RETURN(const net::TlsServerConfig tls, tls_config(settings.tls));
    KUMA_ASSIGN_OR_RETURN(options.tls, net::make_tls_server(tls));
  }
  monitoring = std::make_unique<mads::Service>(
      mads::Service::Options{.refresh_interval = settings.assignment_refresh_interval, .fetch_timeout = settings.default_fetch_timeout},
      registry, *store, engine_loop());
  return listen(std::move(options), api::measured(monitoring->http_handler(), metrics, "mads_server", "/v3/discovery:monitoringassignments", system_clock()), [this](net::Server& server) { monitoring->serve_grpc(server); });
}

absl::StatusOr<std::unique_ptr<ControlPlane>> ControlPlane::start(config::Config config) {
  std::unique_ptr<ControlPlane> control_plane(new ControlPlane(std::make_unique<Impl>(std::move(config))));
  KUMA_RETURN_IF_ERROR(control_plane->impl_->start());
  return control_plane;
}

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlPlane::~ControlPlane() { stop(); }

void ControlPlane::stop() {
  Impl& parts = *impl_;
  if (parts.stopped) {
    return;
  }
  parts.stopped = true;
  if (parts.registrar != nullptr) {
    parts.registrar->stop();
  }
  for (const auto& server : parts.servers) {
    server->stop(kStopGrace);
  }
  if (parts.monitoring != nullptr) {
    parts.monitoring->stop();
  }
  if (parts.health != nullptr) {
    parts.health->stop();
  }
  if (parts.multizone != nullptr) {
    parts.multizone->stop();
  }
  parts.pending.stop();
  if (parts.vips != nullptr) {
    parts.vips->stop();
  }
  if (parts.engine != nullptr) {
    parts.engine->stop();
  }
  if (parts.insights != nullptr) {
    parts.insights->stop();
  }
  parts.keys.stop();
  parts.generators.stop();
  parts.workers.stop();
  parts.key_workers.stop();
  parts.engine_loops.stop();
  parts.status_loops.stop();
  parts.loops.stop();
}

}  // namespace kuma
