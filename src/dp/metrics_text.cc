#include "dp/metrics_text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "base/status.h"

namespace kuma::dp {
namespace {

constexpr std::string_view kClusterLabel = "envoy_cluster_name";
constexpr std::string_view kHttpLabel = "envoy_http_conn_manager_prefix";
constexpr std::string_view kTrafficLabel = "kuma_io_mesh_traffic=\"true\"";

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// A sample's line, taken apart. Views into the text.
struct Sample {
  std::string_view name;
  std::string_view labels;  // between the braces
  std::string_view value;
};

// The end of the quoted value that begins at `at` (after the opening quote), or npos.
size_t end_of_quoted(std::string_view text, size_t at) {
  while (at < text.size() && text[at] != '"') {
    at += text[at] == '\\' ? 2 : 1;
  }
  return at < text.size() ? at : std::string_view::npos;
}

std::optional<Sample> parse_sample(std::string_view line) {
  const size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos || name_end == 0) {
    return std::nullopt;
  }
  Sample sample{.name = line.substr(0, name_end), .labels = "", .value = ""};
  size_t at = name_end;
  if (line[at] == '{') {
    const size_t begin = ++at;
    while (at < line.size() && line[at] != '}') {
      const size_t quote = line.find_first_of("\"}", at);
      if (quote == std::string_view::npos || line[quote] == '}') {
        at = quote;
        break;
      }
      at = end_of_quoted(line, quote + 1);
      at = at == std::string_view::npos ? at : at + 1;
    }
    if (at >= line.size()) {
      return std::nullopt;
    }
    sample.labels = line.substr(begin, at - begin);
    ++at;
  }
  const size_t value = line.find_first_not_of(' ', at);
  if (value == std::string_view::npos) {
    return std::nullopt;
  }
  sample.value = line.substr(value, line.find(' ', value) - value);
  return sample;
}

// The value of a label, still escaped.
std::optional<std::string_view> find_label(std::string_view labels, std::string_view name) {
  size_t at = 0;
  while (at < labels.size()) {
    const size_t equals = labels.find("=\"", at);
    if (equals == std::string_view::npos) {
      return std::nullopt;
    }
    const size_t end = end_of_quoted(labels, equals + 2);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    if (labels.substr(at, equals - at) == name) {
      return labels.substr(equals + 2, end - equals - 2);
    }
    at = end + 1;
    at += at < labels.size() && labels[at] == ',' ? 1 : 0;
  }
  return std::nullopt;
}

std::string_view without_hash(std::string_view cluster) {
  constexpr size_t kDigits = 16;
  if (cluster.size() <= kDigits + 1 || cluster[cluster.size() - kDigits - 1] != '-') {
    return cluster;
  }
  const std::string_view digits = cluster.substr(cluster.size() - kDigits);
  const bool is_hash = std::all_of(digits.begin(), digits.end(),
                                   [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return is_hash ? cluster.substr(0, cluster.size() - kDigits - 1) : cluster;
}

std::optional<double> to_number(std::string_view text) {
  if (text == "+Inf") {
    text = "inf";
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string format_number(double value) {
  constexpr double kExactMax = 9e15;
  if (value == static_cast<double>(static_cast<int64_t>(std::clamp(value, -kExactMax, kExactMax)))) {
    return std::to_string(static_cast<int64_t>(value));
  }
  return fmt::format("{}", value);
}

// One metric with all its samples, in the order of the text.
class Family {
 public:
  void clear() {
    lines_.clear();
    samples_.clear();
  }
  bool empty() const { return lines_.empty() && samples_.empty(); }
  bool has_samples() const { return !samples_.empty(); }
  void add_comment(std::string_view line) { lines_.push_back(line); }
  void add_sample(Sample sample) { samples_.push_back(sample); }

  absl::Status write(std::string& out) const {
    for (const std::string_view line : lines_) {
      out.append(line).append("\n");
    }
    if (samples_.empty()) {
      return absl::OkStatus();
    }
    if (find_label(samples_[0].labels, kClusterLabel)) {
      return write_clusters(out);
    }
    const bool http = find_label(samples_[0].labels, kHttpLabel).has_value();
    for (const Sample& sample : samples_) {
      const auto prefix = http ? find_label(sample.labels, kHttpLabel) : std::nullopt;
      const bool traffic = prefix && !is_one_of(*prefix, {"admin", "kuma_envoy_admin", "kuma_metrics_prometheus"});
      write_sample(sample.name, std::string(sample.labels), traffic, sample.value, out);
    }
    return absl::OkStatus();
  }

 private:
  // Samples that differ in the cluster's hash only are one, in the place of the first.
  struct Merged {
    std::string_view name;
    std::string labels;
    bool traffic = false;
    std::string_view text;  // of a single sample, as it came
    double sum = 0;
    size_t count = 0;
  };

  absl::Status write_clusters(std::string& out) const {
    std::vector<Merged> merged;
    absl::flat_hash_map<std::string, size_t> index;
    for (const Sample& sample : samples_) {
      const auto cluster = find_label(sample.labels, kClusterLabel);
      const auto value = to_number(sample.value);
      if (!cluster || !value) {
        return absl::InvalidArgumentError(
            cluster ? fmt::format("{} is no number", sample.value)
                    : fmt::format("a sample of {} has no label {}", sample.name, kClusterLabel));
      }
      const std::string_view name = without_hash(*cluster);
      std::string labels(sample.labels.substr(0, static_cast<size_t>(cluster->data() - sample.labels.data())));
      labels.append(name).append(cluster->data() + cluster->size(), sample.labels.data() + sample.labels.size());
      const auto [found, added] = index.try_emplace(fmt::format("{}{{{}", sample.name, labels), merged.size());
      if (added) {
        const bool traffic =
            !is_one_of(name, {"ads_cluster", "access_log_sink", "kuma_envoy_admin", "kuma_metrics_hijacker"});
        merged.push_back({.name = sample.name, .labels = std::move(labels), .traffic = traffic, .text = sample.value});
      }
      merged[found->second].sum += *value;
      ++merged[found->second].count;
    }
    for (const Merged& sample : merged) {
      write_sample(sample.name, sample.labels, sample.traffic,
                   sample.count == 1 ? std::string(sample.text) : format_number(sample.sum), out);
    }
    return absl::OkStatus();
  }

  static void write_sample(std::string_view name, std::string labels, bool traffic, std::string_view value,
                           std::string& out) {
    if (traffic) {
      labels.append(labels.empty() ? "" : ",").append(kTrafficLabel);
    }
    out.append(name);
    if (!labels.empty()) {
      out.append("{").append(labels).append("}");
    }
    out.append(" ").append(value).append("\n");
  }

  std::vector<std::string_view> lines_;
  std::vector<Sample> samples_;
};

// Which family a line belongs to: that of the last `# TYPE`, as long as the names agree.
bool belongs(std::string_view sample, std::string_view family) {
  return sample == family || (sample.starts_with(family) &&
                              is_one_of(sample.substr(family.size()), {"_bucket", "_sum", "_count", "_total"}));
}

std::string_view family_of(std::string_view comment) {
  // "# TYPE name kind", "# HELP name text"
  const size_t name = comment.find(' ', 2);
  if (name == std::string_view::npos) {
    return "";
  }
  const std::string_view rest = comment.substr(name + 1);
  return rest.substr(0, rest.find(' '));
}

// Content types in order of preference.
enum class Format { OpenMetrics1, OpenMetrics001, Text, Unknown };

constexpr std::string_view name_of(Format format) {
  switch (format) {
    case Format::OpenMetrics1:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case Format::OpenMetrics001:
      return "application/openmetrics-text; version=0.0.1; charset=utf-8";
    case Format::Text:
    case Format::Unknown:
      break;
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

Format format_of(std::string_view content_type) {
  std::string_view kind = content_type.substr(0, content_type.find_first_of(";,"));
  while (!kind.empty() && kind.back() == ' ') {
    kind.remove_suffix(1);
  }
  if (kind == "text/plain") {
    return Format::Text;
  }
  if (kind != "application/openmetrics-text") {
    return Format::Unknown;
  }
  constexpr std::string_view kVersion = "version=";
  const size_t at = content_type.find(kVersion);
  if (at == std::string_view::npos) {
    return Format::OpenMetrics001;
  }
  std::string_view version = content_type.substr(at + kVersion.size());
  version = version.substr(0, version.find_first_of("; ,"));
  return version == "1.0.0" ? Format::OpenMetrics1 : version == "0.0.1" ? Format::OpenMetrics001 : Format::Unknown;
}

Format negotiate(std::string_view accept) {
  Format best = Format::Unknown;
  while (!accept.empty()) {
    std::string_view item = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(accept.size(), item.size() + 1));
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    best = std::min(best, format_of(item));
  }
  return best == Format::Unknown ? Format::Text : best;
}

}  // namespace

absl::StatusOr<std::string> merge_envoy_clusters(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  Family family;
  std::string_view name;
  const auto next_family = [&](std::string_view next) -> absl::Status {
    KUMA_RETURN_IF_ERROR(family.write(out));
    family.clear();
    name = next;
    return absl::OkStatus();
  };
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (line.empty()) {
      continue;
    }
    if (line[0] == '#') {
      const std::string_view of = family_of(line);
      if (of != name || family.has_samples()) {
        KUMA_RETURN_IF_ERROR(next_family(of));
      }
      family.add_comment(line);
      continue;
    }
    const auto sample = parse_sample(line);
    if (!sample) {
      return absl::InvalidArgumentError(fmt::format("not a metric: {}", line.substr(0, 100)));
    }
    if (!belongs(sample->name, name)) {
      KUMA_RETURN_IF_ERROR(next_family(sample->name));
    }
    family.add_sample(*sample);
  }
  KUMA_RETURN_IF_ERROR(family.write(out));
  return out;
}

MetricsAnswer combine_metrics(const std::vector<MetricsPart>& parts, std::string_view accept) {
  Format best = Format::Unknown;
  MetricsAnswer answer;
  for (const MetricsPart& part : parts) {
    best = std::min(best, format_of(part.content_type));
    std::string_view body = part.body;
    while (!body.empty()) {
      const std::string_view line = body.substr(0, body.find('\n'));
      body.remove_prefix(std::min(body.size(), line.size() + 1));
      if (line.find_first_not_of(" \r\t") != std::string_view::npos && line != "# EOF") {
        answer.body.append(line).append("\n");
      }
    }
  }
  if (best == Format::Unknown) {
    best = negotiate(accept);
  }
  if (answer.body.empty()) {
    answer.body = "\n";
  }
  if (best != Format::Text) {
    answer.body += "# EOF\n";
  }
  answer.content_type = name_of(best);
  return answer;
}

}  // namespace kuma::dp
