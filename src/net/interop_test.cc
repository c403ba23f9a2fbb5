// Peers that others wrote: curl against our server, libgrpc++'s server under our client. (libgrpc++'s client is in
// grpc_test.cc.)

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <future>

#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using testing::make_certificate;
using testing::run_program;
using testing::TempFile;

class CurlTest : public ::testing::Test {
 protected:
  void start(bool tls) {
    ServerOptions options{.name = "test", .address = "127.0.0.1", .limits = {.body_size_max = 1 << 20}};
    if (tls) {
      options.tls = *make_tls_server({.certificate_pem = pair_.certificate_pem, .key_pem = pair_.key_pem});
    }
    server_ = std::make_unique<Server>(loops_, options);
    server_->handle_http([](HttpRequest request, HttpResponder responder) {
      HttpResponse response{.status = request.method == "DELETE" ? 204 : 200};
      response.headers.add("X-Method", request.method);
      response.body = request.target == "/large" ? std::string(8 << 20, 'l') : request.method + " " + request.target + " " + std::to_string(request.body.size());
      responder.send(std::move(response));
    });
    ASSERT_TRUE(server_->start().ok());
    base_ = std::string(tls ? "https" : "http") + "://127.0.0.1:" + std::to_string(server_->port());
  }

  std::string curl(const std::string& arguments) {
    return run_program("curl -sS --max-time 20 --cacert " + ca_.path() + " " + arguments + " 2>&1").output;
  }

  testing::KeyPair pair_ = make_certificate();
  TempFile ca_{pair_.certificate_pem};
  Loops loops_{1};
  std::unique_ptr<Server> server_;
  std::string base_;
};

TEST_F(CurlTest, Speaks_the_version_that_curl_asks_for) {
  const std::string form = " -w ' %{http_version} %{http_code}' ";
  start(false);
  EXPECT_EQ(curl("--http1.1" + form + base_ + "/a"), "GET /a 0 1.1 200");
  EXPECT_EQ(curl("--http1.0" + form + base_ + "/a"), "GET /a 0 1 200");
  EXPECT_EQ(curl("--http2-prior-knowledge" + form + base_ + "/a?b=c"), "GET /a?b=c 0 2 200");
  EXPECT_EQ(curl("--http2" + form + base_ + "/a"), "GET /a 0 1.1 200");  // the upgrade is declined
  start(true);
  EXPECT_EQ(curl("--http1.1" + form + base_ + "/a"), "GET /a 0 1.1 200");
  EXPECT_EQ(curl("--http2" + form + base_ + "/a"), "GET /a 0 2 200");
  EXPECT_EQ(curl("--no-alpn" + form + base_ + "/a"), "GET /a 0 1.1 200");
  EXPECT_EQ(curl("--no-alpn --http2-prior-knowledge" + form + base_ + "/a").substr(0, 8), "GET /a 0");
}

TEST_F(CurlTest, Posts_puts_deletes_heads_and_downloads_on_every_version) {
  const TempFile body(std::string(700'000, 'b'));
  for (const bool tls : {false, true}) {
    start(tls);
    for (const std::string version : {"--http1.1 ", tls ? "--http2 " : "--http2-prior-knowledge "}) {
      EXPECT_EQ(curl(version + "-X POST --data-binary @" + body.path() + " " + base_ + "/p"), "POST /p 700000") << version;
      EXPECT_EQ(curl(version + "-H 'Expect: 100-continue' -T " + body.path() + " " + base_ + "/p"), "PUT /p 700000") << version;
      EXPECT_EQ(curl(version + "-H 'Transfer-Encoding: chunked' -T " + body.path() + " " + base_ + "/c"), "PUT /c 700000");
      EXPECT_EQ(curl(version + "-w '%{http_code}' -X DELETE " + base_ + "/d"), "204") << version;
      EXPECT_NE(curl(version + "-I " + base_ + "/h").find("ontent-"), std::string::npos) << version;
      EXPECT_EQ(curl(version + "-o /dev/null -w '%{size_download}' " + base_ + "/large"), std::to_string(8 << 20)) << version;
      if (version == "--http2-prior-knowledge ") {
        continue;  // this curl fails by itself when it uses such a connection again
      }
      EXPECT_EQ(curl(version + base_ + "/1 " + base_ + "/2 " + base_ + "/3 -w ' %{num_connects};'"),
                "GET /1 0 1;GET /2 0 0;GET /3 0 0;") << version;
    }
  }
}

TEST_F(CurlTest, Gets_413_for_a_body_over_the_limit_on_every_version) {
  const TempFile body(std::string(50 << 20, 'b'));
  for (const bool tls : {false, true}) {
    start(tls);
    for (const std::string version : {"--http1.1 ", tls ? "--http2 " : "--http2-prior-knowledge "}) {
      const auto out = curl(version + "-w '%{http_code}' -X POST --data-binary @" + body.path() + " " + base_ + "/p");
      EXPECT_EQ(out.substr(0, 3), "413") << version << out;
    }
  }
}

// --- libgrpc++'s server

// Says every message back until the client ends, then finishes with what the method's name asks for.
class GrpcppServer {
 public:
  GrpcppServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterAsyncGenericService(&service_);
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_GZIP);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] { serve(); });
  }
  ~GrpcppServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    thread_.join();  // the queue still stands: libgrpc++ aborts when a call is asked for on one that is shut down
    queue_->Shutdown();
    while (wait()) {
    }
  }
  uint16_t port() const { return static_cast<uint16_t>(port_); }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_->Next(&tag, &ok) && ok;
  }

  void serve() {
    while (true) {  // until Shutdown()
      grpc::GenericServerContext context;
      grpc::GenericServerAsyncReaderWriter stream(&context);
      service_.RequestCall(&context, &stream, queue_.get(), queue_.get(), this);
      if (!wait()) {
        break;
      }
      grpc::ByteBuffer message;
      for (stream.Read(&message, this); wait(); stream.Read(&message, this)) {
        stream.Write(message, this);
        if (!wait()) {
          break;
        }
      }
      const bool fail = context.method() == "/test.Service/Fail";
      stream.Finish(fail ? grpc::Status(grpc::StatusCode::NOT_FOUND, "nö: 100%") : grpc::Status::OK, this);
      wait();
    }
  }

  int port_ = 0;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

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

TEST(GrpcppServerTest, Our_client_exchanges_messages_and_reads_the_status) {
  GrpcppServer server;
  Loops loops(1);
  GrpcChannel channel(loops.at(0), {.host = "127.0.0.1", .port = server.port()});
  for (const auto& [path, code, message] : std::vector<std::tuple<std::string, int, std::string>>{
           {"/test.Service/Fail", 5, "nö: 100%"}, {"/test.Service/Fine", 0, ""}}) {
    std::promise<Heard> done;
    const std::string large(2'000'000, 'z');
    channel.open_stream(path, {}, [&](GrpcStream& stream) {
      stream.send({.head = "small"});
      stream.send({.pieces = {share_bytes(large)}});
      stream.finish({});
      return std::make_unique<Recorder>(done);
    });
    const auto heard = done.get_future().get();
    EXPECT_EQ(heard.status.code, code);
    EXPECT_EQ(heard.status.message, message);
    ASSERT_EQ(heard.messages.size(), 2);
    EXPECT_EQ(heard.messages[0], "small");
    EXPECT_TRUE(heard.messages[1] == large);
  }
}

}  // namespace
}  // namespace kuma::net
