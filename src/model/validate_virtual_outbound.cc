#include <algorithm>
#include <charconv>
#include <set>

#include "base/status.h"
#include "model/go_template.h"
#include "model/selectors.h"
#include "model/validators.h"
#include "model/virtual_outbound.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Conf = pb::VirtualOutbound::Conf;
using Parameters = std::map<std::string, std::string>;

absl::StatusOr<std::string> evaluate(const std::string& text, const Parameters& parameters) {
  const auto parsed = GoTemplate::parse(text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(fmt::format("failed compiling gotemplate error='{}'", message_of(parsed.status())));
  }
  auto result = parsed->evaluate(parameters);
  if (!result.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("pre evaluation of template with parameters failed with error='{}'", message_of(result.status())));
  }
  return result;
}

bool is_alphanumeric(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

void validate_parameter(const Conf::TemplateParameter& parameter, bool known, const FieldPath& path, Violations& violations) {
  if (known) {
    violations.add(path.field("name"), "name is already used");
  }
  if (!parameter.tag_key().empty() && !is_tag_name(parameter.tag_key())) {
    violations.add(path.field("tagKey"), "must be a valid tag name");
  }
  if (parameter.tag_key().empty() && !is_tag_name(parameter.name())) {
    violations.add(path.field("name"), "must be a valid tag name if you are not setting tagKey");
  }
  if (!is_alphanumeric(parameter.name())) {
    violations.add(path.field("name"), "must consist of alphanumeric characters to be used as a gotemplate key");
  }
}

template <typename Evaluate>
void validate_template(const Conf& conf, const std::string& text, const char* value, Evaluate evaluate_it, const FieldPath& path,
                       Violations& violations) {
  if (text.empty()) {
    violations.add(path, "has to be defined");
    return;
  }
  Parameters parameters;
  for (const auto& parameter : conf.parameters()) {
    parameters[parameter.name()] = value;
  }
  if (const auto result = evaluate_it(conf, parameters); !result.ok()) {
    violations.add(path, "template pre evaluation failed with error='{}'", message_of(result.status()));
  }
}

}  // namespace

const std::string& tag_key_of(const Conf::TemplateParameter& parameter) {
  return parameter.tag_key().empty() ? parameter.name() : parameter.tag_key();
}

absl::StatusOr<std::string> evaluate_host(const Conf& conf, const Parameters& parameters) {
  KUMA_ASSIGN_OR_RETURN(std::string host, evaluate(conf.host(), parameters));
  if (!is_dns_name(host)) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation of template with parameters didn't return a valid dns name result='{}'", host));
  }
  return host;
}

absl::StatusOr<uint32_t> evaluate_port(const Conf& conf, const Parameters& parameters) {
  KUMA_ASSIGN_OR_RETURN(const std::string text, evaluate(conf.port(), parameters));
  int64_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, port);
  if (text.empty() || failure != std::errc() || stopped != end) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation of template with parameters didn't evaluate to a parsable number result='{}'", text));
  }
  if (port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation of template returned a port outside of the range [1..65535] result='{}'", port));
  }
  return static_cast<uint32_t>(port);
}

void validate_virtual_outbound(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::VirtualOutbound>();
  validate_selectors(FieldPath("selectors"), policy.selectors(), {}, violations);
  const FieldPath path("conf");
  if (!policy.has_conf()) {
    violations.add(path, "has to be defined");
    return;
  }
  const Conf& conf = policy.conf();
  const FieldPath parameters = path.field("parameters");
  std::set<std::string> names;
  bool has_service = false;
  for (size_t i = 0; const auto& parameter : conf.parameters()) {
    const bool known = !names.insert(parameter.name()).second;
    validate_parameter(parameter, known, parameters.index(i++), violations);
    has_service = has_service || tag_key_of(parameter) == kServiceTag;
  }
  if (!has_service) {
    violations.add(parameters, "must contain a parameter with kuma.io/service as a tagKey");
  }
  validate_template(conf, conf.host(), "dummy", evaluate_host, path.field("host"), violations);
  validate_template(conf, conf.port(), "1", evaluate_port, path.field("port"), violations);
}

}  // namespace kuma::model
