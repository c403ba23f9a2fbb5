#include "policy/envoy/edit.h"

#include "base/status.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "gtest/gtest.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;

TEST(EnvoyEdit, Changes_the_connection_manager_of_every_chain) {
  Listener listener;
  Hcm hcm;
  add_filter(*listener.add_filter_chains(), kHttpConnectionManager, hcm);
  add_filter(*listener.add_filter_chains(), kTcpProxy, TcpProxy());
  add_filter(*listener.add_filter_chains(), kHttpConnectionManager, hcm);
  ASSERT_TRUE(edit_hcms(listener, [](Hcm& one) {
                one.set_stat_prefix("x");
                return absl::OkStatus();
              }).ok());
  for (int chain : {0, 2}) {
    Hcm after;
    ASSERT_TRUE(listener.filter_chains(chain).filters(0).typed_config().UnpackTo(&after));
    EXPECT_EQ(after.stat_prefix(), "x");
  }
}

TEST(EnvoyEdit, Returns_the_error_of_an_edit_and_of_what_cannot_be_unpacked) {
  Listener listener;
  listener.set_name("l");
  add_filter(*listener.add_filter_chains(), kHttpConnectionManager, Hcm());
  EXPECT_EQ(message_of(edit_hcms(listener, [](Hcm&) { return absl::InternalError("no"); })), "no");
  Listener odd;
  odd.set_name("odd");
  add_filter(*odd.add_filter_chains(), kTcpProxy, Hcm());
  EXPECT_EQ(message_of(edit_tcp_proxies(odd, [](TcpProxy&) { return absl::OkStatus(); })),
            "the filter envoy.filters.network.tcp_proxy of listener odd holds no "
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy");
  Cluster cluster;
  cluster.set_name("c");
  pack(Hcm(), &(*cluster.mutable_typed_extension_protocol_options())[std::string(kHttpProtocolOptions)]);
  EXPECT_EQ(message_of(edit_http_options(cluster, [](HttpOptions&) {})),
            "the options envoy.extensions.upstreams.http.v3.HttpProtocolOptions of cluster c hold something else");
}

TEST(EnvoyEdit, Makes_the_http_options_that_a_cluster_has_not) {
  Cluster cluster;
  ASSERT_TRUE(edit_http_options(cluster, [](HttpOptions& options) {
                options.mutable_common_http_protocol_options()->mutable_idle_timeout()->set_seconds(7);
              }).ok());
  HttpOptions after;
  ASSERT_TRUE(cluster.typed_extension_protocol_options().at(std::string(kHttpProtocolOptions)).UnpackTo(&after));
  EXPECT_EQ(after.common_http_protocol_options().idle_timeout().seconds(), 7);
}

TEST(EnvoyEdit, Inserts_right_before_the_router_or_says_that_there_is_none) {
  Hcm hcm;
  const ::envoy::extensions::filters::http::grpc_stats::v3::FilterConfig config;
  EXPECT_EQ(message_of(insert_before_router(hcm, "a", config)),
            "could not insert filter, envoy.filters.http.router is not found in HTTPConnectionManager");
  add_grpc_stats(hcm);
  add_router(hcm);
  ASSERT_TRUE(insert_before_router(hcm, "a", config).ok());
  ASSERT_TRUE(insert_before_router(hcm, "b", config).ok());
  ASSERT_EQ(hcm.http_filters_size(), 4);
  EXPECT_EQ(hcm.http_filters(0).name(), kGrpcStats);
  EXPECT_EQ(hcm.http_filters(1).name(), "a");
  EXPECT_EQ(hcm.http_filters(2).name(), "b");
  EXPECT_EQ(hcm.http_filters(3).name(), kRouter);
}

}  // namespace
}  // namespace kuma::policy::envoy
