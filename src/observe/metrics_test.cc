#include "observe/metrics.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::observe {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, Gives_a_silent_handle_for_a_name_of_another_kind) {
  Metrics metrics;
  metrics.counter("xds_streams", "Streams.").add();
  const Gauge gauge = metrics.gauge("xds_streams", "Streams.");
  gauge.set(7);
  EXPECT_EQ(gauge.value(), 0);
  EXPECT_THAT(metrics.to_text(), HasSubstr("xds_streams 1\n"));
}

TEST(Metrics, Gives_a_silent_handle_for_names_that_Prometheus_refuses) {
  Metrics metrics;
  metrics.counter("no name", "").add();
  metrics.counter("good", "", {{"bad-label", "x"}}).add();
  EXPECT_THAT(metrics.to_text(), Not(HasSubstr("no name")));
  EXPECT_THAT(metrics.to_text(), Not(HasSubstr("bad-label")));
}

TEST(Metrics, Bounds_the_series_of_a_name) {
  Metrics metrics;
  for (size_t i = 0; i < Metrics::kSeriesMax; ++i) {
    metrics.counter("requests", "", {{"path", std::to_string(i)}}).add();
  }
  const Counter beyond = metrics.counter("requests", "", {{"path", "one more"}});
  beyond.add();
  EXPECT_EQ(beyond.value(), 0);
  const Counter known = metrics.counter("requests", "", {{"path", "0"}});
  known.add();
  EXPECT_EQ(known.value(), 2);
}

TEST(Metrics, Lets_a_default_handle_count_nowhere) {
  Counter().add();
  Gauge().set(1);
  Gauge().add(1);
  Histogram().observe(1);
  Summary().observe(1);
  EXPECT_EQ(Counter().value(), 0);
}

TEST(Metrics, Ignores_a_counter_that_would_go_down) {
  Metrics metrics;
  const Counter counter = metrics.counter("errors", "");
  counter.add(2);
  counter.add(-1);
  EXPECT_EQ(counter.value(), 2);
}

TEST(Metrics, Finds_the_same_series_again_and_prints_sorted_text) {
  Metrics metrics(Labels{{"zone", "east"}});
  metrics.counter("b_requests", "Requests.", {{"type", "y"}}).add(2);
  metrics.counter("b_requests", "Requests.", {{"type", "x"}}).add();
  metrics.counter("b_requests", "Requests.", {{"type", "x"}}).add();
  metrics.gauge("a_streams", "Streams.").set(1.5);
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("# HELP a_streams Streams.\n# TYPE a_streams gauge\na_streams{zone=\"east\"} 1.5\n"
                              "# HELP b_requests Requests.\n# TYPE b_requests counter\n"
                              "b_requests{zone=\"east\",type=\"x\"} 2\nb_requests{zone=\"east\",type=\"y\"} 2\n"));
}

TEST(Metrics, Prints_histograms_and_summaries) {
  Metrics metrics;
  metrics.histogram("store", "Seconds.", {{"operation", "get"}}, {0.1, 1}).observe(0.5);
  metrics.summary("xds_generation", "Milliseconds.").observe(3);
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("store_bucket{operation=\"get\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("store_bucket{operation=\"get\",le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("store_count{operation=\"get\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("xds_generation{quantile=\"0.5\"} 3\n"));
}

TEST(Metrics, Shows_what_the_system_knows_of_the_process) {
  const Metrics metrics(Labels{{"zone", "east"}});
  const std::string text = metrics.to_text();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                           "process_max_fds", "process_start_time_seconds", "process_virtual_memory_bytes"}) {
    EXPECT_THAT(text, HasSubstr(std::string(name) + "{zone=\"east\"} "));
  }
}

TEST(Metrics, Counts_from_many_threads_without_losing_any) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Counter counter = metrics.counter("events", "");
      for (int n = 0; n < 10'000; ++n) {
        counter.add();
      }
      (void)metrics.to_text();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(metrics.counter("events", "").value(), 40'000);
}

}  // namespace
}  // namespace kuma::observe
