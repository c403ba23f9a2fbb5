#include "kds/admin_streams.h"

#include "base/log.h"
#include "base/status.h"
#include "mesh/v1alpha1/kds.pb.h"

namespace kuma::kds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using namespace std::chrono_literals;

constexpr auto kAnswerTimeout = 12s;  // a zone gives its proxies ten

// The three pages have messages of their own with the same members.
struct Question {
  std::string id;
  std::string type;
  model::ResourceKey key;
};

template <typename Message>
void send_question(Link& link, const Question& question) {
  Message message;
  message.set_request_id(question.id);
  message.set_resource_type(question.type);
  message.set_resource_name(question.key.name);
  message.set_resource_mesh(question.key.mesh);
  link.send(message);
}

template <typename Message>
bool parse_question(std::string_view bytes, Question& out) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return false;
  }
  out = {message.request_id(), message.resource_type(), {message.resource_mesh(), message.resource_name()}};
  return true;
}

void send_question(Link& link, std::string_view page, const Question& question) {
  if (page == "config_dump") {
    send_question<pb::XDSConfigRequest>(link, question);
  } else if (page == "stats") {
    send_question<pb::StatsRequest>(link, question);
  } else {
    send_question<pb::ClustersRequest>(link, question);
  }
}

bool parse_question(std::string_view page, std::string_view bytes, Question& out) {
  return page == "config_dump" ? parse_question<pb::XDSConfigRequest>(bytes, out)
         : page == "stats"     ? parse_question<pb::StatsRequest>(bytes, out)
                               : parse_question<pb::ClustersRequest>(bytes, out);
}

template <typename Message, typename Setter>
void send_answer(Link& link, const std::string& id, const absl::StatusOr<std::string>& body, Setter set) {
  Message message;
  message.set_request_id(id);
  if (body.ok()) {
    set(message, *body);
  } else {
    message.set_error(std::string(message_of(body.status())));
  }
  link.send(message);
}

void send_answer(Link& link, std::string_view page, const std::string& id, const absl::StatusOr<std::string>& body) {
  if (page == "config_dump") {
    send_answer<pb::XDSConfigResponse>(link, id, body, [](auto& message, const std::string& text) { message.set_config(text); });
  } else if (page == "stats") {
    send_answer<pb::StatsResponse>(link, id, body, [](auto& message, const std::string& text) { message.set_stats(text); });
  } else {
    send_answer<pb::ClustersResponse>(link, id, body, [](auto& message, const std::string& text) { message.set_clusters(text); });
  }
}

absl::StatusOr<std::string> to_body(const std::string& error, const std::string& body) {
  if (!error.empty()) {
    return absl::UnknownError(fmt::format("error response from Zone CP: {}", error));
  }
  return body;
}

// The request's id, and the page or the zone's error. False for what is no answer.
bool parse_answer(std::string_view page, std::string_view bytes, std::string& id, absl::StatusOr<std::string>& body) {
  const auto parse = [&](auto message, auto get) {
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return false;
    }
    id = message.request_id();
    body = to_body(message.error(), get(message));
    return true;
  };
  return page == "config_dump" ? parse(pb::XDSConfigResponse(), [](const auto& message) { return message.config(); })
         : page == "stats"     ? parse(pb::StatsResponse(), [](const auto& message) { return message.stats(); })
                               : parse(pb::ClustersResponse(), [](const auto& message) { return message.clusters(); });
}

// How the reference calls the operation in its messages.
std::string_view operation(std::string_view page) { return page == "config_dump" ? "XDS Config Dump" : page == "stats" ? "Stats" : "Clusters"; }

}  // namespace

std::string_view rpc_of_page(std::string_view page) {
  return page == "config_dump" ? kStreamXdsConfigs : page == "stats" ? kStreamStats : kStreamClusters;
}

struct AdminStreams::Stream final : Session {
  Stream(std::shared_ptr<AdminStreams> o, std::string z, std::string p, Link& l) : owner(std::move(o)), zone(std::move(z)), page(std::move(p)), link(&l) {}

  void on_message(std::string_view bytes) override {
    std::string id;
    absl::StatusOr<std::string> body = std::string();
    if (link != nullptr && (!parse_answer(page, bytes, id, body) || !owner->answer(zone, id, std::move(body)))) {
      link->end(absl::InvalidArgumentError("could not mark the response as received"));
    }
  }
  void on_closed(const absl::Status&) override {
    link = nullptr;
    owner->on_closed(zone, page, this);
  }

  const std::shared_ptr<AdminStreams> owner;
  const std::string zone;
  const std::string page;
  Link* link;
};

std::shared_ptr<Session> AdminStreams::open(const std::string& zone, std::string_view page, Link& link) {
  auto stream = std::make_shared<Stream>(shared_from_this(), zone, std::string(page), link);
  streams_[{zone, std::string(page)}] = stream;
  return stream;
}

void AdminStreams::fetch(const model::Resource& proxy, const std::string& page, PageDone done) {
  executor_.post([self = shared_from_this(), type = std::string(proxy.type->name), key = proxy.meta.key(), page, done = std::move(done)] {
    self->send(type, key, page, done);
  });
}

void AdminStreams::send(const std::string& type, const model::ResourceKey& key, const std::string& page, PageDone done) {
  const size_t dot = key.name.find('.');
  if (dot == std::string::npos) {
    return done(absl::InvalidArgumentError("wrong name format. Expected {zone}.{name}"));
  }
  // The zone whose name is the longest that fits: names of zones may have dots.
  std::shared_ptr<Stream> stream;
  for (const auto& [where, candidate] : streams_) {
    if (where.second == page && key.name.starts_with(where.first + ".") && (stream == nullptr || where.first.size() > stream->zone.size())) {
      stream = candidate;
    }
  }
  if (stream == nullptr || stream->link == nullptr) {
    return done(absl::UnavailableError(fmt::format("stream to execute {} operations is not yet connected: client {} is not connected", operation(page),
                                                   key.name.substr(0, dot))));
  }
  if (waiting_.size() >= kWaitingMax) {
    return done(absl::ResourceExhaustedError(fmt::format("{} requests to zones are waiting for an answer already", kWaitingMax)));
  }
  const Question question{make_id_(), type, {key.mesh, key.name.substr(stream->zone.size() + 1)}};
  auto timer = executor_.post_after(kAnswerTimeout, [weak = weak_from_this(), zone = stream->zone, id = question.id] {
    if (const auto self = weak.lock()) {
      self->answer(zone, id, absl::DeadlineExceededError(fmt::format("zone {} has not answered within 12s", zone)));
    }
  });
  waiting_.emplace(question.id, Waiting{std::move(done), stream->zone, page, std::move(timer)});
  send_question(*stream->link, page, question);
}

bool AdminStreams::answer(const std::string& zone, const std::string& id, absl::StatusOr<std::string> page) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) {
    // Answers that come after we gave up are no reason to end the stream; ids of another zone are.
    return !id.empty();
  }
  if (found->second.zone != zone) {
    return false;
  }
  const Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  waiting.done(std::move(page));
  return true;
}

void AdminStreams::on_closed(const std::string& zone, const std::string& page, const Stream* stream) {
  const auto found = streams_.find({zone, page});
  if (found == streams_.end() || found->second.get() != stream) {
    return;  // a newer stream has its place
  }
  streams_.erase(found);
  std::vector<std::string> lost;
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.zone == zone && waiting.page == page) {
      lost.push_back(id);
    }
  }
  for (const std::string& id : lost) {
    answer(zone, id, absl::UnavailableError(fmt::format("zone {} has disconnected", zone)));
  }
}

namespace {

class PageServer final : public Session, public std::enable_shared_from_this<PageServer> {
 public:
  PageServer(const model::Registry& registry, const store::Store& store, TimerExecutor& executor, FetchPage fetch, std::string page, Link& link)
      : registry_(registry), store_(store), executor_(executor), fetch_(std::move(fetch)), page_(std::move(page)), link_(&link) {}

  void on_message(std::string_view bytes) override {
    Question question;
    if (link_ == nullptr) {
      return;
    }
    if (!parse_question(page_, bytes, question)) {
      link_->end(absl::InvalidArgumentError("the message is no request for a page of a proxy"));
      return;
    }
    const model::ResourceType* type = registry_.find(question.type);
    const bool is_proxy = question.type == "Dataplane" || question.type == "ZoneIngress" || question.type == "ZoneEgress";
    const absl::StatusOr<model::ResourcePtr> proxy =
        is_proxy && type != nullptr ? store_.get(*type, question.key) : absl::InvalidArgumentError(fmt::format("unsupported type {}", question.type));
    if (!proxy.ok()) {
      send_answer(*link_, page_, question.id, proxy.status());
      return;
    }
    fetch_(*proxy, page_, [self = shared_from_this(), id = question.id](absl::StatusOr<std::string> body) {
      self->executor_.post([self, id, body = std::move(body)] {
        if (self->link_ != nullptr) {
          send_answer(*self->link_, self->page_, id, body);
        }
      });
    });
  }
  void on_closed(const absl::Status&) override { link_ = nullptr; }

 private:
  const model::Registry& registry_;
  const store::Store& store_;
  TimerExecutor& executor_;
  const FetchPage fetch_;
  const std::string page_;
  Link* link_;
};

}  // namespace

std::shared_ptr<Session> serve_admin_page(const model::Registry& registry, const store::Store& store, TimerExecutor& executor,
                                          const FetchPage& fetch, std::string_view page, Link& link) {
  return std::make_shared<PageServer>(registry, store, executor, fetch, std::string(page), link);
}

}  // namespace kuma::kds
