#include "observe/metrics.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <variant>

#include "observe/process_metrics.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/summary.h"
#include "prometheus/text_serializer.h"

namespace kuma::observe {
namespace {

template <typename Kind>
using FamilyOf = prometheus::Family<Kind>*;
using AnyFamily = std::variant<FamilyOf<prometheus::Counter>, FamilyOf<prometheus::Gauge>,
                               FamilyOf<prometheus::Histogram>, FamilyOf<prometheus::Summary>>;

auto builder_of(const prometheus::Counter*) { return prometheus::BuildCounter(); }
auto builder_of(const prometheus::Gauge*) { return prometheus::BuildGauge(); }
auto builder_of(const prometheus::Histogram*) { return prometheus::BuildHistogram(); }
auto builder_of(const prometheus::Summary*) { return prometheus::BuildSummary(); }

bool by_labels(const prometheus::ClientMetric& left, const prometheus::ClientMetric& right) {
  return std::lexicographical_compare(
      left.label.begin(), left.label.end(), right.label.begin(), right.label.end(),
      [](const auto& a, const auto& b) { return std::tie(a.name, a.value) < std::tie(b.name, b.value); });
}

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(Labels constant) : constant_(std::move(constant)) {}

  // Null when the name is of another kind, has too many series or is none that Prometheus takes.
  template <typename Kind, typename... Arguments>
  Kind* series(const std::string& name, const std::string& help, const Labels& labels, const Arguments&... arguments) {
    const std::lock_guard lock(mutex_);
    try {
      prometheus::Family<Kind>* family = find_or_make_family<Kind>(name, help);
      if (family == nullptr) {
        return nullptr;
      }
      std::set<Labels>& known = series_[name];
      if (!known.contains(labels) && known.size() >= kSeriesMax) {
        return nullptr;
      }
      Kind& result = family->Add(labels, arguments...);
      known.insert(labels);
      return &result;
    } catch (const std::exception&) {
      return nullptr;
    }
  }

  std::string to_text() const {
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    std::vector<prometheus::MetricFamily> process = read_process_metrics();
    for (prometheus::MetricFamily& family : process) {
      for (const auto& [name, value] : constant_) {
        family.metric.front().label.push_back({name, value});
      }
    }
    families.insert(families.end(), std::make_move_iterator(process.begin()), std::make_move_iterator(process.end()));
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (prometheus::MetricFamily& family : families) {
      std::sort(family.metric.begin(), family.metric.end(), by_labels);
    }
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  template <typename Kind>
  prometheus::Family<Kind>* find_or_make_family(const std::string& name, const std::string& help) {
    const auto found = families_.find(name);
    if (found == families_.end()) {
      prometheus::Family<Kind>& made =
          builder_of(static_cast<const Kind*>(nullptr)).Name(name).Help(help).Labels(constant_).Register(registry_);
      families_.emplace(name, &made);
      return &made;
    }
    const auto* family = std::get_if<prometheus::Family<Kind>*>(&found->second);
    return family == nullptr ? nullptr : *family;
  }

  const Labels constant_;
  mutable prometheus::Registry registry_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, AnyFamily> families_;
  std::map<std::string, std::set<Labels>> series_;
};

void Counter::add(double amount) const {
  if (counter_ != nullptr) {
    counter_->Increment(amount);
  }
}

double Counter::value() const { return counter_ != nullptr ? counter_->Value() : 0; }

void Gauge::set(double value) const {
  if (gauge_ != nullptr) {
    gauge_->Set(value);
  }
}

void Gauge::add(double amount) const {
  if (gauge_ != nullptr) {
    gauge_->Increment(amount);
  }
}

double Gauge::value() const { return gauge_ != nullptr ? gauge_->Value() : 0; }

void Histogram::observe(double value) const {
  if (histogram_ != nullptr) {
    histogram_->Observe(value);
  }
}

void Summary::observe(double value) const {
  if (summary_ != nullptr) {
    summary_->Observe(value);
  }
}

std::vector<double> default_buckets() { return {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}; }

Metrics::Metrics(Labels constant) : impl_(std::make_unique<Impl>(std::move(constant))) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(impl_->series<prometheus::Counter>(name, help, labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(impl_->series<prometheus::Gauge>(name, help, labels));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels,
                             const std::vector<double>& buckets) {
  return Histogram(impl_->series<prometheus::Histogram>(name, help, labels, buckets));
}

Summary Metrics::summary(const std::string& name, const std::string& help, const Labels& labels) {
  const prometheus::Summary::Quantiles quantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}};
  return Summary(impl_->series<prometheus::Summary>(name, help, labels, quantiles,
                                                    std::chrono::milliseconds(std::chrono::minutes(10)), 5));
}

std::string Metrics::to_text() const { return impl_->to_text(); }

}  // namespace kuma::observe
