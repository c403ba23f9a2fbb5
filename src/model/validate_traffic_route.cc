#include <map>

#include "mesh/v1alpha1/traffic_route.pb.h"
#include "model/selectors.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Http = pb::TrafficRoute::Http;
using Matcher = Http::Match::StringMatcher;
using Modify = Http::Modify;

constexpr const char* kEmpty = "cannot be empty";

void validate_destination(const TagMap& tags, const FieldPath& path, Violations& violations) {
  validate_tags(path, tags, {.selector = true, .at_least_one = true, .service_required = true}, violations);
}

// Where traffic goes, of a conf and of a rule in it.
template <typename Target>
void validate_target(const Target& target, const FieldPath& path, Violations& violations) {
  if (target.split().empty() && target.destination().empty()) {
    violations.add(path, "requires either \"destination\" or \"split\"");
    return;
  }
  if (!target.split().empty() && !target.destination().empty()) {
    violations.add(path, "\"split\" cannot be defined at the same time as \"destination\"");
  }
  uint64_t total = 0;
  for (size_t i = 0; const auto& part : target.split()) {
    const FieldPath at = path.field("split").index(i++);
    if (!part.has_weight()) {
      violations.add(at.field("weight"), "needs to be defined");
    }
    validate_destination(part.destination(), at.field("destination"), violations);
    total += part.weight().value();
  }
  if (!target.split().empty() && total == 0) {
    violations.add(path.field("split"), "there must be at least one split entry with weight above 0");
  }
  if (!target.destination().empty()) {
    validate_destination(target.destination(), path.field("destination"), violations);
  }
}

void validate_matcher(const Matcher& matcher, const FieldPath& path, Violations& violations) {
  switch (matcher.matcherType_case()) {
    case Matcher::kPrefix:
      if (matcher.prefix().empty()) {
        violations.add(path.field("prefix"), kEmpty);
      }
      break;
    case Matcher::kRegex:
      if (matcher.regex().empty()) {
        violations.add(path.field("regex"), kEmpty);
      }
      break;
    case Matcher::kExact:
      break;
    case Matcher::MATCHERTYPE_NOT_SET:
      violations.add(path, "cannot be empty. Available options: \"exact\", \"split\" or \"regex\"");
      break;
  }
}

void validate_match(const Http::Match& match, const FieldPath& path, Violations& violations) {
  if (!match.has_method() && !match.has_path() && match.headers().empty()) {
    violations.add(path, "must be present and contain at least one of the elements: \"method\", \"path\" or \"headers\"");
    return;
  }
  if (match.has_method()) {
    validate_matcher(match.method(), path.field("method"), violations);
  }
  if (match.has_path()) {
    validate_matcher(match.path(), path.field("path"), violations);
  }
  const std::map<std::string, Matcher> headers(match.headers().begin(), match.headers().end());
  for (const auto& [name, matcher] : headers) {
    const FieldPath at = path.field("headers").key(name);
    if (name.empty()) {
      violations.add(at, kEmpty);
    }
    validate_matcher(matcher, at, violations);
  }
}

void validate_replacement(const Modify::RegexReplace& replace, const FieldPath& path, Violations& violations) {
  if (replace.pattern().empty()) {
    violations.add(path.field("pattern"), kEmpty);
  }
  if (replace.substitution().empty()) {
    violations.add(path.field("substitution"), kEmpty);
  }
}

void validate_path(const Http& http, const FieldPath& path, Violations& violations) {
  const Modify::Path& change = http.modify().path();
  switch (change.type_case()) {
    case Modify::Path::kRewritePrefix:
      if (change.rewriteprefix().empty()) {
        violations.add(path.field("rewritePrefix"), kEmpty);
      }
      if (http.match().path().prefix().empty()) {
        violations.add(path.field("rewritePrefix"), "can only be set when .http.match.path.prefix is not empty");
      }
      break;
    case Modify::Path::kRegex:
      validate_replacement(change.regex(), path.field("regex"), violations);
      break;
    case Modify::Path::TYPE_NOT_SET:
      violations.add(path, "either \"rewritePrefix\" or \"regex\" has to be set");
      break;
  }
}

void validate_host(const Modify::Host& host, const FieldPath& path, Violations& violations) {
  switch (host.type_case()) {
    case Modify::Host::kValue:
      if (host.value().empty()) {
        violations.add(path.field("value"), kEmpty);
      }
      break;
    case Modify::Host::kFromPath:
      validate_replacement(host.frompath(), path.field("fromPath"), violations);
      break;
    case Modify::Host::TYPE_NOT_SET:
      violations.add(path, "either \"value\" or \"fromPath\" has to be set");
      break;
  }
}

void validate_header_name(const std::string& name, const FieldPath& path, Violations& violations) {
  if (name.empty()) {
    violations.add(path, kEmpty);
  } else if (name.starts_with(':') || name == "host" || name == "Host") {
    violations.add(path, "host header and HTTP/2 pseudo-headers are not allowed to be modified");
  }
}

void validate_headers(const Modify::Headers& headers, const FieldPath& path, Violations& violations) {
  for (size_t i = 0; const auto& header : headers.add()) {
    const FieldPath at = path.field("add").index(i++);
    validate_header_name(header.name(), at.field("name"), violations);
    if (header.value().empty()) {
      violations.add(at.field("value"), kEmpty);
    }
  }
  for (size_t i = 0; const auto& header : headers.remove()) {
    validate_header_name(header.name(), path.field("remove").index(i++).field("name"), violations);
  }
}

void validate_http(const Http& http, const FieldPath& path, Violations& violations) {
  validate_match(http.match(), path.field("match"), violations);
  const FieldPath modify = path.field("modify");
  if (http.modify().has_path()) {
    validate_path(http, modify.field("path"), violations);
  }
  if (http.modify().has_host()) {
    validate_host(http.modify().host(), modify.field("host"), violations);
  }
  validate_headers(http.modify().requestheaders(), modify.field("requestHeaders"), violations);
  validate_headers(http.modify().responseheaders(), modify.field("responseHeaders"), violations);
  validate_target(http, path, violations);
}

void validate_load_balancer(const pb::TrafficRoute::LoadBalancer& balancer, const FieldPath& path, Violations& violations) {
  if (balancer.has_least_request() && balancer.least_request().choice_count() == 1) {
    violations.add(path.field("leastRequest").field("choiceCount"), "value must be greater than or equal to 2");
  }
  const std::string& hash = balancer.ring_hash().hash_function();
  if (balancer.has_ring_hash() && hash != "XX_HASH" && hash != "MURMUR_HASH_2") {
    violations.add(path.field("ringHash").field("hashFunction"), "must have a valid hash function");
  }
}

}  // namespace

void validate_traffic_route(const Resource& resource, Violations& violations) {
  const auto& route = resource.as<pb::TrafficRoute>();
  validate_source_selectors(route.sources(), violations);
  validate_service_selectors(FieldPath("destinations"), route.destinations(), violations);
  const FieldPath path("conf");
  if (!route.has_conf()) {
    violations.add(path, kEmpty);
    return;
  }
  validate_target(route.conf(), path, violations);
  for (size_t i = 0; const Http& http : route.conf().http()) {
    validate_http(http, path.field("http").index(i++), violations);
  }
  validate_load_balancer(route.conf().load_balancer(), path.field("loadBalancer"), violations);
}

}  // namespace kuma::model
