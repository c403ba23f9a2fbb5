#pragma once

#include <string_view>

namespace kuma::mesh {

// What a service speaks, from the kuma.io/protocol tags of its instances.
enum class Protocol { Unknown, Tcp, Kafka, Http, Http2, Grpc };

// `http`, `http2`, `grpc`, `kafka`, `tcp` in any case; Unknown for everything else.
Protocol parse_protocol(std::string_view text);
std::string_view protocol_name(Protocol protocol);  // "http", …; "unknown"

// What two instances of one service have in common: grpc stands on http2, everything stands on tcp, and whoever does not
// say what it speaks makes the whole unknown.
Protocol common_protocol(Protocol a, Protocol b);

// Whether Envoy handles it as HTTP: http, http2, grpc.
bool is_http(Protocol protocol);

}  // namespace kuma::mesh
