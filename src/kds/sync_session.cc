#include "kds/sync_session.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/mux.pb.h"

namespace kuma::kds {
namespace {

template <typename Message>
bool parse_bytes(std::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::shared_ptr<SyncSession> SyncSession::start(const Host& host, Link& link, Setup setup) {
  std::shared_ptr<SyncSession> session(new SyncSession(host, link, std::move(setup)));
  if (session->setup_.provider) {
    session->provider_ = std::make_unique<Provider>(host.registry, host.catalog, *session->setup_.provider, host.clock,
                                                    [weak = session->weak_from_this()] {
                                                      if (const auto self = weak.lock()) {
                                                        self->schedule_flush();
                                                      }
                                                    });
  }
  if (session->setup_.consumer) {
    session->start_consumer();
  }
  return session;
}

SyncSession::SyncSession(const Host& host, Link& link, Setup setup) : host_(host), link_(&link), setup_(std::move(setup)) {}

void SyncSession::start_consumer() {
  ConsumerSetup& setup = *setup_.consumer;
  const std::vector<const model::ResourceType*> types = consumed_types(host_.registry, setup.options.rules.side);
  consumer_ = std::make_unique<Consumer>(types, setup.options);
  sync_ = std::make_shared<StoreSync>(host_.registry, host_.store, setup.options.rules);
  // After what a former stream of this peer still has to store: what we know is what is stored then.
  setup.strand->post([self = shared_from_this(), sync = sync_, prepare = setup.prepare, types, size_max = setup.message_size_max] {
    const absl::Status status = prepare ? prepare() : absl::OkStatus();
    KnownVersions known;
    if (status.ok()) {
      known = sync->known_versions(types, size_max);
    }
    self->host_.executor.post([self, status, known = std::move(known)]() mutable {
      if (!self->is_open()) {
        return;
      }
      if (!status.ok()) {
        self->end(status);
        return;
      }
      for (const Request& request : self->consumer_->start(std::move(known))) {
        self->send(request);
      }
    });
  });
  if (setup.first_response_timeout.count() > 0) {
    first_response_timer_ = host_.executor.post_after(setup.first_response_timeout, [weak = weak_from_this(), timeout = setup.first_response_timeout] {
      if (const auto self = weak.lock(); self != nullptr && self->is_open() && !self->consumer_->has_received()) {
        self->end(absl::DeadlineExceededError(fmt::format("the peer has not answered any request for {}", format_go_duration(timeout))));
      }
    });
  }
}

void SyncSession::on_message(std::string_view bytes) {
  if (!is_open()) {
    return;
  }
  bool parsed = false;
  if (is_mux()) {
    mesh::v1alpha1::Message message;
    parsed = parse_bytes(bytes, message);
    if (message.has_request()) {
      on_request(parse(message.request()));
    } else if (message.has_legacy_request()) {
      on_request(parse(message.legacy_request()));
    } else if (message.has_response()) {
      on_response(parse(std::move(*message.mutable_response())));
    } else if (message.has_legacy_response()) {
      on_response(parse(std::move(*message.mutable_legacy_response())));
    }
  } else if (provider_ != nullptr) {
    discovery::DeltaDiscoveryRequest message;
    parsed = parse_bytes(bytes, message);
    if (parsed) {
      on_request(parse(message));
    }
  } else {
    discovery::DeltaDiscoveryResponse message;
    parsed = parse_bytes(bytes, message);
    if (parsed) {
      on_response(parse(std::move(message)));
    }
  }
  if (!parsed) {
    end(absl::InvalidArgumentError("the message is none of this protocol"));
  }
}

void SyncSession::on_request(const Request& request) {
  if (const absl::Status status = provider_->on_request(request); !status.ok()) {
    end(status);
    return;
  }
  if (request.error) {
    make_logger("kds")->warn("the peer \"{}\" refused its {}; it gets it again: {}", provider_->node()->id, request.type, *request.error);
  }
  flush();
}

void SyncSession::on_response(ReceivedResponse response) {
  std::vector<Request> answers;
  if (const absl::Status status = consumer_->on_response(std::move(response), answers); !status.ok()) {
    end(status);
    return;
  }
  for (const Request& answer : answers) {
    send(answer);
  }
  store_next();
}

void SyncSession::store_next() {
  auto batch = consumer_->take_batch();
  if (!batch) {
    return;
  }
  const bool initial = !std::exchange(stored_types_[std::string(batch->type->name)], true);
  setup_.consumer->strand->post([self = shared_from_this(), sync = sync_, initial, batch = std::make_shared<const Batch>(*std::move(batch))] {
    const MonotonicTime start = self->host_.clock.monotonic_now();
    absl::Status status = sync->store(*batch);
    if (self->setup_.on_applied) {
      self->setup_.on_applied(self->host_.clock.monotonic_now() - start);
    }
    self->host_.executor.post([self, initial, status = std::move(status)] { self->on_stored(initial, status); });
  });
}

void SyncSession::on_stored(bool initial, const absl::Status& status) {
  if (!is_open()) {
    return;
  }
  if (!status.ok()) {
    make_logger("kds")->warn("what the peer sent could not be stored; it is asked again: {}", message_of(status));
    if (setup_.on_refused) {
      setup_.on_refused(status);
    }
  }
  if (initial || setup_.consumer->response_backoff.count() == 0) {
    send(consumer_->on_stored(status));
    store_next();
    return;
  }
  answer_timer_ = host_.executor.post_after(setup_.consumer->response_backoff, [weak = weak_from_this(), status] {
    if (const auto self = weak.lock(); self != nullptr && self->is_open()) {
      self->send(self->consumer_->on_stored(status));
      self->store_next();
    }
  });
}

void SyncSession::send(const Request& request) {
  if (!is_mux()) {
    link_->send(to_delta(request));
    return;
  }
  mesh::v1alpha1::Message message;
  *(setup_.legacy ? message.mutable_legacy_request() : message.mutable_request()) = to_sotw(request);
  link_->send(message);
}

void SyncSession::send(const Response& response) {
  const bool secret = response.type == "Secret" || response.type == "GlobalSecret";
  const auto send_message = [&](const google::protobuf::Message& message) { secret ? link_->send(message) : link_->send_plain(message); };
  if (!is_mux()) {
    send_message(to_delta(response));
    return;
  }
  mesh::v1alpha1::Message message;
  *(setup_.legacy ? message.mutable_legacy_response() : message.mutable_response()) = to_sotw(response);
  send_message(message);
}

// What changes within one turn of the executor goes out together.
void SyncSession::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) {
    return;
  }
  host_.executor.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->flush_scheduled_ = false;
      self->flush();
    }
  });
}

void SyncSession::flush() {
  if (!is_open() || provider_ == nullptr) {
    return;
  }
  const MonotonicTime start = host_.clock.monotonic_now();
  const std::vector<Response> responses = provider_->take_responses();
  if (setup_.on_generated) {
    setup_.on_generated(host_.clock.monotonic_now() - start, !responses.empty());
  }
  for (const Response& response : responses) {
    send(response);
  }
  const std::vector<Provider::Event> events = provider_->take_events();
  if (setup_.on_events && provider_->node()) {
    setup_.on_events(*provider_->node(), events);
  }
  if (const absl::Status status = provider_->check_progress(); !status.ok()) {
    end(status);
    return;
  }
  wake_timer_ = nullptr;
  if (const auto at = provider_->wake_at()) {
    const std::chrono::nanoseconds delay = std::max(*at - host_.clock.monotonic_now(), std::chrono::nanoseconds(0));
    wake_timer_ = host_.executor.post_after(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->flush();
      }
    });
  }
}

void SyncSession::end(const absl::Status& status) {
  if (is_open()) {
    ended_ = true;
    make_logger("kds")->warn("a stream is ended by us: {}", message_of(status));
    link_->end(status);
  }
}

void SyncSession::on_closed(const absl::Status& why) {
  link_ = nullptr;
  absl::Status told = why;
  if (absl::IsResourceExhausted(why) && provider_ != nullptr) {
    if (const std::string largest = provider_->largest_under_way(); !largest.empty()) {
      make_logger("kds")->error("the peer takes no message of such a size ({}): the largest resource under way to it is {}; make it smaller or raise the "
                                "limit there", message_of(why), largest);
      told = absl::ResourceExhaustedError(fmt::format("{}; the largest resource under way to it: {}", message_of(why), largest));
    }
  }
  provider_.reset();
  wake_timer_ = nullptr;
  answer_timer_ = nullptr;
  first_response_timer_ = nullptr;
  if (const auto on_closed = std::exchange(setup_.on_closed, nullptr)) {
    on_closed(told);
  }
}

bool SyncSession::is_settled() const {
  return is_open() && (provider_ == nullptr || provider_->is_settled()) && (consumer_ == nullptr || (consumer_->has_received() && consumer_->is_idle()));
}

}  // namespace kuma::kds
