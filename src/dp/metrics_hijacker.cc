#include "dp/metrics_hijacker.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "base/status.h"
#include "base/text.h"

namespace kuma::dp {
namespace {

constexpr std::string_view kForwarded[] = {"accept", "user-agent", "x-prometheus-scrape-timeout-seconds"};

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string_view("-_.~").find(c) != std::string_view::npos) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

// One scrape under way; every target has its place in the answer.
struct MetricsHijacker::Scrape {
  std::vector<MetricsPart> parts;
  size_t waiting = 0;
  net::Headers headers;
  std::string accept;
  std::function<void(MetricsAnswer)> done;
};

std::string envoy_stats_query(std::string_view target) {
  std::multimap<std::string, std::string> parameters = {{"format", "prometheus"}, {"text_readouts", ""}};
  const size_t question = target.find('?');
  std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string key = unescape(pair.substr(0, equals));
    if (!key.empty() && key != "format" && key != "text_readouts") {
      parameters.emplace(std::move(key), unescape(pair.substr(std::min(equals + 1, pair.size()))));
    }
  }
  std::string out;
  for (const auto& [key, value] : parameters) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", escape(key), escape(value));
  }
  return out;
}

absl::Status clear_socket_path(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, failed))) {
    return absl::OkStatus();
  }
  // Moved first: if somebody else still listens there, the next step fails and nothing is lost.
  const std::string aside = path + ".bak";
  if (std::rename(path.c_str(), aside.c_str()) != 0 || ::unlink(aside.c_str()) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("file {} exists and probably opened by another kuma-dp instance", path));
  }
  return absl::OkStatus();
}

MetricsHijacker::MetricsHijacker(Log& log, std::string envoy_url, std::vector<AggregateTarget> applications,
                                 Fetch fetch)
    : log_(log), envoy_url_(std::move(envoy_url)), applications_(std::move(applications)), fetch_(std::move(fetch)) {}

void MetricsHijacker::handle(std::string_view target, const net::Headers& headers,
                             std::function<void(MetricsAnswer)> done) {
  auto scrape = std::make_shared<Scrape>();
  scrape->done = std::move(done);
  scrape->accept = headers.get("accept");
  for (const std::string_view name : kForwarded) {
    if (headers.has(name)) {
      scrape->headers.add(std::string(name), std::string(headers.get(name)));
    }
  }
  const size_t count = applications_.size() + (envoy_url_.empty() ? 0 : 1);
  scrape->parts.resize(count);
  scrape->waiting = count;
  if (count == 0) {
    scrape->done(combine_metrics({}, scrape->accept));
    return;
  }
  for (size_t i = 0; i < applications_.size(); ++i) {
    const AggregateTarget& application = applications_[i];
    const std::string_view path = std::string_view(application.path).substr(0, application.path.find('?'));
    ask(scrape, i, application.name,
        fmt::format("http://{}{}{}", join_host_port(application.address, application.port),
                    path.starts_with('/') ? "" : "/", path));
  }
  if (!envoy_url_.empty()) {
    ask(scrape, applications_.size(), "envoy", fmt::format("{}?{}", envoy_url_, envoy_stats_query(target)));
  }
}

void MetricsHijacker::ask(const std::shared_ptr<Scrape>& scrape, size_t position, const std::string& name,
                          std::string url) {
  const bool is_envoy = name == "envoy" && position == applications_.size();
  fetch_(std::move(url), scrape->headers, [this, scrape, position, name, is_envoy](absl::StatusOr<Fetched> fetched) {
    if (fetched.ok() && is_envoy) {
      auto merged = merge_envoy_clusters(fetched->body);
      fetched = merged.ok()
                    ? absl::StatusOr<Fetched>({.content_type = fetched->content_type, .body = *std::move(merged)})
                    : merged.status();
    }
    if (fetched.ok()) {
      scrape->parts[position] = {.content_type = std::move(fetched->content_type), .body = std::move(fetched->body)};
    } else {
      log_.error("metrics-hijacker", "failed to scrape a target",
                 {{"name", name}, {"error", message_of(fetched.status())}});
    }
    if (--scrape->waiting == 0) {
      scrape->done(combine_metrics(scrape->parts, scrape->accept));
    }
  });
}

}  // namespace kuma::dp
