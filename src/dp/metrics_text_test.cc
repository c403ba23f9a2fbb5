#include "dp/metrics_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) { return std::string(merge_envoy_clusters(text).status().message()); }

TEST(MergeEnvoyClusters, Refuses_what_is_no_metric) {
  EXPECT_EQ(error_of("<html>"), "not a metric: <html>");
  EXPECT_EQ(error_of("a{b=\"c"), "not a metric: a{b=\"c");
  EXPECT_EQ(error_of("a{b=\"c\""), "not a metric: a{b=\"c\"");
  EXPECT_EQ(error_of("a{b=\"c\\"), "not a metric: a{b=\"c\\");
  EXPECT_EQ(error_of("a{} "), "not a metric: a{} ");
  EXPECT_EQ(error_of("x{envoy_cluster_name=\"a\"} y"), "y is no number");
}

TEST(MergeEnvoyClusters, Refuses_a_sample_without_cluster_among_those_with_one) {
  EXPECT_EQ(error_of("# TYPE x counter\nx{envoy_cluster_name=\"a\"} 1\nx{} 2\n"),
            "a sample of x has no label envoy_cluster_name");
}

TEST(MergeEnvoyClusters, Leaves_other_metrics_alone) {
  const std::string text =
      "# HELP envoy_server_uptime text\n# TYPE envoy_server_uptime gauge\nenvoy_server_uptime 12.5\n"
      "# TYPE odd untyped\nodd{a=\"envoy_cluster_name=\\\"x\\\"\",b=\"}\"} 1e+06\n";
  EXPECT_EQ(*merge_envoy_clusters(text), text);
}

TEST(MergeEnvoyClusters, Sums_parts_of_a_cluster_and_marks_mesh_traffic) {
  EXPECT_EQ(*merge_envoy_clusters("# TYPE envoy_cluster_rq counter\n"
                                  "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"backend-0123456789abcdef\"} 3\n"
                                  "envoy_cluster_rq{code=\"500\",envoy_cluster_name=\"backend-0123456789abcdef\"} 1\n"
                                  "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"backend-fedcba9876543210\"} 4\n"
                                  "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"backend-short\"} 7\n"
                                  "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"ads_cluster\"} 9\n"),
            "# TYPE envoy_cluster_rq counter\n"
            "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"backend\",kuma_io_mesh_traffic=\"true\"} 7\n"
            "envoy_cluster_rq{code=\"500\",envoy_cluster_name=\"backend\",kuma_io_mesh_traffic=\"true\"} 1\n"
            "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"backend-short\",kuma_io_mesh_traffic=\"true\"} 7\n"
            "envoy_cluster_rq{code=\"200\",envoy_cluster_name=\"ads_cluster\"} 9\n");
}

TEST(MergeEnvoyClusters, Sums_histograms_by_bucket) {
  EXPECT_EQ(*merge_envoy_clusters("# TYPE t histogram\n"
                                  "t_bucket{envoy_cluster_name=\"b-0123456789abcdef\",le=\"0.5\"} 1\n"
                                  "t_bucket{envoy_cluster_name=\"b-0123456789abcdef\",le=\"+Inf\"} 2\n"
                                  "t_sum{envoy_cluster_name=\"b-0123456789abcdef\"} 0.25\n"
                                  "t_count{envoy_cluster_name=\"b-0123456789abcdef\"} 2\n"
                                  "t_bucket{envoy_cluster_name=\"b-1123456789abcdef\",le=\"0.5\"} 10\n"
                                  "t_bucket{envoy_cluster_name=\"b-1123456789abcdef\",le=\"+Inf\"} 20\n"
                                  "t_sum{envoy_cluster_name=\"b-1123456789abcdef\"} 1.25\n"
                                  "t_count{envoy_cluster_name=\"b-1123456789abcdef\"} 20\n"),
            "# TYPE t histogram\n"
            "t_bucket{envoy_cluster_name=\"b\",le=\"0.5\",kuma_io_mesh_traffic=\"true\"} 11\n"
            "t_bucket{envoy_cluster_name=\"b\",le=\"+Inf\",kuma_io_mesh_traffic=\"true\"} 22\n"
            "t_sum{envoy_cluster_name=\"b\",kuma_io_mesh_traffic=\"true\"} 1.5\n"
            "t_count{envoy_cluster_name=\"b\",kuma_io_mesh_traffic=\"true\"} 22\n");
}

TEST(MergeEnvoyClusters, Marks_http_metrics_of_the_mesh_without_renaming) {
  EXPECT_EQ(*merge_envoy_clusters("# TYPE h counter\n"
                                  "h{envoy_http_conn_manager_prefix=\"localhost_80\"} 1\n"
                                  "h{envoy_http_conn_manager_prefix=\"admin\"} 2\n"
                                  "h{envoy_http_conn_manager_prefix=\"kuma_metrics_prometheus\"} 3\n"),
            "# TYPE h counter\n"
            "h{envoy_http_conn_manager_prefix=\"localhost_80\",kuma_io_mesh_traffic=\"true\"} 1\n"
            "h{envoy_http_conn_manager_prefix=\"admin\"} 2\n"
            "h{envoy_http_conn_manager_prefix=\"kuma_metrics_prometheus\"} 3\n");
}

TEST(CombineMetrics, Joins_bodies_without_blank_lines_and_ends) {
  const auto answer = combine_metrics(
      {{.content_type = "text/plain", .body = "a 1\n\n\n# EOF\n"}, {.content_type = "text/html", .body = "\nb 2"}}, "");
  EXPECT_EQ(answer.body, "a 1\nb 2\n");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(CombineMetrics, Takes_the_best_type_and_ends_open_metrics) {
  const auto answer = combine_metrics(
      {{.content_type = "text/plain; version=0.0.4", .body = "a 1\n"},
       {.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8", .body = "b 2\n# EOF\n"},
       {.content_type = "application/openmetrics-text", .body = ""}},
      "text/plain");
  EXPECT_EQ(answer.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(answer.body, "a 1\nb 2\n# EOF\n");
  EXPECT_THAT(combine_metrics({{.content_type = "application/openmetrics-text", .body = ""}}, "").content_type,
              HasSubstr("version=0.0.1"));
}

TEST(CombineMetrics, Asks_the_scraper_when_no_target_has_a_valid_type) {
  const std::vector<MetricsPart> parts = {{.content_type = "application/openmetrics-text; version=9", .body = "a 1\n"}};
  EXPECT_THAT(combine_metrics(parts, "text/html, application/openmetrics-text;version=1.0.0;q=0.5").content_type,
              HasSubstr("version=1.0.0"));
  EXPECT_THAT(combine_metrics(parts, "*/*").content_type, HasSubstr("text/plain"));
  EXPECT_EQ(combine_metrics({}, "").body, "\n");
}

}  // namespace
}  // namespace kuma::dp
