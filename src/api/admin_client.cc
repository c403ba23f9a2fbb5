#include "api/admin_client.h"

#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "net/client.h"

namespace kuma::api {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

struct AdminAddress {
  std::string address;
  uint32_t port = 0;
};

template <typename Networking>
AdminAddress address_in(const Networking& networking, uint32_t default_port) {
  const uint32_t port = networking.admin().port();
  return {networking.address(), port == 0 ? default_port : port};
}

AdminAddress admin_address(const model::Resource& proxy, uint32_t default_port) {
  if (proxy.type->name == "Dataplane") {
    const auto& networking = proxy.as<pb::Dataplane>().networking();
    AdminAddress found = address_in(networking, default_port);
    if (!networking.advertisedaddress().empty()) {
      found.address = networking.advertisedaddress();  // where it is reached from outside
    }
    return found;
  }
  if (proxy.type->name == "ZoneIngress") {
    return address_in(proxy.as<pb::ZoneIngress>().networking(), default_port);
  }
  return address_in(proxy.as<pb::ZoneEgress>().networking(), default_port);
}

absl::StatusOr<std::string> body_of(absl::StatusOr<net::HttpResponse> answer, const std::string& path) {
  if (!answer.ok()) {
    return annotate(answer.status(), "unable to send GET to {}", path);
  }
  if (answer->status != 200) {
    return absl::UnknownError(fmt::format("envoy response [{}] [{}]", answer->status, answer->body.substr(0, 200)));
  }
  return std::move(answer->body);
}

}  // namespace

FetchAdminPage make_admin_client(net::Loops& loops, AdminClientOptions options) {
  return [&loops, options = std::move(options)](AdminPage page, std::function<void(absl::StatusOr<std::string>)> done) {
    const AdminAddress address = admin_address(*page.proxy, options.default_port);
    const bool plain = address.address == "127.0.0.1";
    net::HttpCall call;
    call.url =
        fmt::format("{}://{}/{}", plain ? "http" : "https", join_host_port(address.address, address.port), page.path);
    call.connect_timeout = std::chrono::seconds(3);
    call.timeout = std::chrono::seconds(5);
    if (!plain) {
      auto tls = options.tls();
      if (!tls.ok()) {
        return done(tls.status());
      }
      call.tls = *std::move(tls);
    }
    net::http_call(loops.next(), std::move(call),
                   [path = page.path, done = std::move(done)](absl::StatusOr<net::HttpResponse> answer) {
                     done(body_of(std::move(answer), path));
                   });
  };
}

}  // namespace kuma::api
