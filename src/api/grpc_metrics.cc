#include "api/grpc_metrics.h"

#include <array>

namespace kuma::api {
namespace {

// As gRPC libraries spell status codes in metrics, by number.
constexpr std::array<std::string_view, 17> kCodes = {
    "OK",      "Canceled",           "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied", "ResourceExhausted",
    "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"};

std::string_view code_name(int code) { return code < 0 || code >= static_cast<int>(kCodes.size()) ? "Unknown" : kCodes.at(static_cast<size_t>(code)); }

}  // namespace

class GrpcMetrics::Counted final : public net::CallObserver::Call {
 public:
  Counted(GrpcMetrics& owner, const Method& method) : owner_(owner), method_(method), start_(owner.clock_.monotonic_now()) { method_.started.add(); }
  void on_received() override { method_.received.add(); }
  void on_sent() override { method_.sent.add(); }
  void on_ended(int code) override {
    const std::chrono::duration<double> took = owner_.clock_.monotonic_now() - start_;
    method_.seconds.observe(took.count());
    observe::Labels labels = method_.labels;
    labels["grpc_code"] = code_name(code);
    owner_.metrics_.counter(owner_.prefix_ + "_handled_total", "Total number of RPCs completed, regardless of success or failure.", labels).add();
  }

 private:
  GrpcMetrics& owner_;
  const Method& method_;
  const MonotonicTime start_;
};

GrpcMetrics::GrpcMetrics(observe::Metrics& metrics, std::string prefix, const Clock& clock)
    : metrics_(metrics), prefix_(std::move(prefix)), clock_(clock) {}

std::unique_ptr<net::CallObserver::Call> GrpcMetrics::on_started(std::string_view path, Kind kind) {
  return std::make_unique<Counted>(*this, method_of(path, kind));
}

const GrpcMetrics::Method& GrpcMetrics::method_of(std::string_view path, Kind kind) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<const Method>& method = methods_[std::string(path)];
  if (method == nullptr) {
    const size_t slash = std::min(path.rfind('/'), path.size());
    Method made;
    made.labels = {{"grpc_type", kind == Kind::Unary ? "unary" : "bidi_stream"},
                   {"grpc_service", std::string(path.substr(0, slash).substr(std::min<size_t>(1, slash)))},
                   {"grpc_method", std::string(path.substr(std::min(slash + 1, path.size())))}};
    made.started = metrics_.counter(prefix_ + "_started_total", "Total number of RPCs started.", made.labels);
    made.received = metrics_.counter(prefix_ + "_msg_received_total", "Total number of RPC stream messages received.", made.labels);
    made.sent = metrics_.counter(prefix_ + "_msg_sent_total", "Total number of RPC stream messages sent.", made.labels);
    made.seconds = metrics_.histogram(prefix_ + "_handling_seconds", "Histogram of response latency (seconds) of RPCs until they are finished.", made.labels);
    method = std::make_unique<const Method>(std::move(made));
  }
  return *method;
}

}  // namespace kuma::api
