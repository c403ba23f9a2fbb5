#include "multizone.h"

#include <fstream>
#include <iterator>
#include <random>

#include "api/config_dump.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "base/version.h"
#include "boost/url.hpp"
#include "config/load.h"
#include "kds/grpc_link.h"
#include "kds/zone.h"
#include "net/worker_pool.h"

namespace kuma {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kStopGrace = 1s;
// That a zone may ask for, and some.
constexpr size_t kTypesMax = 64;
// Writes of different zones wait for the disk together.
constexpr size_t kGlobalWorkers = 4;

kds::Global::Options global_options(const Multizone::Parts& parts) {
  const config::MultizoneGlobal& settings = parts.config.multizone.global;
  const config::Config& config = parts.config;
  return {.instance_id = parts.instance_id,
          .version = std::string(kVersion),
          .hash_suffix = config.experimental.kds_sync_name_with_hash_suffix,
          .disable_sotw = settings.disable_sotw,
          .nack_backoff = settings.nack_backoff,
          .response_backoff = settings.response_backoff,
          .message_size_max = static_cast<size_t>(settings.max_msg_size),
          .health_interval = settings.zone_health_check.poll_interval,
          .health_timeout = settings.zone_health_check.timeout,
          .insights = {.instance_id = parts.instance_id,
                       .flush_interval = settings.zone_insight_flush_interval,
                       .generation_interval = config.metrics.zone.idle_timeout / 2,
                       .subscription_limit = static_cast<size_t>(std::max(0, config.metrics.zone.subscription_limit)),
                       .compact_finished = config.metrics.zone.compact_finished_subscriptions,
                       .version = std::string(kVersion)}};
}

kds::NodeInfo own_node(const config::Config& config) {
  return {.id = {}, .features = {}, .version = std::string(kVersion), .git_tag = std::string(kGitTag), .git_commit = std::string(kGitCommit),
          .build_date = std::string(kBuildDate), .config = config::to_sanitized_json(config)};
}

absl::StatusOr<net::ChannelOptions> channel_options(const config::MultizoneZone& settings) {
  const auto url = boost::urls::parse_uri(settings.global_address);
  if (!url) {
    return absl::InvalidArgumentError(fmt::format("unable to parse zone GlobalAddress \"{}\": use grpcs://host:port", settings.global_address));
  }
  net::ChannelOptions options;
  options.host = std::string(url->host_address());
  options.port = url->port_number() == 0 ? uint16_t{5685} : url->port_number();
  options.message_size_max = static_cast<size_t>(settings.max_msg_size);
  if (url->scheme() == "grpcs") {
    net::TlsClientConfig tls;
    tls.verify = !settings.tls_skip_verify;
    if (!settings.root_ca_file.empty()) {
      std::ifstream in(settings.root_ca_file, std::ios::binary);
      tls.ca_pem.assign(std::istreambuf_iterator<char>(in), {});
    }
    KUMA_ASSIGN_OR_RETURN(options.tls, net::make_tls_client(tls));
  }
  return options;
}

// A rotated token counts from the next connection on. Without its end of line.
std::string read_token(const std::string& path) {
  if (path.empty()) {
    return "";
  }
  std::ifstream in(path, std::ios::binary);
  std::string token(std::istreambuf_iterator<char>(in), {});
  if (!in && token.empty()) {
    make_logger("kds")->error("the token for the global control plane could not be read from {} (KUMA_MULTIZONE_ZONE_KDS_AUTH_CP_TOKEN_PATH)", path);
  }
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) {
    token.pop_back();
  }
  return token;
}

std::function<absl::Status(const std::string&, const std::string&)> authenticator(manager::TokenValidator& validator) {
  return [&validator](const std::string& zone, const std::string& token) { return validator.check_zone_control_plane(token, zone); };
}

// Envoy's own dump holds the token that the proxy dials us with: it must not leave the zone.
kds::FetchPage page_fetcher(const api::FetchAdminPage& fetch) {
  return [fetch](model::ResourcePtr proxy, const std::string& page, kds::PageDone done) {
    fetch({std::move(proxy), page}, [page, done = std::move(done)](absl::StatusOr<std::string> body) {
      done(body.ok() && page == "config_dump" ? api::sanitize_config_dump(*body) : std::move(body));
    });
  };
}

}  // namespace

struct Multizone::Impl {
  explicit Impl(Parts p) : parts(std::move(p)), loops(1), workers(parts.config.is_global() ? kGlobalWorkers : 1) {}

  Parts parts;
  net::Loops loops;
  net::WorkerPool workers;
  std::mt19937_64 random{std::random_device{}()};
  std::unique_ptr<kds::Global> global;
  std::unique_ptr<kds::Zone> zone;
  std::unique_ptr<net::Server> server;
  bool stopped = false;

  absl::Status start_global() {
    const config::MultizoneGlobal& settings = parts.config.multizone.global;
    global = std::make_unique<kds::Global>(
        kds::Global::Parts{.registry = parts.registry, .store = parts.store, .manager = parts.manager, .clock = system_clock(),
                           .executor = loops.at(0), .workers = workers, .metrics = &parts.metrics, .make_id = random_uuid,
                           .authenticate = settings.auth_type == "cpToken" ? authenticator(parts.validator) : nullptr},
        global_options(parts));
    global->start();
    net::ServerOptions options{.name = "kds-server", .address = "", .port = static_cast<uint16_t>(settings.grpc_port), .tls = parts.tls};
    options.calls = &parts.server_calls;
    options.limits.grpc_message_size_max = static_cast<size_t>(settings.max_msg_size);
    // A global goes on reading however much it has to send, so the two sides never wait for each other. A zone has at most one
    // response of a type under way, which is the bound.
    options.limits.outbound_queue_max = kTypesMax * options.limits.grpc_message_size_max;
    server = std::make_unique<net::Server>(loops, std::move(options));
    kds::serve_global(*server, *global);
    return annotate(server->start(), "kds-server (its port: KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT)");
  }

  absl::Status start_zone() {
    const config::MultizoneZone& settings = parts.config.multizone.zone;
    KUMA_ASSIGN_OR_RETURN(net::ChannelOptions channel, channel_options(settings));
    channel.calls = &parts.client_calls;
    zone = std::make_unique<kds::Zone>(
        kds::Zone::Parts{.registry = parts.registry, .store = parts.store, .clock = system_clock(), .executor = loops.at(0), .workers = workers,
                         .connect = kds::make_connect(loops.at(0), std::move(channel)), .fetch_page = page_fetcher(parts.fetch_admin_page),
                         .random = [this] { return std::uniform_real_distribution<double>(0, 1)(random); },
                         .read_token = [path = settings.auth_cp_token_path] { return read_token(path); }, .metrics = &parts.metrics},
        kds::Zone::Options{.name = settings.name, .instance_id = parts.instance_id, .node = own_node(parts.config),
                           .delta = parts.config.experimental.kds_delta_enabled, .nack_backoff = settings.nack_backoff,
                           .response_backoff = settings.response_backoff, .message_size_max = static_cast<size_t>(settings.max_msg_size)});
    zone->start();
    return absl::OkStatus();
  }

  void stop() {
    if (std::exchange(stopped, true)) {
      return;
    }
    if (server != nullptr) {
      server->stop(kStopGrace);
    }
    workers.stop();
    loops.stop();
    if (zone != nullptr) {
      zone->stop();
    }
    if (global != nullptr) {
      global->stop();
    }
  }
};

absl::StatusOr<std::unique_ptr<Multizone>> Multizone::start(Parts parts) {
  std::unique_ptr<Multizone> multizone(new Multizone(std::make_unique<Impl>(std::move(parts))));
  Impl& impl = *multizone->impl_;
  if (impl.parts.config.is_global()) {
    KUMA_RETURN_IF_ERROR(impl.start_global());
  } else if (impl.parts.config.is_zone()) {
    KUMA_RETURN_IF_ERROR(impl.start_zone());
  }
  return multizone;
}

Multizone::Multizone(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Multizone::~Multizone() { stop(); }

api::FetchAdminPage Multizone::fetch_admin_page() const {
  if (impl_->global == nullptr) {
    return impl_->parts.fetch_admin_page;
  }
  return [global = impl_->global.get()](const api::AdminPage& page, std::function<void(absl::StatusOr<std::string>)> done) {
    global->fetch_page(*page.proxy, page.path, std::move(done));
  };
}

api::RefusedZones Multizone::refused_zones() const {
  api::RefusedZones out;
  if (impl_->global != nullptr) {
    for (kds::Refusals::Refusal& one : impl_->global->refusals().list()) {
      out.items.push_back({std::move(one.zone), std::move(one.message), one.count, one.first, one.last});
    }
    out.left_out = impl_->global->refusals().left_out();
  }
  return out;
}

void Multizone::stop() { impl_->stop(); }

}  // namespace kuma
