#include "dp/stream_watch.h"

#include <charconv>
#include <chrono>

#include "fmt/format.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;

constexpr auto kQuiet = 1min;
constexpr std::string_view kStream = "gRPC config stream ";
constexpr std::string_view kHealthStream = "StreamHealthCheck ";

constexpr int kUnavailable = 14;
constexpr int kPermissionDenied = 7;
constexpr int kUnauthenticated = 16;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

struct Closed {
  int code = 0;
  std::string_view message;
  bool health = false;  // the stream of health checks, not that of configuration
};

// `… StreamAggregatedResources gRPC config stream to ads_cluster closed: 16, authentication failed{via_upstream}`,
// `… closed since 31s ago: 14, no healthy upstream`, `… StreamHealthCheck gRPC config stream closed: 16, …`.
std::optional<Closed> parse_closed(std::string_view line) {
  const size_t stream = line.find(kStream);
  const size_t closed = stream == std::string_view::npos ? stream : line.find("closed", stream);
  const size_t colon = closed == std::string_view::npos ? closed : line.find(": ", closed);
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = line.substr(colon + 2);
  Closed out;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.code);
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  if (error != std::errc()) {
    return std::nullopt;
  }
  out.message = rest.starts_with(", ") ? rest.substr(2) : rest;
  constexpr std::string_view kDetail = "{via_upstream}";
  if (out.message.ends_with(kDetail)) {
    out.message.remove_suffix(kDetail.size());
  }
  out.health = contains(line.substr(0, stream), kHealthStream);
  return out;
}

}  // namespace

StreamWatch::Cause StreamWatch::cause_of(int code, std::string_view message) {
  if (contains(message, "not found; create a")) {
    return Cause::UnknownProxy;
  }
  if (contains(message, "authentication failed") || contains(message, "you don't have an access") ||
      code == kUnauthenticated || code == kPermissionDenied) {
    return Cause::BadToken;
  }
  if (contains(message, "could not register proxy")) {
    return Cause::Registration;
  }
  if (contains(message, "TLS_error") || contains(message, "CERTIFICATE_VERIFY_FAILED")) {
    return Cause::Certificate;
  }
  return code == kUnavailable ? Cause::Unreachable : Cause::Other;
}

std::string StreamWatch::advice_for(Cause cause) const {
  switch (cause) {
    case Cause::BadToken:
      return proxy_.type == "dataplane"
                 ? fmt::format(
                       "the control plane refuses the token of this proxy. Generate one that fits it, for example with "
                       "'kumactl generate dataplane-token --mesh {} --name {} --valid-for 720h', and start again with "
                       "--dataplane-token-file; Envoy keeps trying meanwhile",
                       proxy_.mesh, proxy_.name)
                 : fmt::format(
                       "the control plane refuses the token of this proxy. Generate one that fits it, for example with "
                       "'kumactl generate zone-token --scope {} --valid-for 720h', and start again with "
                       "--dataplane-token-file; Envoy keeps trying meanwhile",
                       proxy_.type);
    case Cause::UnknownProxy:
      return fmt::format(
          "the control plane does not know {}. Create it there, or start again with --dataplane-file; Envoy keeps "
          "trying meanwhile",
          proxy_.name);
    case Cause::Registration:
      return fmt::format("the control plane could not register {}. Envoy keeps trying", proxy_.name);
    case Cause::Certificate:
      return fmt::format(
          "Envoy does not trust the certificate of the control plane at {}. Start again with --ca-cert-file set to "
          "the authority that signed it; Envoy keeps trying meanwhile",
          proxy_.cp_address);
    case Cause::Unreachable:
      return fmt::format(
          "the control plane at {} cannot be reached. Envoy works on with its last configuration and keeps trying; "
          "nothing has to be restarted here",
          proxy_.cp_address);
    case Cause::Other:
      break;
  }
  return "the control plane ended the configuration stream. Envoy keeps trying";
}

std::optional<StreamWatch::Advice> StreamWatch::observe(std::string_view line) {
  const auto closed = parse_closed(line);
  if (!closed) {
    return std::nullopt;
  }
  const Cause cause = cause_of(closed->code, closed->message);
  if (closed->health && cause == Cause::Unreachable) {
    return std::nullopt;  // repeated several times a second from the first moment on; ConnectionWatch says it better
  }
  Seen& seen = seen_[static_cast<size_t>(cause)];
  const MonotonicTime now = clock_.monotonic_now();
  if (seen.last && now - *seen.last < kQuiet) {
    ++seen.repeated;
    return std::nullopt;
  }
  Advice advice{.message = advice_for(cause), .reason = std::string(closed->message), .repeated = seen.repeated};
  seen = {.last = now, .repeated = 0};
  return advice;
}

}  // namespace kuma::dp
