#include "kds/grpc_link.h"

#include "base/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "kds/wire.h"
#include "mesh/v1alpha1/kds.pb.h"

namespace kuma::kds {
namespace {

net::GrpcStatus to_grpc(const absl::Status& status) { return {static_cast<int>(status.code()), std::string(message_of(status))}; }

absl::Status to_status(const net::GrpcStatus& status) { return absl::Status(static_cast<absl::StatusCode>(status.code), status.message); }

Metadata to_metadata(const net::Headers& headers) {
  Metadata out;
  for (const auto& [name, value] : headers.fields()) {
    out.emplace(name, value);  // the first of a name counts
  }
  return out;
}

net::Headers to_headers(const Metadata& metadata) {
  net::Headers headers;
  for (const auto& [name, value] : metadata) {
    headers.add(name, value);
  }
  return headers;
}

// A stream of either end, with the session on it.
class GrpcLink final : public Link, public net::GrpcStreamHandler {
 public:
  GrpcLink(net::GrpcStream& stream, bool is_server) : stream_(stream), is_server_(is_server) {}

  void set_session(std::shared_ptr<Session> session) { session_ = std::move(session); }

  void send(const google::protobuf::Message& message) override { send(message, false); }
  void send_plain(const google::protobuf::Message& message) override { send(message, true); }
  void end(absl::Status why) override {
    ended_ = true;
    why_ = std::move(why);
    if (is_server_) {
      stream_.finish(to_grpc(why_));
    } else {
      stream_.reset();
    }
  }

  void on_message(std::string_view message) override {
    if (session_ != nullptr) {
      session_->on_message(message);
    }
  }
  std::string describe_oversized(std::string_view beginning) override {
    const std::string largest = describe_largest(beginning);
    return fmt::format("{}{}make it smaller, or raise {}", largest.empty() ? "" : "it begins with ", largest.empty() ? "" : largest + "; ",
                       is_server_ ? "KUMA_MULTIZONE_GLOBAL_KDS_MAX_MSG_SIZE at the global" : "KUMA_MULTIZONE_ZONE_KDS_MAX_MSG_SIZE at the zone");
  }
  void on_half_close() override {
    if (is_server_) {
      stream_.finish({0, ""});
    }
  }
  void on_closed(net::GrpcStatus status) override {
    if (session_ != nullptr) {
      session_->on_closed(why_.ok() ? to_status(status) : why_);
    }
  }

 private:
  void send(const google::protobuf::Message& message, bool compressible) {
    if (ended_) {
      return;
    }
    net::GrpcMessage out{.head = {}, .pieces = {}, .compressible = compressible};
    google::protobuf::io::StringOutputStream stream(&out.head);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
    coded.Trim();
    stream_.send(std::move(out));
  }

  net::GrpcStream& stream_;
  const bool is_server_;
  bool ended_ = false;  // by us
  absl::Status why_;
  std::shared_ptr<Session> session_;
};

class GrpcConnection final : public Connection {
 public:
  GrpcConnection(net::Loop& loop, const net::ChannelOptions& options) : channel_(loop, options) {}

  void open(std::string rpc, Metadata metadata, SessionFactory make_session) override {
    channel_.open_stream(std::move(rpc), to_headers(metadata), [make_session = std::move(make_session)](net::GrpcStream& stream) {
      auto link = std::make_unique<GrpcLink>(stream, false);
      link->set_session(make_session(*link));
      return link;
    });
  }
  void call(std::string rpc, Metadata metadata, std::string request, std::function<void(const absl::Status&, std::string)> done) override {
    channel_.unary(std::move(rpc), to_headers(metadata), std::move(request), [done = std::move(done)](const net::GrpcStatus& status, std::string bytes) {
      done(to_status(status), std::move(bytes));
    });
  }

 private:
  net::GrpcChannel channel_;
};

void serve_stream(net::Server& server, Global& global, std::string_view rpc) {
  server.handle_stream(std::string(rpc), [&global, rpc](net::GrpcStream& stream) {
    auto link = std::make_unique<GrpcLink>(stream, true);
    auto session = global.open(rpc, to_metadata(stream.metadata()), *link);
    if (session.ok()) {
      link->set_session(*std::move(session));
    } else {
      link->end(session.status());
    }
    return link;
  });
}

}  // namespace

void serve_global(net::Server& server, Global& global) {
  serve_stream(server, global, kGlobalToZoneSync);
  serve_stream(server, global, kZoneToGlobalSync);
  serve_stream(server, global, kStreamMessage);
  for (const std::string_view page : kAdminPages) {
    serve_stream(server, global, rpc_of_page(page));
  }
  server.handle_unary(std::string(kHealthCheck), [&global](const net::Headers& headers, const std::string&, const net::GrpcUnaryDone& done) {
    const auto interval = global.on_health_check(to_metadata(headers));
    if (!interval.ok()) {
      done(to_grpc(interval.status()), "");
      return;
    }
    mesh::v1alpha1::ZoneHealthCheckResponse response;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*interval);
    response.mutable_interval()->set_seconds(seconds.count());
    response.mutable_interval()->set_nanos(static_cast<int32_t>((*interval - seconds).count()));
    done({}, response.SerializeAsString());
  });
}

Connect make_connect(net::Loop& loop, net::ChannelOptions options) {
  return [&loop, options = std::move(options)]() -> std::unique_ptr<Connection> { return std::make_unique<GrpcConnection>(loop, options); };
}

}  // namespace kuma::kds
