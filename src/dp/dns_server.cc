#include "dp/dns_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/errno_text.h"
#include "base/status.h"
#include "base/text.h"
#include "dp/dns_message.h"
#include "dp/dns_socket.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kQuestionsMax = 512;
constexpr size_t kConnectionsMax = 64;
constexpr size_t kDatagramsPerTurn = 64;  // of one socket, before the others have theirs
constexpr auto kEnvoyTimeout = 1s;
constexpr auto kServerTimeout = 2s;
constexpr auto kIdleTimeout = 10s;
constexpr int kTickMs = 200;
constexpr char kLoopback[] = "127.0.0.1";

using ConnectionId = uint64_t;

// A message over TCP is led by its length.
std::string framed(std::string_view message) {
  std::string out;
  out += static_cast<char>(message.size() >> 8);
  out += static_cast<char>(message.size() & 0xff);
  out += message;
  return out;
}

// Takes the first whole message off the buffer.
std::optional<std::string> take_framed(std::string& buffer) {
  if (buffer.size() < 2) {
    return std::nullopt;
  }
  const size_t size = static_cast<size_t>(static_cast<uint8_t>(buffer[0]) << 8 | static_cast<uint8_t>(buffer[1]));
  if (buffer.size() < 2 + size) {
    return std::nullopt;
  }
  std::string message = buffer.substr(2, size);
  buffer.erase(0, 2 + size);
  return message;
}

// Reads what is there. False: the other end is gone, or failed.
bool read_some(const Fd& fd, std::string& buffer) {
  std::string part(4096, '\0');
  const ssize_t size = ::recv(fd.get(), part.data(), part.size(), 0);
  if (size > 0) {
    buffer.append(part, 0, static_cast<size_t>(size));
  }
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

bool write_some(const Fd& fd, std::string& buffer) {
  const ssize_t size = ::send(fd.get(), buffer.data(), buffer.size(), MSG_NOSIGNAL);
  if (size > 0) {
    buffer.erase(0, static_cast<size_t>(size));
  }
  return size >= 0 || errno == EAGAIN || errno == EINTR || errno == EINPROGRESS || errno == ENOTCONN;
}

// A client's question, and who is being asked at the moment.
struct Question {
  std::string query;                              // with an id of our own
  uint16_t client_id = 0;
  std::variant<Datagram, ConnectionId> client;    // the datagram without its data
  std::vector<std::string> servers;               // still to be asked; the first is Envoy, as ""
  size_t stage = 0;                               // in `servers`
  Fd upstream;
  bool by_tcp = false;
  std::string to_send, received;                  // TCP
  MonotonicTime deadline{};

  bool is_tcp_client() const { return std::holds_alternative<ConnectionId>(client); }
};

struct Connection {
  Fd fd;
  bool is_empty_server = false;
  std::string received, to_send;
  MonotonicTime deadline{};
};

}  // namespace

class DnsServer::Worker {
 public:
  Worker(DnsServerOptions options, int stop_event, const Clock& clock, Log& log)
      : options_(std::move(options)), stop_event_(stop_event), clock_(clock), log_(log) {}

  absl::Status listen();
  void run();
  uint16_t port() const { return local_port(udp_); }
  uint16_t empty_port() const { return local_port(empty_udp_); }

 private:
  void read_datagrams();
  void read_empty_datagrams();
  void accept(const Fd& listener, bool is_empty_server);
  void on_connection(ConnectionId id, short events);
  void on_message(ConnectionId id, std::string message);
  void ask(std::string query, std::variant<Datagram, ConnectionId> client);
  bool ask_next(Question& question);
  bool ask_server(Question& question, const std::string& server);
  void on_upstream(uint64_t id, short events);
  void on_answer(uint64_t id, std::string answer);
  void answer(const std::variant<Datagram, ConnectionId>& client, std::string_view message);
  void fail(uint64_t id);
  void expire();
  const std::vector<std::string>& name_servers();

  const DnsServerOptions options_;
  const int stop_event_;
  const Clock& clock_;
  Log& log_;
  Fd udp_, tcp_, empty_udp_, empty_tcp_;
  std::map<uint64_t, Question> questions_;
  std::map<ConnectionId, Connection> connections_;
  uint64_t last_id_ = 0;
  std::vector<std::string> name_servers_;
  std::optional<timespec> read_at_;  // change of resolv.conf that name_servers_ is of
};

absl::Status DnsServer::Worker::listen() {
  const std::string_view any = options_.loopback_only ? std::string_view(kLoopback) : std::string_view();
  KUMA_ASSIGN_OR_RETURN(udp_, listen_udp(any, options_.port));
  KUMA_ASSIGN_OR_RETURN(tcp_, listen_tcp(any, local_port(udp_)));
  KUMA_ASSIGN_OR_RETURN(empty_udp_, listen_udp(kLoopback, options_.empty_port));
  KUMA_ASSIGN_OR_RETURN(empty_tcp_, listen_tcp(kLoopback, local_port(empty_udp_)));
  return absl::OkStatus();
}

void DnsServer::Worker::run() {
  while (true) {
    std::vector<pollfd> ready = {{.fd = stop_event_, .events = POLLIN, .revents = 0},
                                 {.fd = udp_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = empty_udp_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = tcp_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = empty_tcp_.get(), .events = POLLIN, .revents = 0}};
    const size_t fixed = ready.size();
    std::vector<uint64_t> ids;
    auto add = [&](uint64_t id, const Fd& fd, bool wants_write) {
      ready.push_back({.fd = fd.get(), .events = static_cast<short>(POLLIN | (wants_write ? POLLOUT : 0)), .revents = 0});
      ids.push_back(id);
    };
    for (const auto& [id, question] : questions_) {
      add(id, question.upstream, !question.to_send.empty());
    }
    for (const auto& [id, connection] : connections_) {
      add(id, connection.fd, !connection.to_send.empty());
    }
    const bool waits = !ids.empty();
    ::poll(ready.data(), ready.size(), waits ? kTickMs : -1);
    if (ready[0].revents != 0) {
      return;
    }
    for (size_t i = 0; i < ids.size(); ++i) {
      if (const short events = ready[fixed + i].revents; events != 0) {
        on_upstream(ids[i], events);
        on_connection(ids[i], events);
      }
    }
    if (ready[1].revents != 0) {
      read_datagrams();
    }
    if (ready[2].revents != 0) {
      read_empty_datagrams();
    }
    if (ready[3].revents != 0) {
      accept(tcp_, false);
    }
    if (ready[4].revents != 0) {
      accept(empty_tcp_, true);
    }
    expire();
  }
}

void DnsServer::Worker::read_datagrams() {
  for (size_t i = 0; i < kDatagramsPerTurn; ++i) {
    auto datagram = receive(udp_);
    if (!datagram) {
      return;
    }
    std::string query = std::move(datagram->data);
    datagram->data.clear();
    ask(std::move(query), *std::move(datagram));
  }
}

void DnsServer::Worker::read_empty_datagrams() {
  for (size_t i = 0; i < kDatagramsPerTurn; ++i) {
    const auto datagram = receive(empty_udp_);
    if (!datagram) {
      return;
    }
    if (parse_dns_header(datagram->data)) {
      send_answer(empty_udp_, make_dns_answer(datagram->data, DnsCode::NoSuchName), *datagram);
    }
  }
}

void DnsServer::Worker::accept(const Fd& listener, bool is_empty_server) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.is_open()) {
    return;
  }
  if (connections_.size() >= kConnectionsMax) {  // the one that will be closed first anyway makes room
    connections_.erase(std::ranges::min_element(connections_, {}, [](const auto& one) { return one.second.deadline; }));
  }
  Connection& connection = connections_[++last_id_];
  connection.fd = std::move(fd);
  connection.is_empty_server = is_empty_server;
  connection.deadline = clock_.monotonic_now() + kIdleTimeout;
}

void DnsServer::Worker::on_connection(ConnectionId id, short events) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) {
    return;
  }
  bool alive = true;
  if ((events & POLLOUT) != 0) {
    alive = write_some(at->second.fd, at->second.to_send);
  }
  if (alive && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    alive = read_some(at->second.fd, at->second.received);
    while (auto message = take_framed(at->second.received)) {
      at->second.deadline = clock_.monotonic_now() + kIdleTimeout;
      on_message(id, *std::move(message));
    }
  }
  if (!alive) {
    connections_.erase(id);
  }
}

void DnsServer::Worker::on_message(ConnectionId id, std::string message) {
  if (!connections_.at(id).is_empty_server) {
    ask(std::move(message), id);
  } else if (parse_dns_header(message)) {
    answer(id, make_dns_answer(message, DnsCode::NoSuchName));
  }
}

void DnsServer::Worker::ask(std::string query, std::variant<Datagram, ConnectionId> client) {
  const auto header = parse_dns_header(query);
  if (header && header->is_answer) {
    return;
  }
  if (!header || questions_.size() >= kQuestionsMax) {
    if (query.size() >= 12) {
      answer(client, make_dns_answer(query, header ? DnsCode::ServerFailure : DnsCode::FormatError));
    }
    return;
  }
  Question question;
  question.client_id = header->id;
  question.client = std::move(client);
  question.query = std::move(query);
  const std::string id_bytes = random_bytes(2);
  set_dns_id(question.query, static_cast<uint16_t>(static_cast<uint8_t>(id_bytes[0]) << 8 | static_cast<uint8_t>(id_bytes[1])));
  question.servers = {""};
  const auto& further = name_servers();
  question.servers.insert(question.servers.end(), further.begin(), further.end());
  const uint64_t id = ++last_id_;
  auto& entry = questions_.emplace(id, std::move(question)).first->second;
  if (!ask_next(entry)) {
    fail(id);
  }
}

// Asks the server at hand, or the next that can be asked; false: there is none left.
bool DnsServer::Worker::ask_next(Question& question) {
  for (; question.stage < question.servers.size(); ++question.stage) {
    if (ask_server(question, question.servers[question.stage])) {
      return true;
    }
  }
  return false;
}

bool DnsServer::Worker::ask_server(Question& question, const std::string& server) {
  const bool is_envoy = server.empty();
  const auto address = socket_address(is_envoy ? kLoopback : server, is_envoy ? options_.envoy_port : options_.upstream_port);
  question.by_tcp = !is_envoy && question.is_tcp_client();  // whoever asks by TCP may have had an answer cut short
  const int type = question.by_tcp ? SOCK_STREAM : SOCK_DGRAM;
  question.upstream = Fd(::socket(address->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  question.received.clear();
  question.to_send.clear();
  question.deadline = clock_.monotonic_now() + (is_envoy ? kEnvoyTimeout : kServerTimeout);
  // Connected: the kernel drops what comes from elsewhere, and tells when nobody listens.
  if (!question.upstream.is_open() ||
      (::connect(question.upstream.get(), address->get(), address->size) != 0 && errno != EINPROGRESS)) {
    return false;
  }
  if (question.by_tcp) {
    question.to_send = framed(question.query);
    return true;
  }
  return ::send(question.upstream.get(), question.query.data(), question.query.size(), MSG_NOSIGNAL) >= 0;
}

void DnsServer::Worker::on_upstream(uint64_t id, short events) {
  const auto at = questions_.find(id);
  if (at == questions_.end()) {
    return;
  }
  Question& question = at->second;
  bool alive = true;
  if (question.by_tcp) {
    if ((events & POLLOUT) != 0) {
      alive = write_some(question.upstream, question.to_send);
    }
    if (alive && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
      alive = read_some(question.upstream, question.received);
    }
    if (auto message = take_framed(question.received)) {
      on_answer(id, *std::move(message));
      return;
    }
  } else {
    std::string message(kDnsMessageBytesMax, '\0');
    const ssize_t size = ::recv(question.upstream.get(), message.data(), message.size(), 0);
    if (size >= 0) {
      message.resize(static_cast<size_t>(size));
      on_answer(id, std::move(message));
      return;
    }
    alive = errno == EAGAIN || errno == EINTR;
  }
  if (!alive) {
    ++question.stage;
    if (!ask_next(question)) {
      fail(id);
    }
  }
}

void DnsServer::Worker::on_answer(uint64_t id, std::string message) {
  Question& question = questions_.at(id);
  if (!answers(message, question.query)) {
    return;  // not ours: whoever sent it, the right one may still come
  }
  const bool is_envoy = question.stage == 0;
  const bool is_last = question.stage + 1 >= question.servers.size();
  if (is_envoy && !is_last && asks_further(parse_dns_header(message)->code)) {
    ++question.stage;
    if (ask_next(question)) {
      return;
    }
  }
  set_dns_id(message, question.client_id);
  const auto client = std::move(question.client);
  questions_.erase(id);
  answer(client, message);
}

void DnsServer::Worker::answer(const std::variant<Datagram, ConnectionId>& client, std::string_view message) {
  if (const auto* datagram = std::get_if<Datagram>(&client)) {
    send_answer(udp_, message, *datagram);
    return;
  }
  if (const auto at = connections_.find(std::get<ConnectionId>(client)); at != connections_.end()) {
    at->second.to_send += framed(message);
    write_some(at->second.fd, at->second.to_send);  // what is left goes when there is room; an error shows when reading
  }
}

void DnsServer::Worker::fail(uint64_t id) {
  Question question = std::move(questions_.at(id));
  questions_.erase(id);
  set_dns_id(question.query, question.client_id);
  answer(question.client, make_dns_answer(question.query, DnsCode::ServerFailure));
}

void DnsServer::Worker::expire() {
  const MonotonicTime now = clock_.monotonic_now();
  std::vector<uint64_t> late;
  for (const auto& [id, question] : questions_) {
    if (question.deadline <= now) {
      late.push_back(id);
    }
  }
  for (const uint64_t id : late) {
    Question& question = questions_.at(id);
    ++question.stage;
    if (!ask_next(question)) {
      fail(id);
    }
  }
  std::erase_if(connections_, [&](const auto& one) { return one.second.deadline <= now; });
}

const std::vector<std::string>& DnsServer::Worker::name_servers() {
  struct stat info {};
  if (::stat(options_.resolv_conf.c_str(), &info) != 0) {
    return name_servers_;  // those of before, if there were any
  }
  if (!read_at_ || read_at_->tv_sec != info.st_mtim.tv_sec || read_at_->tv_nsec != info.st_mtim.tv_nsec) {
    std::ifstream in(options_.resolv_conf, std::ios::binary);
    name_servers_ = parse_name_servers(std::string(std::istreambuf_iterator<char>(in), {}));
    read_at_ = info.st_mtim;
    if (name_servers_.empty()) {
      log_.error("dns", "no name server found, only names of the mesh are resolved", {{"file", options_.resolv_conf}});
    }
  }
  return name_servers_;
}

absl::StatusOr<std::unique_ptr<DnsServer>> DnsServer::start(DnsServerOptions options, const Clock& clock, Log& log) {
  Fd stop_event(::eventfd(0, EFD_CLOEXEC));
  if (!stop_event.is_open()) {
    return absl::ResourceExhaustedError(fmt::format("eventfd: {}", errno_text(errno)));
  }
  auto worker = std::make_unique<Worker>(std::move(options), stop_event.get(), clock, log);
  KUMA_RETURN_IF_ERROR(worker->listen());
  return std::unique_ptr<DnsServer>(new DnsServer(std::move(stop_event), std::move(worker)));
}

DnsServer::DnsServer(Fd stop_event, std::unique_ptr<Worker> worker)
    : stop_event_(std::move(stop_event)), worker_(std::move(worker)), thread_([this] { worker_->run(); }) {}

DnsServer::~DnsServer() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_event_.get(), &one, sizeof one);
  thread_.join();
}

uint16_t DnsServer::port() const { return worker_->port(); }
uint16_t DnsServer::empty_port() const { return worker_->empty_port(); }

}  // namespace kuma::dp
