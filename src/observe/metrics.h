#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Summary;
}  // namespace prometheus

namespace kuma::observe {

// Labels by name.
using Labels = std::map<std::string, std::string>;

// Handles to one time series each: small, copied freely, usable from any thread as long as the Metrics lives. Keep them
// where you count; a default-made handle counts nowhere, so that code under test needs no Metrics.
class Counter {
 public:
  Counter() = default;
  void add(double amount = 1) const;  // amounts below 0 are ignored
  double value() const;

 private:
  friend class Metrics;
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  prometheus::Counter* counter_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  void set(double value) const;
  void add(double amount) const;
  double value() const;

 private:
  friend class Metrics;
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  prometheus::Gauge* gauge_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  void observe(double value) const;

 private:
  friend class Metrics;
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  prometheus::Histogram* histogram_ = nullptr;
};

// Quantiles 0.5, 0.9 and 0.99 of about the last ten minutes. Costs a lock and some work: not for hot paths.
class Summary {
 public:
  Summary() = default;
  void observe(double value) const;

 private:
  friend class Metrics;
  explicit Summary(prometheus::Summary* summary) : summary_(summary) {}
  prometheus::Summary* summary_ = nullptr;
};

// Upper bounds in seconds that suit requests and store operations.
std::vector<double> default_buckets();

// All metrics of a program and their Prometheus text.
//
// counter() and its siblings make a series or find the one that is there: they lock, so call them once and keep the
// handle. `help` and `buckets` count at a name's first use. A name has one kind; asking for another gives a handle that
// counts nowhere, as does a series beyond kSeriesMax of one name: what clients send must not fill the memory by way of
// labels.
//
// Thread: any.
class Metrics {
 public:
  static constexpr size_t kSeriesMax = 10'000;

  // `constant` labels are put on every series, such as {"zone", "east"}.
  explicit Metrics(Labels constant = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                      const std::vector<double>& buckets = default_buckets());
  Summary summary(const std::string& name, const std::string& help, const Labels& labels = {});

  // The text of `/metrics` (format 0.0.4), families by name and series by labels, with what the operating system knows
  // of this process: process_resident_memory_bytes, process_cpu_seconds_total and so on.
  std::string to_text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What to send as Content-Type with to_text().
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace kuma::observe
