#include "mesh/protocol.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace kuma::mesh {
namespace {

constexpr std::array kNamed = {Protocol::Tcp, Protocol::Kafka, Protocol::Http, Protocol::Http2, Protocol::Grpc};

// A protocol and what it stands on, most specific first.
std::span<const Protocol> stack(Protocol protocol) {
  static constexpr std::array kGrpc = {Protocol::Grpc, Protocol::Http2, Protocol::Tcp};
  static constexpr std::array kHttp2 = {Protocol::Http2, Protocol::Tcp};
  static constexpr std::array kHttp = {Protocol::Http, Protocol::Tcp};
  static constexpr std::array kKafka = {Protocol::Kafka, Protocol::Tcp};
  static constexpr std::array kTcp = {Protocol::Tcp};
  switch (protocol) {
    case Protocol::Grpc:
      return kGrpc;
    case Protocol::Http2:
      return kHttp2;
    case Protocol::Http:
      return kHttp;
    case Protocol::Kafka:
      return kKafka;
    case Protocol::Tcp:
      return kTcp;
    case Protocol::Unknown:
      return {};
  }
  return {};
}

// `lower` is in lower case already.
bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

}  // namespace

Protocol parse_protocol(std::string_view text) {
  for (Protocol protocol : kNamed) {
    if (equals_ignoring_case(text, protocol_name(protocol))) {
      return protocol;
    }
  }
  return Protocol::Unknown;
}

std::string_view protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::Tcp:
      return "tcp";
    case Protocol::Kafka:
      return "kafka";
    case Protocol::Http:
      return "http";
    case Protocol::Http2:
      return "http2";
    case Protocol::Grpc:
      return "grpc";
    case Protocol::Unknown:
      break;
  }
  return "unknown";
}

Protocol common_protocol(Protocol a, Protocol b) {
  if (a == b) {
    return a;
  }
  for (Protocol of_a : stack(a)) {
    for (Protocol of_b : stack(b)) {
      if (of_a == of_b) {
        return of_a;
      }
    }
  }
  return Protocol::Unknown;
}

bool is_http(Protocol protocol) {
  return protocol == Protocol::Http || protocol == Protocol::Http2 || protocol == Protocol::Grpc;
}

}  // namespace kuma::mesh
