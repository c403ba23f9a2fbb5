#include "xds/server/ads_service.h"

#include <deque>

#include "base/log.h"
#include "base/status.h"
#include "envoy/service/health/v3/hds.pb.h"

namespace kuma::xds {
namespace {

namespace discovery = envoy::service::discovery::v3;

constexpr int kUnknown = 2;           // gRPC status, as the reference ends streams with
constexpr size_t kWaitingRequestsMax = 64;  // while a proxy is being registered
// A stream with more than this unsent gets its next snapshot once it is drained.
constexpr size_t kPendingBytesMax = 8 * 1024 * 1024;

struct AdsMetrics {
  explicit AdsMetrics(observe::Metrics& metrics)
      : registry(metrics),
        streams(metrics.gauge("xds_streams_active", "Number of active connections between a server and a client")) {}
  observe::Counter received(const std::string& type_url, bool ack) {
    return registry.counter("xds_requests_received", "Number of confirmations requests from a client",
                            {{"type_url", type_url}, {"confirmation", ack ? "ACK" : "NACK"}});
  }
  observe::Counter sent(XdsType type) {
    return registry.counter("xds_responses_sent", "Number of responses sent by the server to a client",
                            {{"type_url", std::string(type_url(type))}});
  }
  observe::Metrics& registry;
  observe::Gauge streams;
};

struct Shared {
  AdsOptions options;
  AdsParts parts;
  AdsMetrics metrics;
  std::shared_ptr<spdlog::logger> log = make_logger("xds.server");
};

// One stream. Lives on its loop; what comes from other threads (snapshots, the end of a registration) is posted there and
// finds `stream` null when the stream has ended meanwhile.
template <typename Request>
class Stream final : public SnapshotSink, public std::enable_shared_from_this<Stream<Request>> {
 public:
  Stream(std::shared_ptr<Shared> shared, net::GrpcStream& stream)
      : shared_(std::move(shared)),
        loop_(stream.loop()),
        stream_(&stream),
        session_({.protocol = std::is_same_v<Request, discovery::DiscoveryRequest> ? AdsSession::Protocol::StateOfTheWorld
                                                                                   : AdsSession::Protocol::Delta,
                  .control_plane_id = shared_->options.control_plane_id,
                  .nack_backoff = shared_->options.nack_backoff},
                 shared_->parts.clock) {
    shared_->metrics.streams.add(1);
  }

  void on_message(std::string_view bytes) {
    if (stream_ == nullptr || ended_) {
      return;
    }
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      end("the message is no discovery request");
      return;
    }
    if (state_ == State::Registering) {
      if (waiting_.size() >= kWaitingRequestsMax) {
        end("too many requests before the first one was answered");
        return;
      }
      waiting_.push_back(std::move(request));
      return;
    }
    if (state_ == State::New) {
      open(std::move(request));
      return;
    }
    handle(request);
  }

  void on_closed() {
    stream_ = nullptr;
    retry_timer_ = nullptr;
    shared_->metrics.streams.add(-1);
    if (state_ == State::Open) {
      shared_->parts.engine.disconnect(connection_);
      shared_->parts.insights.close(insight_);
      shared_->parts.registrar.on_close(*node_);
    }
    state_ = State::Closed;
  }

  void on_drained() {
    if (waiting_snapshot_ != nullptr) {
      take_snapshot(std::exchange(waiting_snapshot_, nullptr), std::exchange(waiting_propagation_, nullptr));
    }
  }

  // From the engine's thread.
  void deliver(SnapshotPtr snapshot, std::shared_ptr<void> propagation) override {
    loop_.post([self = this->shared_from_this(), snapshot = std::move(snapshot), propagation = std::move(propagation)]() mutable {
      self->take_snapshot(std::move(snapshot), std::move(propagation));
    });
  }

 private:
  enum class State { New, Registering, Open, Closed };

  void open(Request request) {
    if (!request.has_node()) {
      end("invalid node ID: Envoy ID must not be nil");
      return;
    }
    auto node = parse_node(request.node(), shared_->parts.registry);
    if (!node.ok()) {
      end(message_of(node.status()));
      return;
    }
    node_ = std::make_shared<const Node>(*std::move(node));
    if (!node_->resource_problem.empty()) {
      shared_->log->warn("the resource that {} brings is ignored: {}", node_->id, node_->resource_problem);
    }
    if (!read_token() || !authenticate()) {
      return;
    }
    waiting_.push_back(std::move(request));
    if (!node_->resource) {
      opened(absl::OkStatus());
      return;
    }
    state_ = State::Registering;
    const bool accepted = shared_->parts.workers.try_post([self = this->shared_from_this(), node = node_, token = token_] {
      absl::Status status = self->shared_->parts.registrar.on_open(*node, token);
      self->loop_.post([self, status = std::move(status)] { self->opened(status); });
    });
    if (!accepted) {
      end("too many proxies are registering; try again");
    }
  }

  void opened(const absl::Status& status) {
    if (state_ == State::Closed || stream_ == nullptr) {
      if (status.ok()) {
        shared_->parts.registrar.on_close(*node_);
      }
      return;
    }
    if (!status.ok()) {
      end(message_of(status));
      return;
    }
    state_ = State::Open;
    const model::ResourceType& type = *shared_->parts.registry.find(resource_type_name(node_->metadata.proxy_type));
    insight_ = shared_->parts.insights.open(type, node_->key, node_->version);
    connection_ = shared_->parts.engine.connect(node_->key, node_->metadata, this->shared_from_this());
    const std::deque<Request> requests = std::exchange(waiting_, {});
    for (const Request& request : requests) {
      if (stream_ != nullptr && !ended_) {
        handle(request);
      }
    }
  }

  void handle(const Request& request) {
    if (request.has_node() && !request.node().id().empty() && request.node().id() != node_->id) {
      end(fmt::format("stream was authenticated for ID {}. Received request is for node with ID {}. Node ID cannot be changed after "
                      "stream is initialized", node_->id, request.node().id()));
      return;
    }
    if (!authenticate()) {
      return;
    }
    if (!request.response_nonce().empty()) {
      shared_->metrics.received(request.type_url(), !request.has_error_detail()).add();
    }
    if (request.has_error_detail()) {
      shared_->log->warn("{} refused its {}: {}", node_->id, request.type_url(), request.error_detail().message());
    }
    session_.on_request(request);
    flush();
  }

  bool read_token() {
    size_t count = 0;
    for (const auto& [name, value] : stream_->metadata().fields()) {
      if (name == "authorization") {
        ++count;
        token_ = value;
      }
    }
    if (count > 1) {
      end(fmt::format("could not extract credential from DiscoveryRequest: request must have exactly 1 \"authorization\" header, got {}", count));
      return false;
    }
    return true;
  }

  bool authenticate() {
    if (const absl::Status status = shared_->parts.authenticator.check(*node_, token_); !status.ok()) {
      shared_->log->warn("{} is refused: {}", node_->id, message_of(status));
      end(message_of(status));
      return false;
    }
    return true;
  }

  void take_snapshot(SnapshotPtr snapshot, std::shared_ptr<void> propagation) {
    if (stream_ == nullptr || ended_) {
      return;
    }
    if (stream_->pending_bytes() > kPendingBytesMax) {
      waiting_snapshot_ = std::move(snapshot);  // the newest one is enough
      waiting_propagation_ = std::move(propagation);
      return;
    }
    session_.set_snapshot(std::move(snapshot), std::move(propagation));
    flush();
  }

  void flush() {
    for (net::GrpcMessage& message : session_.take_responses()) {
      stream_->send(std::move(message));
    }
    const std::vector<AdsSession::Event> events = session_.take_events();
    if (!events.empty()) {
      for (const AdsSession::Event& event : events) {
        if (event.kind == AdsSession::Event::Kind::Sent && event.type) {
          shared_->metrics.sent(*event.type).add();
        }
      }
      shared_->parts.insights.on_events(insight_, events, session_.is_settled());
    }
    if (const auto at = session_.retry_at()) {
      const std::chrono::nanoseconds delay = std::max(*at - shared_->parts.clock.monotonic_now(), std::chrono::nanoseconds(0));
      retry_timer_ = loop_.post_after(delay, [weak = this->weak_from_this()] {
        if (const auto self = weak.lock(); self != nullptr && self->stream_ != nullptr) {
          self->session_.on_timer();
          self->flush();
        }
      });
    } else {
      retry_timer_ = nullptr;
    }
  }

  void end(std::string_view message) {
    ended_ = true;
    if (stream_ != nullptr) {
      stream_->finish({kUnknown, std::string(message)});
    }
  }

  const std::shared_ptr<Shared> shared_;
  net::Loop& loop_;
  net::GrpcStream* stream_;
  AdsSession session_;
  State state_ = State::New;
  bool ended_ = false;
  std::shared_ptr<const Node> node_;
  std::string token_;
  std::deque<Request> waiting_;
  uint64_t insight_ = 0;
  Engine::ConnectionId connection_ = 0;
  std::shared_ptr<void> retry_timer_;
  SnapshotPtr waiting_snapshot_;
  std::shared_ptr<void> waiting_propagation_;
};

template <typename Request>
class Handler final : public net::GrpcStreamHandler {
 public:
  Handler(const std::shared_ptr<Shared>& shared, net::GrpcStream& stream)
      : raw_(stream), stream_(std::make_shared<Stream<Request>>(shared, stream)) {}
  void on_message(std::string_view message) override { stream_->on_message(message); }
  void on_half_close() override { raw_.finish({0, ""}); }
  void on_drained() override { stream_->on_drained(); }
  void on_closed(net::GrpcStatus) override { stream_->on_closed(); }

 private:
  net::GrpcStream& raw_;
  const std::shared_ptr<Stream<Request>> stream_;
};

// Envoys open the health discovery stream at once; it is authenticated and held open.
class HealthHandler final : public net::GrpcStreamHandler {
 public:
  HealthHandler(std::shared_ptr<Shared> shared, net::GrpcStream& stream) : shared_(std::move(shared)), stream_(stream) {}
  void on_message(std::string_view bytes) override {
    envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse message;
    if (checked_) {
      return;
    }
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !message.has_health_check_request()) {
      stream_.finish({kUnknown, "the first message has to be a health check request with a node"});
      return;
    }
    const auto node = parse_node(message.health_check_request().node(), shared_->parts.registry);
    absl::Status status = node.status();
    if (status.ok()) {
      status = shared_->parts.authenticator.check(*node, stream_.metadata().get("authorization"));
    }
    if (!status.ok()) {
      stream_.finish({kUnknown, std::string(message_of(status))});
      return;
    }
    checked_ = true;
  }
  void on_half_close() override { stream_.finish({0, ""}); }
  void on_closed(net::GrpcStatus) override {}

 private:
  const std::shared_ptr<Shared> shared_;
  net::GrpcStream& stream_;
  bool checked_ = false;
};

}  // namespace

void serve_ads(net::Server& server, AdsOptions options, AdsParts parts) {
  observe::Metrics& metrics = parts.metrics;
  const auto shared = std::make_shared<Shared>(Shared{.options = std::move(options), .parts = parts, .metrics = AdsMetrics(metrics)});
  server.handle_stream("/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", [shared](net::GrpcStream& stream) {
    return std::make_unique<Handler<discovery::DiscoveryRequest>>(shared, stream);
  });
  server.handle_stream("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", [shared](net::GrpcStream& stream) {
    return std::make_unique<Handler<discovery::DeltaDiscoveryRequest>>(shared, stream);
  });
  server.handle_stream("/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck", [shared](net::GrpcStream& stream) {
    return std::make_unique<HealthHandler>(shared, stream);
  });
}

}  // namespace kuma::xds
