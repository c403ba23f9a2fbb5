#include "xds/server/ads_service.h"

#include <algorithm>
#include <array>
#include <deque>

#include "base/log.h"
#include "base/status.h"

namespace kuma::xds {
namespace {

namespace discovery = envoy::service::discovery::v3;

constexpr int kUnknown = 2;           // gRPC status, as the reference ends streams with
constexpr size_t kWaitingRequestsMax = 64;  // that were on their way when reading was paused
// A stream with more than this unsent is not read from, and gets its next snapshot once it is drained.
constexpr size_t kPendingBytesMax = 8 * 1024 * 1024;

struct AdsMetrics {
  explicit AdsMetrics(observe::Metrics& metrics)
      : streams(metrics.gauge("xds_streams_active", "Number of active connections between a server and a client")),
        delivery(metrics.summary("xds_delivery", "Summary of XDS delivery including a response (ACK/NACK) from the client")) {
    for (size_t i = 0; i < kXdsTypeCount; ++i) {
      const std::string url(type_url(static_cast<XdsType>(i)));
      const auto received = [&](const char* confirmation) {
        return metrics.counter("xds_requests_received", "Number of confirmations requests from a client",
                               {{"type_url", url}, {"confirmation", confirmation}});
      };
      types[i] = {.acknowledged = received("ACK"),
                  .rejected = received("NACK"),
                  .sent = metrics.counter("xds_responses_sent", "Number of responses sent by the server to a client", {{"type_url", url}})};
    }
  }
  struct OfType {
    observe::Counter acknowledged, rejected, sent;
  };
  std::array<OfType, kXdsTypeCount> types;
  observe::Gauge streams;
  observe::Summary delivery;
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
    if (std::exchange(paused_, false) && stream_ != nullptr) {
      stream_->resume_reading();
    }
    if (undelivered_.snapshot != nullptr) {
      take(std::exchange(undelivered_, {}));
    }
  }

  // From the engine's thread.
  void deliver(SnapshotPtr snapshot, uint64_t sequence, std::vector<PropagationPtr> propagations) override {
    loop_.post([self = this->shared_from_this(), delivery = Delivery{std::move(snapshot), sequence, std::move(propagations)}]() mutable {
      self->take(std::move(delivery));
    });
  }

 private:
  enum class State { New, Registering, Open, Closed };
  struct Delivery {
    SnapshotPtr snapshot;
    uint64_t sequence = 0;
    std::vector<PropagationPtr> propagations;
  };

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
    if (!node_->resource_violations.empty()) {
      end(fmt::format("could not register proxy passed in kuma-dp run: {}", node_->resource_violations));
      return;
    }
    if (!authenticate()) {
      return;
    }
    waiting_.push_back(std::move(request));
    if (!node_->resource) {
      opened(absl::OkStatus());
      return;
    }
    state_ = State::Registering;
    stream_->pause_reading();
    const bool accepted = shared_->parts.workers.try_post([self = this->shared_from_this(), node = node_, token = std::string(stream_->metadata().get("authorization"))] {
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
    if (state_ == State::Registering) {
      stream_->resume_reading();
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
    if (const XdsType* type = find_xds_type(request.type_url()); type != nullptr && !request.response_nonce().empty()) {
      const AdsMetrics::OfType& counters = shared_->metrics.types[static_cast<size_t>(*type)];
      (request.has_error_detail() ? counters.rejected : counters.acknowledged).add();
    }
    session_.on_request(request);
    flush();
    if (stream_ != nullptr && stream_->pending_bytes() > kPendingBytesMax && !paused_) {
      paused_ = true;  // it asks, but does not read
      stream_->pause_reading();
    }
  }

  bool authenticate() {
    const absl::Status status = shared_->parts.authenticator.check(*node_, stream_->metadata());
    if (!status.ok()) {
      end(message_of(status));
    }
    return status.ok();
  }

  void take(Delivery delivery) {
    if (stream_ == nullptr || ended_) {
      return;
    }
    if (stream_->pending_bytes() > kPendingBytesMax) {
      // The newest is enough; what it is about includes what the one before was about.
      std::vector<PropagationPtr> all = std::move(undelivered_.propagations);
      std::move(delivery.propagations.begin(), delivery.propagations.end(), std::back_inserter(all));
      all.resize(std::min(all.size(), kPropagationsMax));
      undelivered_ = {std::move(delivery.snapshot), delivery.sequence, std::move(all)};
      return;
    }
    delivered_ = delivery.sequence;
    delivered_at_ = shared_->parts.clock.monotonic_now();
    session_.set_snapshot(std::move(delivery.snapshot), std::move(delivery.propagations));
    flush();
  }

  void flush() {
    for (net::GrpcMessage& message : session_.take_responses()) {
      stream_->send(std::move(message));
    }
    if (const std::vector<AdsSession::Event> events = session_.take_events(); !events.empty()) {
      report(events);
    }
    if (delivered_ > acknowledged_ && session_.is_idle()) {
      acknowledged_ = delivered_;
      shared_->parts.engine.acknowledged(connection_, acknowledged_);
    }
    arm_retry();
  }

  void report(const std::vector<AdsSession::Event>& events) {
    using Kind = AdsSession::Event::Kind;
    for (const AdsSession::Event& event : events) {
      if (event.kind == Kind::Sent) {
        shared_->metrics.types[static_cast<size_t>(*event.type)].sent.add();
        continue;
      }
      const std::chrono::duration<double, std::milli> took = shared_->parts.clock.monotonic_now() - delivered_at_;
      shared_->metrics.delivery.observe(took.count());
      if (event.kind == Kind::Rejected) {
        shared_->log->warn("{} refuses what it was sent of {}, and keeps what it had: {}", node_->id, type_url(*event.type), event.message);
      }
    }
    shared_->parts.insights.on_events(insight_, events, session_.is_settled());
  }

  void arm_retry() {
    const auto at = session_.retry_at();
    if (!at) {
      retry_timer_ = nullptr;
      return;
    }
    const std::chrono::nanoseconds delay = std::max(*at - shared_->parts.clock.monotonic_now(), std::chrono::nanoseconds(0));
    retry_timer_ = loop_.post_after(delay, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock(); self != nullptr && self->stream_ != nullptr && !self->ended_) {
        self->session_.on_timer();
        self->flush();
      }
    });
  }

  void end(std::string_view message) {
    if (ended_ || stream_ == nullptr) {
      return;
    }
    ended_ = true;
    shared_->log->warn("the stream of {} is ended: {}", node_ == nullptr ? "a proxy at " + stream_->peer().address : node_->id, message);
    stream_->finish({kUnknown, std::string(message)});
  }

  const std::shared_ptr<Shared> shared_;
  net::Loop& loop_;
  net::GrpcStream* stream_;
  AdsSession session_;
  State state_ = State::New;
  bool ended_ = false;
  std::shared_ptr<const Node> node_;
  std::deque<Request> waiting_;  // that came while the proxy was being registered
  uint64_t insight_ = 0;
  Engine::ConnectionId connection_ = 0;
  uint64_t delivered_ = 0;     // sequence of the snapshot that the session has
  uint64_t acknowledged_ = 0;  // that the engine was told of
  MonotonicTime delivered_at_{};
  std::shared_ptr<void> retry_timer_;
  Delivery undelivered_;  // until the stream is drained; its snapshot is null when there is none
  bool paused_ = false;   // not read from, until the stream is drained
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
}

}  // namespace kuma::xds
