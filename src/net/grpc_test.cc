#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <future>

#include "gmock/gmock.h"
#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"
#include "net/worker_pool.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::make_certificate;

constexpr int kCancelled = 1;
constexpr int kDeadlineExceeded = 4;
constexpr int kResourceExhausted = 8;
constexpr int kUnimplemented = 12;
constexpr int kInternal = 13;
constexpr int kUnavailable = 14;

// Says every message back; what it hears otherwise depends on the message.
class Echo final : public GrpcStreamHandler {
 public:
  explicit Echo(GrpcStream& stream, std::promise<GrpcStatus>* closed = nullptr) : stream_(stream), closed_(closed) {}

  void on_message(std::string_view message) override {
    if (message == "finish") {
      stream_.finish({9, "that was all: 100% ü"});
    } else if (message == "reset") {
      stream_.reset();
    } else if (message == "large") {
      GrpcMessage large{.head = "head"};
      const auto piece = share_bytes(std::string(300'000, 'x'));
      large.pieces = {piece, piece, share_bytes(""), piece};
      stream_.send(std::move(large));
    } else if (message == "compressible") {
      stream_.send({.head = "head", .pieces = {share_bytes(std::string(2'000, 'x'))}, .compressible = true});
    } else if (message == "metadata") {
      stream_.send({.head = std::string(stream_.metadata().get("x-text")) + "|" +
                            std::string(stream_.metadata().get("x-raw-bin")) + "|" + stream_.peer().address});
    } else {
      stream_.send({.head = std::string(message)});
    }
  }
  void on_half_close() override { stream_.finish({}); }
  void on_closed(GrpcStatus status) override {
    if (closed_ != nullptr) {
      closed_->set_value(std::move(status));
    }
  }

 private:
  GrpcStream& stream_;
  std::promise<GrpcStatus>* closed_;
};

class GrpcTest : public ::testing::Test {
 protected:
  ~GrpcTest() override {
    if (server_ != nullptr) {
      server_->stop(0s);
    }
  }

  void start(ServerLimits limits = {}, bool tls = false) {
    ServerOptions options{.name = "test", .address = "127.0.0.1", .limits = limits};
    if (tls) {
      auto context = make_tls_server({.certificate_pem = pair_.certificate_pem, .key_pem = pair_.key_pem});
      ASSERT_TRUE(context.ok()) << context.status();
      options.tls = *context;
    }
    server_ = std::make_unique<Server>(loops_, options);
    server_->handle_stream("/test.Service/Echo", [this](GrpcStream& stream) { return std::make_unique<Echo>(stream, closed_); });
    server_->handle_stream("/test.Service/Denied", [](GrpcStream& stream) -> std::unique_ptr<GrpcStreamHandler> {
      stream.finish({16, "no token"});
      return nullptr;
    });
    server_->handle_unary("/test.Service/Upper", [this](const Headers&, std::string message, GrpcUnaryDone done) {
      workers_.post([message = std::move(message), done = std::move(done)] {
        if (message == "drop") {
          return;
        }
        std::string upper;
        for (const char c : message) {
          upper += static_cast<char>(std::toupper(c));
        }
        done(message.empty() ? GrpcStatus{3, "empty"} : GrpcStatus{}, upper);
      });
    });
    server_->handle_http([](HttpRequest, HttpResponder responder) { responder.send({.status = 204}); });
    ASSERT_TRUE(server_->start().ok());
  }

  std::string target() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  testing::KeyPair pair_ = make_certificate();
  Loops loops_{2};
  WorkerPool workers_{1};
  std::promise<GrpcStatus>* closed_ = nullptr;
  std::unique_ptr<Server> server_;
};

// --- libgrpc++, which somebody else wrote, as the client

grpc::ByteBuffer to_buffer(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

std::string to_text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices);
  std::string text;
  for (const auto& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

// One call of libgrpc++'s generic stub, made synchronous.
class GrpcppCall {
 public:
  GrpcppCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& path) : stub_(channel) {
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    path_ = path;
  }
  grpc::ClientContext context;

  void begin() {
    call_ = stub_.PrepareCall(&context, path_, &queue_);
    call_->StartCall(this);
    wait();
  }
  bool write(const std::string& text) {
    call_->Write(to_buffer(text), this);
    return wait();
  }
  std::optional<std::string> read() {
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, this);
    return wait() ? std::optional(to_text(buffer)) : std::nullopt;
  }
  void writes_done() {
    call_->WritesDone(this);
    wait();
  }
  grpc::Status finish() {
    grpc::Status status;
    call_->Finish(&status, this);
    wait();
    return status;
  }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return ok;
  }

  grpc::GenericStub stub_;
  std::string path_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

class GrpcppClientTest : public GrpcTest, public ::testing::WithParamInterface<bool> {
 protected:
  std::shared_ptr<grpc::Channel> channel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!GetParam()) {
      return grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments);
    }
    return grpc::CreateCustomChannel(target(), grpc::SslCredentials({pair_.certificate_pem, "", ""}), arguments);
  }
};

INSTANTIATE_TEST_SUITE_P(ClearAndTls, GrpcppClientTest, ::testing::Bool());

TEST_P(GrpcppClientTest, An_unknown_method_is_unimplemented) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Nothing");
  call.begin();
  EXPECT_EQ(call.read(), std::nullopt);
  const auto status = call.finish();
  EXPECT_EQ(status.error_code(), kUnimplemented);
  EXPECT_EQ(status.error_message(), "unknown method /test.Service/Nothing");
}

TEST_P(GrpcppClientTest, A_call_refused_at_once_gets_its_status) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Denied");
  call.begin();
  EXPECT_EQ(call.read(), std::nullopt);
  const auto status = call.finish();
  EXPECT_EQ(status.error_code(), 16);
  EXPECT_EQ(status.error_message(), "no token");
}

TEST_P(GrpcppClientTest, A_message_over_the_limit_is_refused) {
  start({.grpc_message_size_max = 1000}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  call.write(std::string(1001, 'x'));
  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_EQ(call.finish().error_code(), kResourceExhausted);
}

TEST_P(GrpcppClientTest, Messages_go_both_ways_until_the_client_ends) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  for (const std::string& text : {std::string("one"), std::string(), std::string(5'000'000, 'y')}) {
    ASSERT_TRUE(call.write(text));
    const auto answer = call.read();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(*answer == text);
  }
  ASSERT_TRUE(call.write("large"));
  EXPECT_EQ(call.read(), "head" + std::string(900'000, 'x'));
  ASSERT_TRUE(call.write("compressible"));
  EXPECT_EQ(call.read(), "head" + std::string(2'000, 'x'));
  call.writes_done();
  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_TRUE(call.finish().ok());
}

TEST_P(GrpcppClientTest, The_servers_status_comes_with_its_message) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  call.write("a");
  call.write("finish");
  EXPECT_EQ(call.read(), "a");
  EXPECT_EQ(call.read(), std::nullopt);
  const auto status = call.finish();
  EXPECT_EQ(status.error_code(), 9);
  EXPECT_EQ(status.error_message(), "that was all: 100% ü");
}

TEST_P(GrpcppClientTest, Metadata_arrives_text_and_binary) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.context.AddMetadata("x-text", "t");
  call.context.AddMetadata("x-raw-bin", std::string("\x01\xff,", 3));
  call.begin();
  call.write("metadata");
  EXPECT_EQ(call.read(), std::string("t|\x01\xff,|127.0.0.1"));
  call.writes_done();
  EXPECT_TRUE(call.finish().ok());
}

TEST_P(GrpcppClientTest, Compressed_messages_are_understood) {
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  call.begin();
  const std::string text(100'000, 'g');
  call.write(text);
  EXPECT_EQ(call.read(), text);
  call.writes_done();
  EXPECT_TRUE(call.finish().ok());
}

TEST_P(GrpcppClientTest, A_client_that_cancels_is_heard) {
  std::promise<GrpcStatus> closed;
  closed_ = &closed;
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  call.write("a");
  EXPECT_EQ(call.read(), "a");
  call.context.TryCancel();
  EXPECT_EQ(closed.get_future().get().code, kCancelled);
  EXPECT_EQ(call.finish().error_code(), kCancelled);
}

TEST_P(GrpcppClientTest, A_reset_of_ours_reaches_the_client) {
  std::promise<GrpcStatus> closed;
  closed_ = &closed;
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  call.write("reset");
  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_EQ(call.finish().error_code(), kCancelled);
  EXPECT_EQ(closed.get_future().get().code, kCancelled);
}

TEST_P(GrpcppClientTest, Stop_ends_streams_with_UNAVAILABLE_and_waits_for_nobody) {
  std::promise<GrpcStatus> closed;
  closed_ = &closed;
  start({}, GetParam());
  GrpcppCall call(channel(), "/test.Service/Echo");
  call.begin();
  call.write("a");
  EXPECT_EQ(call.read(), "a");
  auto stopped = std::async(std::launch::async, [&] { server_->stop(10s); });
  EXPECT_EQ(call.read(), std::nullopt);
  const auto status = call.finish();
  EXPECT_EQ(status.error_code(), kUnavailable);
  EXPECT_EQ(status.error_message(), "the server is shutting down");
  stopped.get();
  EXPECT_EQ(closed.get_future().get().code, kUnavailable);
  EXPECT_EQ(server_->connection_count(), 0);
}

TEST_P(GrpcppClientTest, Unary_calls_are_answered_from_another_thread) {
  start({}, GetParam());
  for (const auto& [in, code, out] : std::vector<std::tuple<std::string, int, std::optional<std::string>>>{
           {"hello", 0, "HELLO"}, {"", 3, std::nullopt}, {"drop", kInternal, std::nullopt}}) {
    GrpcppCall call(channel(), "/test.Service/Upper");
    call.begin();
    call.write(in);
    call.writes_done();
    EXPECT_EQ(call.read(), out);
    EXPECT_EQ(call.finish().error_code(), code);
  }
}

// --- our client

struct Heard {
  std::vector<std::string> messages;
  GrpcStatus status;
};

class Recorder final : public GrpcStreamHandler {
 public:
  explicit Recorder(std::promise<Heard>& done) : done_(done) {}
  void on_message(std::string_view message) override { heard_.messages.emplace_back(message); }
  void on_closed(GrpcStatus status) override {
    heard_.status = std::move(status);
    done_.set_value(std::move(heard_));
  }

 private:
  std::promise<Heard>& done_;
  Heard heard_;
};

// A call that sends `messages`, half-closes and hears all.
Heard exchange(GrpcChannel& channel, const std::string& path, std::vector<std::string> messages, Headers metadata = {}) {
  std::promise<Heard> done;
  channel.open_stream(path, std::move(metadata), [&](GrpcStream& stream) {
    for (const auto& message : messages) {
      stream.send({.head = message});
    }
    stream.finish({});
    return std::make_unique<Recorder>(done);
  });
  return done.get_future().get();
}

class GrpcChannelTest : public GrpcTest, public ::testing::WithParamInterface<bool> {
 protected:
  std::unique_ptr<GrpcChannel> open() {
    ChannelOptions options{.host = "127.0.0.1", .port = server_->port()};
    if (GetParam()) {
      options.tls = *make_tls_client({.ca_pem = pair_.certificate_pem});
    }
    return std::make_unique<GrpcChannel>(loops_.at(0), std::move(options));
  }
};

INSTANTIATE_TEST_SUITE_P(ClearAndTls, GrpcChannelTest, ::testing::Bool());

TEST_P(GrpcChannelTest, Hears_every_kind_of_end) {
  start({.grpc_message_size_max = 1000}, GetParam());
  const auto channel = open();
  EXPECT_EQ(exchange(*channel, "/test.Service/Nothing", {"x"}).status.code, kUnimplemented);
  EXPECT_EQ(exchange(*channel, "/test.Service/Denied", {}).status.message, "no token");
  EXPECT_EQ(exchange(*channel, "/test.Service/Echo", {"finish"}).status.message, "that was all: 100% ü");
  EXPECT_EQ(exchange(*channel, "/test.Service/Echo", {"reset"}).status.code, kCancelled);
  EXPECT_EQ(exchange(*channel, "/test.Service/Echo", {std::string(1001, 'x')}).status.code, kResourceExhausted);
  EXPECT_EQ(exchange(*channel, "/test.Service/Upper", {"a", "b"}).status.code, kInternal);
}

TEST_P(GrpcChannelTest, Exchanges_messages_of_all_sizes) {
  start({}, GetParam());
  const auto channel = open();
  const std::string big(10'000'000, 'b');
  const auto heard = exchange(*channel, "/test.Service/Echo", {"a", "", "large", big, "compressible"});
  EXPECT_EQ(heard.status.code, 0) << heard.status.message;
  ASSERT_EQ(heard.messages.size(), 5);
  EXPECT_EQ(heard.messages[4], "head" + std::string(2'000, 'x'));
  EXPECT_EQ(heard.messages[0], "a");
  EXPECT_EQ(heard.messages[1], "");
  EXPECT_TRUE(heard.messages[2] == "head" + std::string(900'000, 'x'));
  EXPECT_TRUE(heard.messages[3] == big);
}

TEST_P(GrpcChannelTest, Sends_metadata_text_and_binary) {
  start({}, GetParam());
  const auto channel = open();
  Headers metadata;
  metadata.add("X-Text", "hello");
  metadata.add("x-raw-bin", std::string("\0\xfe", 2));
  const auto heard = exchange(*channel, "/test.Service/Echo", {"metadata"}, metadata);
  EXPECT_THAT(heard.messages, ElementsAre(std::string("hello|\0\xfe|127.0.0.1", 18)));
}

TEST_P(GrpcChannelTest, Ends_a_call_at_its_deadline_on_both_sides) {
  std::promise<GrpcStatus> closed;
  closed_ = &closed;
  start({}, GetParam());
  const auto channel = open();
  Headers metadata;
  metadata.add("grpc-timeout", "50m");
  std::promise<Heard> done;
  channel->open_stream("/test.Service/Echo", metadata, [&](GrpcStream& stream) {
    stream.send({.head = "x"});
    return std::make_unique<Recorder>(done);
  });
  EXPECT_EQ(done.get_future().get().status.code, kDeadlineExceeded);
  const auto code = closed.get_future().get().code;
  EXPECT_TRUE(code == kDeadlineExceeded || code == kCancelled) << code;
}

TEST_P(GrpcChannelTest, Makes_unary_calls) {
  start({}, GetParam());
  const auto channel = open();
  std::promise<std::pair<GrpcStatus, std::string>> done;
  channel->unary("/test.Service/Upper", {}, "abc",
                 [&](GrpcStatus status, std::string message) { done.set_value({std::move(status), std::move(message)}); });
  EXPECT_EQ(done.get_future().get().second, "ABC");
  std::promise<GrpcStatus> failed;
  channel->unary("/test.Service/Nothing", {}, "abc", [&](GrpcStatus status, const std::string&) { failed.set_value(std::move(status)); });
  EXPECT_EQ(failed.get_future().get().code, kUnimplemented);
}

TEST_P(GrpcChannelTest, Tells_open_and_later_streams_when_the_server_stops) {
  start({}, GetParam());
  const auto channel = open();
  std::promise<Heard> done;
  std::promise<void> answered;
  channel->open_stream("/test.Service/Echo", {}, [&](GrpcStream& stream) {
    stream.send({.head = "x"});
    return std::make_unique<Recorder>(done);
  });
  exchange(*channel, "/test.Service/Echo", {"y"});
  server_->stop(10s);
  EXPECT_EQ(done.get_future().get().status.code, kUnavailable);
  EXPECT_EQ(exchange(*channel, "/test.Service/Echo", {"z"}).status.code, kUnavailable);
}

TEST_P(GrpcChannelTest, Closing_ends_streams_on_both_sides) {
  std::promise<GrpcStatus> closed;
  closed_ = &closed;
  start({}, GetParam());
  auto channel = open();
  std::promise<Heard> done;
  std::promise<void> there;
  channel->open_stream("/test.Service/Echo", {}, [&](GrpcStream& stream) {
    stream.send({.head = "x"});
    struct Waiter final : GrpcStreamHandler {
      std::promise<void>& there;
      Recorder recorder;
      Waiter(std::promise<void>& signal, std::promise<Heard>& done_signal) : there(signal), recorder(done_signal) {}
      void on_message(std::string_view) override { there.set_value(); }
      void on_closed(GrpcStatus status) override { recorder.on_closed(std::move(status)); }
    };
    return std::make_unique<Waiter>(there, done);
  });
  there.get_future().get();
  channel.reset();
  auto heard = done.get_future();
  ASSERT_EQ(heard.wait_for(0s), std::future_status::ready);
  EXPECT_EQ(heard.get().status.code, kUnavailable);
  EXPECT_EQ(closed.get_future().get().code, kUnavailable);
}

TEST_F(GrpcTest, Opening_on_a_port_where_nobody_listens_names_it) {
  start();
  const uint16_t port = server_->port();
  server_->stop(0s);
  GrpcChannel channel(loops_.at(1), {.host = "127.0.0.1", .port = port});
  const auto heard = exchange(channel, "/a/B", {"x"});
  EXPECT_EQ(heard.status.code, kUnavailable);
  EXPECT_EQ(heard.status.message, "connect to 127.0.0.1:" + std::to_string(port) + ": connection refused");
}

TEST_F(GrpcTest, A_certificate_that_does_not_verify_is_named) {
  start({}, true);
  GrpcChannel channel(loops_.at(1), {.host = "127.0.0.1", .port = server_->port(),
                                     .tls = *make_tls_client({.ca_pem = make_certificate().certificate_pem})});
  const auto heard = exchange(channel, "/a/B", {"x"});
  EXPECT_EQ(heard.status.code, kUnavailable);
  EXPECT_TRUE(heard.status.message.starts_with("TLS: certificate verify failed: ")) << heard.status.message;
}

// Takes one message, pauses, takes the next when told.
class Holder final : public GrpcStreamHandler {
 public:
  Holder(GrpcStream& stream, std::promise<Heard>& done) : stream_(stream), done_(done) {}
  void on_message(std::string_view message) override {
    heard_.messages.push_back(std::string(message.substr(0, 4)));
    stream_.pause_reading();
    timer_ = stream_.loop().post_after(2ms, [this] { stream_.resume_reading(); });
    if (heard_.messages.size() == 5) {
      stream_.finish({});
    }
  }
  void on_closed(GrpcStatus status) override {
    heard_.status = std::move(status);
    done_.set_value(heard_);
  }

 private:
  GrpcStream& stream_;
  std::promise<Heard>& done_;
  Heard heard_;
  std::shared_ptr<void> timer_;
};

TEST_F(GrpcTest, Held_back_messages_come_in_order_after_resuming) {
  start();
  GrpcChannel channel(loops_.at(1), {.host = "127.0.0.1", .port = server_->port()});
  std::promise<Heard> done;
  channel.open_stream("/test.Service/Echo", {}, [&](GrpcStream& stream) {
    for (const auto* message : {"1", "2", "large", "large", "3"}) {
      stream.send({.head = message});
    }
    return std::make_unique<Holder>(stream, done);
  });
  const auto heard = done.get_future().get();
  EXPECT_THAT(heard.messages, ElementsAre("1", "2", "head", "head", "3"));
  EXPECT_EQ(heard.status.code, 0) << heard.status.message;
}

}  // namespace
}  // namespace kuma::net
