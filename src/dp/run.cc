#include "dp/run.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>

#include "base/status.h"
#include "base/text.h"
#include "base/version.h"
#include "dp/access_log_streamer.h"
#include "dp/bootstrap_client.h"
#include "dp/connection_watch.h"
#include "dp/dns_server.h"
#include "dp/launch.h"
#include "dp/main_loop.h"
#include "dp/metrics_hijacker.h"
#include "dp/output_pump.h"
#include "dp/process.h"
#include "dp/readiness.h"
#include "dp/stream_watch.h"
#include "dp/supervisor.h"
#include "net/client.h"
#include "net/server.h"

namespace kuma::dp {
namespace {

constexpr auto kAttemptTimeout = 10s;
constexpr auto kAdminTimeout = 5s;
constexpr auto kScrapeTimeout = 10s;
constexpr auto kComponentPause = 5s;
constexpr auto kOutputPatience = std::chrono::milliseconds(500);

// Holds the parts of one run together. All methods on the main loop's thread.
class Runner final : private SupervisorActions {
 public:
  Runner(Launch launch, const World& world, Log& log, MainLoop& loop)
      : launch_(std::move(launch)), world_(world), log_(log), loop_(loop), network_(1) {}

  absl::Status run();

 private:
  using Answer = std::function<void(absl::StatusOr<HttpAnswer>)>;

  absl::Status set_up_client();
  void post_back(net::HttpCall call, Answer done);
  std::string admin_url(std::string_view path) const;
  void call_admin(std::string_view method, std::string_view path, Answer done);
  void on_signal(int signal);
  void on_bootstrap(absl::StatusOr<Bootstrap> bootstrap);
  absl::Status start_everything();
  absl::Status start_envoy();
  absl::Status start_readiness();
  absl::Status start_metrics();
  void start_access_logs();
  void start_dns();
  void on_envoy_line(std::string_view line);

  void begin_terminating() override { terminating_ = true; }
  void fail_health_check(std::function<void(absl::Status)> done) override;
  void stop_components() override;
  void signal_child(int signal) override;
  void ended(absl::Status result) override;

  Launch launch_;
  const World& world_;
  Log& log_;
  MainLoop& loop_;
  std::atomic<bool> stopping_{false};     // Envoy is told to end: what it says then of its stream is no news
  std::atomic<bool> terminating_{false};  // read by the readiness reporter's loop
  net::Loops network_;
  std::shared_ptr<const net::TlsContext> tls_;
  std::string bootstrap_url_;
  std::string bootstrap_body_;
  std::optional<BootstrapClient> client_;
  std::optional<Bootstrap> bootstrap_;
  std::optional<StreamWatch> stream_watch_;
  std::unique_ptr<ChildProcess> envoy_;
  std::optional<OutputPump> envoy_output_;
  std::unique_ptr<net::Server> readiness_;
  std::optional<MetricsHijacker> hijacker_;  // used on the network's loop
  std::unique_ptr<net::Server> metrics_;
  std::unique_ptr<AccessLogStreamer> access_logs_;
  std::shared_ptr<void> access_logs_timer_;
  std::unique_ptr<DnsServer> dns_;
  std::shared_ptr<void> dns_timer_;
  std::string dns_problem_;  // why it could not be started; each is told once
  std::optional<ConnectionWatch> connection_watch_;
  std::optional<Supervisor> supervisor_;
  absl::Status result_;
};

absl::Status Runner::set_up_client() {
  KUMA_ASSIGN_OR_RETURN(bootstrap_url_, bootstrap_url(launch_.settings.cp_address));
  bootstrap_body_ = to_json(launch_.request);
  if (bootstrap_url_.starts_with("https://")) {
    auto tls = net::make_tls_client({.ca_pem = launch_.settings.ca_cert,
                                     .verify = !launch_.settings.ca_cert.empty(),
                                     .server_name = "",
                                     .certificate_pem = "",
                                     .key_pem = ""});
    if (!tls.ok()) {
      return absl::InvalidArgumentError("Failed to generate Envoy bootstrap config. could not add certificate");
    }
    tls_ = *std::move(tls);
  }
  return absl::OkStatus();
}

absl::Status Runner::run() {
  KUMA_RETURN_IF_ERROR(set_up_client());
  const Settings& settings = launch_.settings;
  client_.emplace(
      loop_, world_.clock, log_,
      BootstrapClient::Limits{.backoff = settings.retry_backoff, .duration_max = settings.retry_duration_max},
      [this](Answer done) {
        net::HttpCall call;
        call.method = "POST";
        call.url = bootstrap_url_;
        call.body = bootstrap_body_;
        call.tls = tls_;
        call.connect_timeout = kAttemptTimeout;
        call.timeout = kAttemptTimeout;
        call.headers.add("content-type", "application/json");
        call.headers.add("accept", "application/json");
        post_back(std::move(call), std::move(done));
      });
  loop_.on_signal([this](int signal) { on_signal(signal); });
  client_->start([this](absl::StatusOr<Bootstrap> bootstrap) { on_bootstrap(std::move(bootstrap)); });
  loop_.run();

  if (connection_watch_) {
    connection_watch_->stop();
  }
  envoy_.reset();
  if (envoy_output_) {
    envoy_output_->finish(kOutputPatience);
  }
  readiness_.reset();
  metrics_.reset();
  access_logs_timer_.reset();
  access_logs_.reset();
  dns_timer_.reset();
  dns_.reset();
  network_.stop();
  return result_;
}

void Runner::post_back(net::HttpCall call, Answer done) {
  net::http_call(
      network_.at(0), std::move(call), [this, done = std::move(done)](absl::StatusOr<net::HttpResponse> response) {
        loop_.post([done, response = std::move(response)] {
          done(response.ok()
                   ? absl::StatusOr<HttpAnswer>(HttpAnswer{.status = response->status, .body = response->body})
                   : absl::StatusOr<HttpAnswer>(response.status()));
        });
      });
}

std::string Runner::admin_url(std::string_view path) const {
  return fmt::format("http://{}{}", join_host_port(bootstrap_->admin_address, bootstrap_->admin_port), path);
}

void Runner::call_admin(std::string_view method, std::string_view path, Answer done) {
  net::HttpCall call;
  call.method = method;
  call.url = admin_url(path);
  call.timeout = kAdminTimeout;
  post_back(std::move(call), std::move(done));
}

void Runner::on_signal(int signal) {
  if (signal == SIGCHLD) {
    if (envoy_ != nullptr && supervisor_) {
      if (const auto status = envoy_->try_wait()) {
        supervisor_->on_child_exit(*status);
      }
    }
  } else if (supervisor_) {
    supervisor_->on_signal();
  } else {
    client_->cancel();
  }
}

void Runner::on_bootstrap(absl::StatusOr<Bootstrap> bootstrap) {
  if (!bootstrap.ok()) {
    ended(bootstrap.status());
    return;
  }
  bootstrap_ = *std::move(bootstrap);
  if (absl::Status status = start_everything(); !status.ok()) {
    ended(std::move(status));
  }
}

absl::Status Runner::start_everything() {
  log_.info("run", "starting Kuma DP", {{"version", kVersion}});
  KUMA_RETURN_IF_ERROR(start_readiness());
  KUMA_RETURN_IF_ERROR(start_metrics());
  start_access_logs();  // before Envoy, which would make a plain file in the pipe's place
  start_dns();
  KUMA_RETURN_IF_ERROR(start_envoy());
  supervisor_.emplace(loop_, log_, Supervisor::Times{.drain = launch_.settings.drain_time},
                      static_cast<SupervisorActions&>(*this));
  // Envoy may have ended before there was anybody to tell.
  on_signal(SIGCHLD);
  if (bootstrap_->admin_port != 0 && !supervisor_->is_ended()) {
    connection_watch_.emplace(loop_, log_, launch_.settings.cp_address,
                              [this](Answer done) { call_admin("GET", ConnectionWatch::kQuery, std::move(done)); });
    connection_watch_->start();
  }
  return absl::OkStatus();
}

absl::Status Runner::start_envoy() {
  const Settings& settings = launch_.settings;
  const std::string path = fmt::format("{}/bootstrap.yaml", settings.config_dir);
  KUMA_RETURN_IF_ERROR(write_private_file(path, bootstrap_->yaml));
  log_.info("run.envoy", "bootstrap configuration saved to a file", {{"file", path}});
  const ChildProcess::Options options{
      .program = launch_.envoy_path,
      .arguments =
          envoy_arguments({.config_path = path,
                           .drain_seconds = std::chrono::floor<std::chrono::seconds>(settings.drain_time).count(),
                           .log_level = settings.envoy_log_level,
                           .component_log_level = settings.envoy_component_log_level,
                           .concurrency = settings.concurrency}),
      .capture_stdout = false,
      .capture_stderr = true};
  KUMA_ASSIGN_OR_RETURN(envoy_, ChildProcess::start(options));
  log_.info("run.envoy", "starting Envoy", {{"path", options.program}, {"pid", envoy_->pid()}});
  stream_watch_.emplace(world_.clock, StreamWatch::Proxy{.type = settings.proxy_type,
                                                         .mesh = settings.mesh,
                                                         .name = settings.name,
                                                         .cp_address = settings.cp_address});
  envoy_output_.emplace(envoy_->take_stderr(), STDERR_FILENO, [this](std::string_view line) { on_envoy_line(line); });
  return absl::OkStatus();
}

// On the output's thread.
void Runner::on_envoy_line(std::string_view line) {
  if (stopping_) {
    return;
  }
  if (const auto advice = stream_watch_->observe(line)) {
    json::object fields{{"reason", advice->reason}};
    if (advice->repeated > 0) {
      fields["repeated"] = advice->repeated;
    }
    log_.error("run", advice->message, std::move(fields));
  }
}

absl::Status Runner::start_readiness() {
  if (launch_.settings.readiness_port == 0) {
    return absl::OkStatus();
  }
  readiness_ = std::make_unique<net::Server>(
      network_,
      net::ServerOptions{.name = "readiness",
                         .address = bootstrap_->admin_address.empty() ? "127.0.0.1" : bootstrap_->admin_address,
                         .port = static_cast<uint16_t>(launch_.settings.readiness_port),
                         .tls = nullptr,
                         .limits = {}});
  readiness_->handle_http([this](net::HttpRequest request, net::HttpResponder responder) {
    responder.send(answer_readiness(request.method, request.target, terminating_));
  });
  return readiness_->start();
}

absl::Status Runner::start_metrics() {
  const std::string& path = launch_.request.metrics_path;
  KUMA_RETURN_IF_ERROR(clear_socket_path(path));
  hijacker_.emplace(
      log_, bootstrap_->admin_port == 0 ? std::string() : admin_url("/stats"), bootstrap_->metrics,
      [this](std::string url, net::Headers headers,
             std::function<void(absl::StatusOr<MetricsHijacker::Fetched>)> done) {
        net::HttpCall call;
        call.url = std::move(url);
        call.headers = std::move(headers);
        call.timeout = kScrapeTimeout;
        net::http_call(
            network_.at(0), std::move(call), [done = std::move(done)](absl::StatusOr<net::HttpResponse> response) {
              if (!response.ok()) {
                done(response.status());
                return;
              }
              done(MetricsHijacker::Fetched{.content_type = std::string(response->headers.get("content-type")),
                                            .body = std::move(response->body)});
            });
      });
  metrics_ = std::make_unique<net::Server>(
      network_, net::ServerOptions{.name = "metrics", .unix_path = path, .tls = nullptr, .limits = {}});
  metrics_->handle_http([this](net::HttpRequest request, net::HttpResponder responder) {
    auto reply = std::make_shared<net::HttpResponder>(std::move(responder));
    hijacker_->handle(request.target, request.headers, [reply](MetricsAnswer answer) {
      net::HttpResponse response;
      response.headers.add("content-type", std::move(answer.content_type));
      response.body = std::move(answer.body);
      reply->send(std::move(response));
    });
  });
  return metrics_->start();
}

// A proxy without access logs is better than none, so failing is no reason to end.
void Runner::start_access_logs() {
  auto streamer = AccessLogStreamer::start(launch_.request.access_log_path, world_.clock, log_);
  if (streamer.ok()) {
    access_logs_ = *std::move(streamer);
    return;
  }
  log_.error("accesslogs-streamer", "cannot take access logs, trying again",
             {{"error", message_of(streamer.status())}});
  access_logs_timer_ = loop_.post_after(kComponentPause, [this] { start_access_logs(); });
}

// Many proxies need no names: those that aren't transparent, and several on one host, where only one can have the ports.
void Runner::start_dns() {
  const Settings& settings = launch_.settings;
  if (!settings.dns_enabled || settings.proxy_type != "dataplane") {
    return;
  }
  auto server = DnsServer::start({.port = static_cast<uint16_t>(settings.dns_port),
                                  .envoy_port = static_cast<uint16_t>(settings.dns_envoy_port),
                                  .empty_port = static_cast<uint16_t>(settings.dns_empty_port)},
                                 world_.clock, log_);
  if (server.ok()) {
    dns_ = *std::move(server);
    log_.info("dns", "serving DNS", {{"port", dns_->port()}, {"envoyPort", settings.dns_envoy_port}, {"emptyPort", dns_->empty_port()}});
    return;
  }
  if (dns_problem_ != message_of(server.status())) {
    dns_problem_ = std::string(message_of(server.status()));
    log_.error("dns", "cannot serve DNS, trying again; --dns-enabled=false if this proxy's application needs no names of the mesh",
               {{"error", dns_problem_}});
  }
  dns_timer_ = loop_.post_after(kComponentPause, [this] { start_dns(); });
}

void Runner::fail_health_check(std::function<void(absl::Status)> done) {
  if (bootstrap_->admin_port == 0) {
    done(absl::FailedPreconditionError("Envoy has no admin API"));
    return;
  }
  call_admin("POST", "/healthcheck/fail", [done = std::move(done)](const absl::StatusOr<HttpAnswer>& answer) {
    if (!answer.ok()) {
      done(answer.status());
    } else if (answer->status != 200) {
      done(absl::UnavailableError(fmt::format("expected 200 status code, got {}", answer->status)));
    } else {
      done(absl::OkStatus());
    }
  });
}

void Runner::stop_components() {
  stopping_ = true;
  if (connection_watch_) {
    connection_watch_->stop();
  }
}

void Runner::signal_child(int signal) {
  if (envoy_ != nullptr) {
    envoy_->signal_group(signal);
  }
}

void Runner::ended(absl::Status result) {
  result_ = std::move(result);
  loop_.stop();
}

}  // namespace

absl::Status run(Settings flags, std::string_view log_level, const World& world, Log& log) {
  // Before the loop takes the signals: reading the template from a terminal can be interrupted.
  KUMA_ASSIGN_OR_RETURN(Plan plan, make_plan(std::move(flags), log_level, world, log));
  KUMA_ASSIGN_OR_RETURN(const auto loop, MainLoop::make(world.clock));
  KUMA_ASSIGN_OR_RETURN(Launch launch, prepare_launch(std::move(plan), world, log));
  Runner runner(std::move(launch), world, log, *loop);
  return runner.run();
}

}  // namespace kuma::dp
