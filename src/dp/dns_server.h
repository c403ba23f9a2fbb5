#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "dp/fd.h"
#include "dp/log.h"

namespace kuma::dp {

struct DnsServerOptions {
  uint16_t port = 15053;        // of this server, UDP and TCP, all addresses; 0: any
  uint16_t envoy_port = 15054;  // of Envoy, which knows the names of the mesh
  uint16_t empty_port = 15055;  // 127.0.0.1, UDP and TCP: a server that knows no name; 0: any
  std::string resolv_conf = "/etc/resolv.conf";  // read anew when it changes
  uint16_t upstream_port = 53;  // of the name servers
  bool loopback_only = false;   // tests
};

// The DNS server that a transparent proxy's application asks: names of the mesh are Envoy's to answer, all others are asked
// of the name servers that the host has, one after the other (spec/kuma-dp.md §7). Envoy in turn asks the empty server for
// what it does not know, so it says at once that there is no such name.
//
// Answers go out from the address that the question came to: questions are redirected here by the kernel, which would not
// know an answer from elsewhere.
//
// Bounds: 512 questions under way, of others the client hears SERVFAIL; 64 TCP connections, 10 s without a question; 1 s for
// Envoy, 2 s for each name server.
//
// Thread: has one of its own. A question that fails is the client's to ask again; nothing stops the server but its end.
class DnsServer {
 public:
  // ResourceExhausted when a port can't be had; the message names it.
  static absl::StatusOr<std::unique_ptr<DnsServer>> start(DnsServerOptions options, const Clock& clock, Log& log);
  ~DnsServer();

  uint16_t port() const;
  uint16_t empty_port() const;

 private:
  class Worker;
  DnsServer(Fd stop_event, std::unique_ptr<Worker> worker);

  Fd stop_event_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

}  // namespace kuma::dp
