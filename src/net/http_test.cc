#include <future>

#include "net/client.h"
#include "net/server.h"
#include "net/testing.h"
#include "net/worker_pool.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;

// A server that tells what it was asked.
class HttpTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}, HttpHandler handler = nullptr) {
    options.name = "test";
    if (options.address == "0.0.0.0") {
      options.address = "127.0.0.1";
    }
    server_ = std::make_unique<Server>(loops_, std::move(options));
    server_->handle_http(handler ? handler : [](HttpRequest request, HttpResponder responder) {
      HttpResponse response;
      response.headers.add("content-type", "text/plain");
      response.headers.add("x-peer", request.peer.address);
      response.headers.add("x-verified", request.peer.verified_client_certificate ? "yes" : "no");
      response.body = request.method + " " + request.target + " " + std::string(request.headers.get("host")) + " " +
                      std::to_string(request.body.size());
      responder.send(std::move(response));
    });
    ASSERT_TRUE(server_->start().ok());
  }

  std::string url(std::string_view scheme = "http") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(server_->port());
  }

  std::string exchange(std::string_view request) {
    RawClient client(server_->port());
    client.send(request);
    return client.receive_all();
  }

  Loops loops_{2};
  std::unique_ptr<Server> server_;
};

std::string status_line(std::string_view response) { return std::string(response.substr(0, response.find("\r\n"))); }

TEST_F(HttpTest, Answers_400_to_what_is_no_HTTP_and_closes) {
  start();
  for (const auto* garbage : {"nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
                              "GET / HTTP/1.1\r\nbad header\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
                              "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                              "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_EQ(status_line(exchange(garbage)), "HTTP/1.1 400 Bad Request") << garbage;
  }
}

TEST_F(HttpTest, Answers_431_to_a_head_that_is_too_large) {
  ServerOptions options;
  options.limits.header_list_size_max = 4096;
  start(options);
  const auto answer = exchange("GET / HTTP/1.1\r\nhost: a\r\nx: " + std::string(5000, 'x') + "\r\n\r\n");
  EXPECT_EQ(status_line(answer), "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(HttpTest, Answers_408_to_a_head_that_does_not_end_in_time) {
  ServerOptions options;
  options.limits.header_timeout = 50ms;
  start(options);
  EXPECT_EQ(status_line(exchange("GET / HT")), "HTTP/1.1 408 Request Timeout");
}

TEST_F(HttpTest, Closes_a_connection_that_sends_nothing) {
  ServerOptions options;
  options.limits.handshake_timeout = 30ms;
  start(options);
  EXPECT_EQ(exchange(""), "");
}

TEST_F(HttpTest, Closes_an_idle_connection_after_its_time) {
  ServerOptions options;
  options.limits.idle_timeout = 50ms;
  start(options);
  RawClient client(server_->port());
  client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_NE(client.receive_all().find("200 OK"), std::string::npos);
}

TEST_F(HttpTest, Answers_413_with_the_owners_text_when_the_announced_body_is_too_large) {
  ServerOptions options;
  options.limits.body_size_max = 1000;
  start(options);
  server_->stop(0s);
  server_ = nullptr;
  options.name = "test";
  options.address = "127.0.0.1";
  server_ = std::make_unique<Server>(loops_, options);
  server_->handle_http([](HttpRequest, HttpResponder) { FAIL(); });
  server_->on_body_too_large([](const HttpRequest& request) {
    HttpResponse response{.status = 413, .body = "too large: " + request.target};
    response.headers.add("content-type", "text/plain");
    return response;
  });
  ASSERT_TRUE(server_->start().ok());
  for (const auto* request : {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n",
                              "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\nexpect: 100-continue\r\n\r\n"}) {
    RawClient client(server_->port());
    client.send(request);
    const auto answer = client.receive_until("too large: /a");
    EXPECT_EQ(status_line(answer), "HTTP/1.1 413 Payload Too Large");
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  }
  RawClient chunked(server_->port());
  chunked.send("POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x'));
  EXPECT_NE(chunked.receive_until("too large: /b").find("413"), std::string::npos);
}

TEST_F(HttpTest, A_client_that_sends_50_MiB_still_gets_its_413) {
  ServerOptions options;
  start(options);
  HttpCall call{.method = "PUT", .url = url() + "/big", .body = std::string(50 << 20, 'x')};
  const auto answer = http_call(std::move(call));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 413);
}

TEST_F(HttpTest, Refuses_bodies_beyond_the_budget_of_all_connections_with_503) {
  ServerOptions options;
  options.limits.inbound_bytes_max = 100'000;
  start(options);
  RawClient first(server_->port());
  first.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 90001\r\n\r\n" + std::string(90'000, 'x'));
  std::string second;
  // The first body is on its way to the server's budget; ask until it has arrived there.
  for (int i = 0; i < 1000 && second.find("503") == std::string::npos; ++i) {
    const auto answer = http_call({.method = "POST", .url = url(), .body = std::string(50'000, 'y')});
    ASSERT_TRUE(answer.ok()) << answer.status();
    second = std::to_string(answer->status);
  }
  EXPECT_EQ(second, "503");
  first.send("x");
  EXPECT_NE(first.receive_until("90001").find("200 OK"), std::string::npos);
  EXPECT_EQ(http_call({.method = "POST", .url = url(), .body = std::string(50'000, 'y')})->status, 200);
}

TEST_F(HttpTest, Answers_500_when_the_handler_drops_the_responder) {
  start({}, [](HttpRequest, HttpResponder) {});
  const auto answer = http_call({.url = url()});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 500);
}

TEST_F(HttpTest, Answers_pipelined_requests_in_order) {
  start();
  const auto answer = exchange(
      "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  const size_t one = answer.find("GET /1 a 0");
  const size_t two = answer.find("POST /2 a 3");
  const size_t three = answer.find("GET /3 a 0");
  ASSERT_NE(three, std::string::npos) << answer;
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
}

TEST_F(HttpTest, Reads_chunked_bodies_and_sends_100_when_asked) {
  start();
  RawClient client(server_->port());
  client.send("PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("3\r\nabc\r\n");
  client.send("2\r\nde\r\n0\r\n\r\n");
  EXPECT_NE(client.receive_until("PUT /c a 5").find("200 OK"), std::string::npos);
}

TEST_F(HttpTest, Answers_HEAD_with_length_and_no_body_and_has_a_date) {
  start();
  const auto answer = exchange("HEAD /h HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 11\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\nDate: "), std::string::npos);
  EXPECT_NE(answer.find(" GMT\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpTest, Answers_a_peer_that_has_closed_its_sending_side) {
  start({}, nullptr);
  RawClient client(server_->port());
  client.send("GET /half HTTP/1.0\r\n\r\n");
  client.half_close();
  EXPECT_NE(client.receive_all().find("GET /half"), std::string::npos);
}

TEST_F(HttpTest, Takes_answers_from_another_thread_and_large_ones) {
  WorkerPool workers(1);
  const std::string large(5'000'000, 'z');
  start({}, [&](HttpRequest, HttpResponder responder) {
    auto shared = std::make_shared<HttpResponder>(std::move(responder));
    workers.post([shared, &large] { shared->send({.status = 201, .body = large}); });
  });
  const auto answer = http_call({.url = url()});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, large);
}

TEST_F(HttpTest, A_late_answer_to_a_client_that_has_gone_or_a_server_that_has_stopped_is_dropped) {
  std::promise<std::shared_ptr<HttpResponder>> asked;
  start({}, [&](HttpRequest, HttpResponder responder) {
    asked.set_value(std::make_shared<HttpResponder>(std::move(responder)));
  });
  RawClient client(server_->port());
  client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  auto responder = asked.get_future().get();
  client.close();
  server_->stop(0s);
  loops_.stop();
  responder->send({});
}

TEST_F(HttpTest, Stop_waits_for_an_answer_under_way_and_closes_idle_connections) {
  std::promise<std::shared_ptr<HttpResponder>> asked;
  start({}, [&](HttpRequest, HttpResponder responder) {
    asked.set_value(std::make_shared<HttpResponder>(std::move(responder)));
  });
  auto answer = std::async(std::launch::async, [&] { return http_call({.url = url()}); });
  auto responder = asked.get_future().get();
  RawClient idle(server_->port());
  auto stopped = std::async(std::launch::async, [&] { server_->stop(10s); });
  EXPECT_EQ(idle.receive_all(), "");
  responder->send({.status = 204});
  EXPECT_EQ(answer.get()->status, 204);
  stopped.get();
  EXPECT_EQ(server_->connection_count(), 0);
}

TEST_F(HttpTest, Says_why_a_port_cannot_be_had) {
  start();
  Server second(loops_, {.name = "test", .address = "127.0.0.1", .port = server_->port()});
  const auto status = second.start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "cannot listen on 127.0.0.1:" + std::to_string(server_->port()) + ": Address already in use");
  Server third(loops_, {.name = "test", .address = "example"});
  EXPECT_EQ(third.start().message(), "cannot listen on example:0: not an IP address");
}

TEST_F(HttpTest, Listens_on_IPv4_and_IPv6_when_no_address_is_given_and_shows_IPv4_peers_as_such) {
  start({.name = "test", .address = ""});
  const auto answer = http_call({.url = url()});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->headers.get("x-peer"), "127.0.0.1");
}

TEST_F(HttpTest, Closes_connections_beyond_the_limit_at_once) {
  ServerOptions options;
  options.limits.connections_max = 1;
  start(options);
  RawClient first(server_->port());
  first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  first.receive_until("GET /");
  RawClient second(server_->port());
  EXPECT_EQ(second.receive(), "");
}

// --- the client

TEST(HttpCallTest, Names_what_is_wrong_with_a_URL) {
  const auto message = [](std::string url) { return std::string(http_call({.url = std::move(url)}).status().message()); };
  EXPECT_EQ(message("ftp://a/"), "GET ftp://a/: unsupported protocol scheme \"ftp\"");
  EXPECT_EQ(message("http:///x"), "GET http:///x: no host in the URL");
  EXPECT_EQ(message("http://a:99999/"), "GET http://a:99999/: invalid port \"99999\"");
  EXPECT_TRUE(message("not a url").starts_with("GET not a url: not a URL: "));
}

TEST(HttpCallTest, Names_the_address_that_refuses) {
  uint16_t port = 0;
  {
    Loops loops(1);
    Server server(loops, {.name = "test", .address = "127.0.0.1"});
    ASSERT_TRUE(server.start().ok());
    port = server.port();
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/x";
  const auto answer = http_call({.url = url});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(answer.status().message(), "GET " + url + ": connect to 127.0.0.1:" + std::to_string(port) + ": connection refused");
}

// A listener whose answer is given word for word.
class Canned {
 public:
  explicit Canned(std::string answer) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    ::listen(descriptor_, 4);
    socklen_t size = sizeof(address);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = ::accept(descriptor_, nullptr, nullptr);
      std::array<char, 65536> buffer{};
      while (request_.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(peer, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
          break;
        }
        request_.append(buffer.data(), static_cast<size_t>(got));
      }
      ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(peer);
    });
  }
  ~Canned() {
    thread_.join();
    ::close(descriptor_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/p?q=1"; }
  std::string request_;

 private:
  int descriptor_;
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST(HttpCallTest, Reads_bodies_with_length_chunks_or_until_the_end_and_skips_interim_answers) {
  for (const auto* answer : {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\n\r\nhello",
                             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"}) {
    Canned server(answer);
    const auto result = http_call({.url = server.url()});
    ASSERT_TRUE(result.ok()) << result.status() << answer;
    EXPECT_EQ(result->body, "hello");
  }
}

TEST(HttpCallTest, Says_when_an_answer_is_cut_short_malformed_or_too_large) {
  const auto message = [](const char* answer) {
    Canned server(answer);
    const auto result = http_call({.url = server.url(), .response_size_max = 10});
    return std::string(result.status().message()).substr(("GET " + server.url() + ": ").size());
  };
  EXPECT_EQ(message("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"), "the server closed the connection before its answer was complete");
  EXPECT_EQ(message(""), "the server closed the connection before its answer was complete");
  EXPECT_TRUE(message("what?\r\n\r\n").starts_with("malformed HTTP response: "));
  EXPECT_EQ(message("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n"), "the answer is larger than 10 bytes");
  EXPECT_EQ(message("HTTP/1.1 200 OK\r\n\r\n01234567890123"), "the answer is larger than 10 bytes");
}

TEST(HttpCallTest, Sends_path_query_host_and_headers) {
  Canned server("HTTP/1.1 204 No Content\r\n\r\n");
  HttpCall call{.method = "POST", .url = server.url(), .body = "x"};
  call.headers.add("authorization", "Bearer t");
  EXPECT_EQ(http_call(call)->status, 204);
  EXPECT_TRUE(server.request_.starts_with("POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << server.request_;
  EXPECT_NE(server.request_.find("authorization: Bearer t\r\n"), std::string::npos);
  EXPECT_NE(server.request_.find("Content-Length: 1\r\n"), std::string::npos);
}

TEST_F(HttpTest, A_call_that_is_not_answered_ends_at_its_timeout) {
  std::vector<HttpResponder> kept;
  start({}, [&](HttpRequest, HttpResponder responder) { kept.push_back(std::move(responder)); });
  const auto answer = http_call({.url = url() + "/", .timeout = 50ms});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(answer.status().message(), "GET " + url() + "/: no answer in time");
  server_->stop(0s);
}

}  // namespace
}  // namespace kuma::net
