#include "api/grpc_metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(GrpcMetricsTest, Counts_calls_by_method_and_status_under_the_known_names) {
  ManualClock clock;
  observe::Metrics metrics(observe::Labels{{"zone", "Standalone"}});
  GrpcMetrics calls(metrics, "grpc_server", clock);
  const auto stream = calls.on_started("/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", net::CallObserver::Kind::Stream);
  stream->on_received();
  stream->on_received();
  stream->on_sent();
  const std::string under_way = metrics.to_text();
  const std::string labels =
      R"({zone="Standalone",grpc_method="StreamAggregatedResources",grpc_service="envoy.service.discovery.v3.AggregatedDiscoveryService",grpc_type="bidi_stream"})";
  EXPECT_THAT(under_way, HasSubstr("grpc_server_started_total" + labels + " 1"));
  EXPECT_THAT(under_way, HasSubstr("grpc_server_msg_received_total" + labels + " 2"));
  EXPECT_THAT(under_way, HasSubstr("grpc_server_msg_sent_total" + labels + " 1"));
  EXPECT_THAT(under_way, Not(HasSubstr("grpc_server_handled_total"))) << "it has not ended";
  clock.advance(std::chrono::milliseconds(20));
  stream->on_ended(1);
  calls.on_started("/kuma.mesh.v1alpha1.GlobalKDSService/HealthCheck", net::CallObserver::Kind::Unary)->on_ended(99);
  const std::string ended = metrics.to_text();
  EXPECT_THAT(ended, HasSubstr(R"(grpc_server_handled_total{zone="Standalone",grpc_code="Canceled",grpc_method="StreamAggregatedResources")"));
  EXPECT_THAT(ended, HasSubstr(R"(grpc_server_handled_total{zone="Standalone",grpc_code="Unknown",grpc_method="HealthCheck",grpc_service="kuma.mesh.v1alpha1.GlobalKDSService",grpc_type="unary")"));
  EXPECT_THAT(ended, HasSubstr(R"(grpc_type="bidi_stream",le="0.025"} 1)"));
}

}  // namespace
}  // namespace kuma::api
