#include "policy/legacy.h"

#include "gtest/gtest.h"
#include "mesh/v1alpha1/circuit_breaker.pb.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/view_testing.h"
#include "policy/envoy/filters.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using std::chrono::seconds;

Match match_of(const mesh::Tags& tags) { return Match(tags.begin(), tags.end()); }

TEST(Rank, More_tags_beat_exact_values_and_exact_values_beat_wildcards) {
  EXPECT_GT((Rank{0, 2}), (Rank{1, 0}));
  EXPECT_GT((Rank{1, 1}), (Rank{0, 2}));
  EXPECT_EQ((Rank{1, 1}), (Rank{1, 0} + Rank{0, 1}));
}

TEST(Rank, A_wildcard_wants_the_tag_to_be_there) {
  mesh::Tags tags = {{"kuma.io/service", "web"}, {"version", "v1"}};
  EXPECT_EQ(match_rank(match_of({{"kuma.io/service", "web"}, {"version", "*"}}), tags), (Rank{1, 1}));
  EXPECT_EQ(match_rank(match_of({}), tags), (Rank{0, 0}));
  EXPECT_FALSE(match_rank(match_of({{"kuma.io/service", "api"}}), tags));
  EXPECT_FALSE(match_rank(match_of({{"zone", "*"}}), tags));
}

class LegacyTest : public ::testing::Test {
 protected:
  // Policies in the order of their names, as views have them; written in the order given, one second after the other.
  mesh::ResourceList policies(std::string_view type, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      store.put(fmt::format("{{type: {}, mesh: default, {}}}", type, text));
    }
    mesh::ResourceList list;
    for (const auto& change : store.snapshot()) {
      if (change.after->type->name == type) {
        list.push_back(change.after);
      }
    }
    return list;
  }
  static mesh::DataplaneView dataplane(std::vector<mesh::Tags> tag_sets) {
    mesh::DataplaneView view;
    view.tag_sets = std::move(tag_sets);
    return view;
  }
  static std::string name_of(const model::ResourcePtr* policy) { return policy == nullptr ? "-" : (*policy)->meta.name; }
  model::ResourcePtr one(std::string_view type, const std::string& conf) {
    return policies(type, {fmt::format("name: p, sources: [{{match: {{kuma.io/service: '*'}}}}], destinations: [{{match: "
                                       "{{kuma.io/service: '*'}}}}], conf: {}",
                                       conf)})
        .front();
  }

  mesh::testing::TestStore store{model::core_types()};
};

constexpr char kConnectTimeout[] = ", conf: {connectTimeout: 1s}";

std::string connection(std::string_view name, std::string_view source, std::string_view destination) {
  return fmt::format("name: {}, sources: [{{match: {{{}}}}}], destinations: [{{match: {{kuma.io/service: {}}}}}]{}", name, source,
                     destination, kConnectTimeout);
}

TEST_F(LegacyTest, The_most_specific_sum_of_source_and_destination_wins) {
  auto list = policies("Timeout", {connection("all", "kuma.io/service: '*'", "'*'"), connection("from-web", "kuma.io/service: web", "'*'"),
                                   connection("to-api", "kuma.io/service: '*'", "api"),
                                   connection("web-v1", "kuma.io/service: web, version: v1", "'*'"),
                                   connection("other", "kuma.io/service: other", "api")});
  OutboundPolicies web(list, dataplane({{{"kuma.io/service", "web"}}}));
  EXPECT_EQ(name_of(web.select("api")), "to-api") << "as specific as from-web, and newer";
  EXPECT_EQ(name_of(web.select("db")), "from-web");
  OutboundPolicies web_v1(list, dataplane({{{"kuma.io/service", "web"}, {"version", "v1"}}}));
  EXPECT_EQ(name_of(web_v1.select("api")), "web-v1");
  OutboundPolicies nobody(list, dataplane({}));
  EXPECT_EQ(name_of(nobody.select("api")), "-");
}

TEST_F(LegacyTest, Of_equals_the_newer_wins_whatever_its_name) {
  auto list = policies("Timeout", {connection("zulu", "kuma.io/service: web", "api"), connection("alpha", "kuma.io/service: web", "api")});
  OutboundPolicies web(list, dataplane({{{"kuma.io/service", "web"}}}));
  EXPECT_EQ(name_of(web.select("api")), "alpha");
}

TEST_F(LegacyTest, Of_equals_of_the_same_second_the_first_name_wins) {
  auto list = policies("Timeout", {connection("zulu", "kuma.io/service: web", "api"), connection("alpha", "kuma.io/service: web", "api")});
  for (auto& policy : list) {
    auto copy = std::make_shared<model::Resource>(*policy);
    copy->meta.creation_time = {};
    policy = copy;
  }
  OutboundPolicies web(list, dataplane({{{"kuma.io/service", "web"}}}));
  EXPECT_EQ(name_of(web.select("api")), "alpha");
}

TEST_F(LegacyTest, An_inbound_gets_the_most_specific_destination) {
  auto list = policies("TrafficPermission",
                       {"name: all, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*'}}]",
                        "name: open, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*', tier: open}}]",
                        "name: db, sources: [{match: {kuma.io/service: web}}], destinations: [{match: {kuma.io/service: db}}]"});
  EXPECT_EQ(name_of(select_for_inbound(list, {{"kuma.io/service", "db"}, {"tier", "open"}})), "open");
  EXPECT_EQ(name_of(select_for_inbound(list, {{"kuma.io/service", "db"}})), "db");
  EXPECT_EQ(name_of(select_for_inbound(list, {{"kuma.io/service", "x"}})), "all");
  EXPECT_EQ(name_of(select_for_inbound({}, {{"kuma.io/service", "x"}})), "-");
}

TEST_F(LegacyTest, A_dataplane_gets_the_most_specific_selector_and_an_empty_list_is_for_all) {
  auto list = policies("ProxyTemplate", {"name: all, selectors: [{match: {kuma.io/service: '*'}}], conf: {imports: [default-proxy]}",
                                         "name: web, selectors: [{match: {kuma.io/service: web}}], conf: {imports: [default-proxy]}"});
  EXPECT_EQ(name_of(select_for_dataplane(list, dataplane({{{"kuma.io/service", "web"}}}))), "web");
  EXPECT_EQ(name_of(select_for_dataplane(list, dataplane({{{"kuma.io/service", "api"}}}))), "all");
  EXPECT_EQ(name_of(select_for_dataplane(list, dataplane({}))), "-");
  auto none = std::make_shared<model::Resource>(*list.front());
  none->message = std::shared_ptr<google::protobuf::Message>(list.front()->message->New());
  EXPECT_EQ(best_rank(*none, SelectorList::Selectors, {}), Rank{});
  EXPECT_EQ(best_rank(*none, SelectorList::Sources, {}), std::nullopt);
  EXPECT_FALSE(has_list(*none, SelectorList::Sources));
}

TEST_F(LegacyTest, Reach_is_known_of_policies_with_selectors_only) {
  EXPECT_TRUE(legacy_reach("Timeout").outbound);
  EXPECT_FALSE(legacy_reach("Timeout").inbound);
  EXPECT_TRUE(legacy_reach("TrafficPermission").inbound);
  EXPECT_TRUE(legacy_reach("RateLimit").inbound && legacy_reach("RateLimit").outbound);
  EXPECT_TRUE(legacy_reach("ProxyTemplate").selected);
  EXPECT_FALSE(legacy_reach("MeshTimeout").known);
}

// Effects.

TEST_F(LegacyTest, Without_a_Timeout_only_connecting_is_limited) {
  OutboundTimeouts none = outbound_timeouts(nullptr, mesh::Protocol::Http);
  EXPECT_EQ(none.connect, seconds(10));
  EXPECT_EQ(none.http_idle.count() + none.request.count() + none.stream_idle.count() + none.tcp_idle.count(), 0);
  EXPECT_FALSE(none.stream_duration_max);
}

TEST_F(LegacyTest, The_grpc_section_of_a_Timeout_fills_what_the_http_section_leaves_open) {
  auto timeout = one("Timeout", "{grpc: {streamIdleTimeout: 21s, maxStreamDuration: 22s}, tcp: {idleTimeout: 7s}}");
  OutboundTimeouts grpc = outbound_timeouts(timeout.get(), mesh::Protocol::Grpc);
  EXPECT_EQ(grpc.stream_idle, seconds(21));
  EXPECT_EQ(grpc.stream_duration_max, seconds(22));
  EXPECT_EQ(grpc.connect, seconds(10));
  OutboundTimeouts http = outbound_timeouts(timeout.get(), mesh::Protocol::Http);
  EXPECT_EQ(http.stream_idle.count(), 0);
  EXPECT_FALSE(http.stream_duration_max);
  EXPECT_EQ(http.tcp_idle, seconds(7));
}

TEST_F(LegacyTest, Retries_are_of_the_protocol_and_http2_has_none) {
  auto retry = one("Retry",
                   "{http: {numRetries: 3, retryOn: [all_5xx, retriable_4xx], retriableStatusCodes: [429], retriableMethods: "
                   "[GET]}, grpc: {retryOn: [cancelled]}, tcp: {maxConnectAttempts: 7}}");
  auto http = retry_policy(retry.get(), mesh::Protocol::Http);
  ASSERT_TRUE(http);
  EXPECT_EQ(http->retry_on(), "5xx,retriable-4xx,retriable-status-codes");
  EXPECT_EQ(http->num_retries().value(), 3U);
  EXPECT_EQ(http->retriable_request_headers(0).string_match().exact(), "GET");
  EXPECT_EQ(retry_policy(retry.get(), mesh::Protocol::Grpc)->retry_on(), "cancelled");
  EXPECT_FALSE(retry_policy(retry.get(), mesh::Protocol::Http2));
  EXPECT_FALSE(retry_policy(nullptr, mesh::Protocol::Http));
  EXPECT_EQ(connect_attempts_max(retry.get()), 7U);
  EXPECT_EQ(connect_attempts_max(nullptr), std::nullopt);
}

TEST_F(LegacyTest, A_section_that_a_Retry_does_not_have_means_no_retries) {
  auto retry = one("Retry", "{http: {numRetries: 1}}");
  EXPECT_FALSE(retry_policy(retry.get(), mesh::Protocol::Grpc));
  EXPECT_EQ(connect_attempts_max(retry.get()), std::nullopt);
  EXPECT_EQ(retry_policy(retry.get(), mesh::Protocol::Http)->retry_on(), "gateway-error,connect-failure,refused-stream");
}

TEST_F(LegacyTest, Detectors_that_a_CircuitBreaker_does_not_have_are_switched_off) {
  auto breaker = one("CircuitBreaker", "{detectors: {totalErrors: {}, standardDeviation: {factor: 1.9}}}");
  ::envoy::config::cluster::v3::Cluster cluster;
  apply_circuit_breaker(breaker.get(), cluster);
  const auto& outliers = cluster.outlier_detection();
  EXPECT_EQ(outliers.enforcing_consecutive_5xx().value(), 100U);
  EXPECT_FALSE(outliers.has_consecutive_5xx());
  EXPECT_EQ(outliers.enforcing_consecutive_gateway_failure().value(), 0U);
  EXPECT_EQ(outliers.success_rate_stdev_factor().value(), 1900U);
  EXPECT_EQ(outliers.enforcing_failure_percentage().value(), 0U);
  EXPECT_FALSE(outliers.has_enforcing_failure_percentage_local_origin());
  EXPECT_FALSE(cluster.has_circuit_breakers());
  ::envoy::config::cluster::v3::Cluster untouched;
  apply_circuit_breaker(nullptr, untouched);
  EXPECT_FALSE(untouched.has_outlier_detection());
}

TEST_F(LegacyTest, Without_a_permission_nobody_is_let_in) {
  envoy::Rbac filter = permission_filter(nullptr, "default", "inbound:10.0.0.1:80");
  EXPECT_EQ(filter.stat_prefix(), "inbound_10_0_0_1_80.");
  EXPECT_TRUE(filter.has_rules());
  EXPECT_TRUE(filter.rules().policies().empty());
}

}  // namespace
}  // namespace kuma::policy
