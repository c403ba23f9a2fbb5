#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/generate_local.h"

namespace kuma::ctl {
namespace {

struct TokenFlags {
  std::string name, mesh = "default", proxy_type, zone, valid_for, signing_key_path, kid;
  std::vector<std::string> tags, scope, groups;
};
using FlagsPtr = std::shared_ptr<TokenFlags>;

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

json::array as_array(const std::vector<std::string>& words) {
  json::array array;
  for (const std::string& argument : words) {
    for (const std::string& word : split_commas(argument)) {
      array.emplace_back(word);
    }
  }
  return array;
}

absl::StatusOr<std::chrono::nanoseconds> parse_valid_for(const std::string& text) {
  if (text.empty()) {
    return std::chrono::nanoseconds(0);
  }
  auto duration = parse_go_duration(text);
  if (!duration.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("invalid argument \"{}\" for \"--valid-for\" flag: {}", text, message_of(duration.status())));
  }
  return duration;
}

absl::Status check_key_flags(const TokenFlags& flags) {
  if (!flags.signing_key_path.empty() && flags.kid.empty()) {
    return absl::InvalidArgumentError("--kid is required when --signing-key-path is used");
  }
  if (flags.signing_key_path.empty() && !flags.kid.empty()) {
    return absl::InvalidArgumentError("--kid cannot be used without --signing-key-path");
  }
  return absl::OkStatus();
}

// Asks the control plane, or signs here when a key is given; prints the token without a newline.
absl::Status issue(const Invocation& invocation, const TokenFlags& flags, std::string_view what, const std::string& path,
                   const json::object& request, const json::object& claims) {
  KUMA_RETURN_IF_ERROR(check_key_flags(flags));
  KUMA_ASSIGN_OR_RETURN(const std::chrono::nanoseconds valid_for, parse_valid_for(flags.valid_for));
  if (!flags.signing_key_path.empty()) {
    auto token = sign_locally(flags.signing_key_path, flags.kid, claims, valid_for, invocation.environment.clock);
    if (!token.ok()) {
      return annotate(token.status(), "failed to generate a {}", what);
    }
    invocation.environment.out << *token;
    return absl::OkStatus();
  }
  json::object body = request;
  body["validFor"] = format_go_duration(valid_for);
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto token = client.post_for_text(path, body);
  if (!token.ok()) {
    return wrap(token.status(), fmt::format("failed to generate a {}", what));
  }
  invocation.environment.out << *token;
  return absl::OkStatus();
}

absl::Status dataplane_token(const Invocation& invocation, const TokenFlags& flags) {
  if (flags.valid_for.empty()) {
    return absl::InvalidArgumentError("failed to generate a dataplane token: You must set a token validFor value");
  }
  KUMA_ASSIGN_OR_RETURN(const auto pairs, parse_pairs("tag", flags.tags));
  json::object tags;
  for (const auto& [key, values] : pairs) {
    tags[key] = as_array({values});
  }
  json::object request{{"name", flags.name}, {"mesh", flags.mesh}, {"tags", tags}, {"type", flags.proxy_type}};
  json::object claims{{"Name", flags.name}, {"Mesh", flags.mesh}, {"Tags", tags}, {"Type", flags.proxy_type}};
  return issue(invocation, flags, "dataplane token", "/tokens/dataplane", request, claims);
}

absl::Status zone_token(const Invocation& invocation, const TokenFlags& flags) {
  const json::array scope = flags.scope.empty() ? as_array({"ingress,egress"}) : as_array(flags.scope);
  std::string wrong;
  for (const json::value& word : scope) {
    // `cp` is for the zone's control plane itself, towards a global that asks zones who they are; the message is the reference's.
    if (word != "ingress" && word != "egress" && word != "cp") {
      wrong += fmt::format("{}{}", wrong.empty() ? "" : " ", std::string(word.get_string()));
    }
  }
  if (!wrong.empty()) {
    return absl::InvalidArgumentError(fmt::format("invalid --scope values: [{}] (supported scopes: [ingress egress])", wrong));
  }
  return issue(invocation, flags, "zone token", "/tokens/zone", {{"zone", flags.zone}, {"scope", scope}},
               {{"Zone", flags.zone}, {"Scope", scope}});
}

absl::Status user_token(const Invocation& invocation, const TokenFlags& flags) {
  const json::array groups = as_array(flags.groups);
  return issue(invocation, flags, "user token", "/tokens/user", {{"name", flags.name}, {"groups", groups}},
               {{"Name", flags.name}, {"Groups", groups}});
}

void add_key_flags(Command& command, const FlagsPtr& flags) {
  command.app->add_option("--signing-key-path", flags->signing_key_path, "sign here with the key in this file instead of asking the control plane");
  command.app->add_option("--kid", flags->kid, "the id of that key");
}

void add_tokens(CommandTree& tree, CLI::App& group) {
  Invocation& invocation = tree.invocation();
  auto flags = std::make_shared<TokenFlags>();

  Command& dataplane = tree.leaf(group, "dataplane-token", "A token that a dataplane proves itself with");
  dataplane.app->add_option("--name", flags->name, "only for the dataplane of this name");
  dataplane.app->add_option("-m,--mesh", flags->mesh, "only for this mesh, default if not given");
  dataplane.app->add_option("--proxy-type,--type", flags->proxy_type, "dataplane, ingress or egress");
  dataplane.app->add_option("--tag", flags->tags, "only for dataplanes with these values of a tag, as key=v1,v2")->allow_extra_args(false);
  dataplane.app->add_option("--valid-for", flags->valid_for, "how long it is valid, such as 24h");
  add_key_flags(dataplane, flags);
  dataplane.action = [&invocation, flags] { return dataplane_token(invocation, *flags); };

  Command& zone = tree.leaf(group, "zone-token", "A token that the proxies or the control plane of a zone prove themselves with");
  zone.app->add_option("--zone", flags->zone, "the zone (required)");
  zone.app->add_option("--scope", flags->scope, "ingress, egress (both if not given); cp for the control plane of the zone")->allow_extra_args(false);
  zone.app->add_option("--valid-for", flags->valid_for, "how long it is valid, such as 720h (required)");
  add_key_flags(zone, flags);
  zone.required = {"zone", "valid-for"};
  zone.action = [&invocation, flags] { return zone_token(invocation, *flags); };

  Command& ingress = tree.leaf(group, "zone-ingress-token", "Deprecated: use zone-token");
  ingress.app->add_option("--zone", flags->zone, "the zone (required)");
  ingress.app->add_option("--valid-for", flags->valid_for, "how long it is valid (required)");
  ingress.required = {"zone", "valid-for"};
  ingress.action = [&invocation, flags] {
    return issue(invocation, *flags, "zone ingress token", "/tokens/zone-ingress", {{"zone", flags->zone}}, {{"Zone", flags->zone}});
  };

  Command& user = tree.leaf(group, "user-token", "A token that a user of the API proves itself with");
  user.app->add_option("--name", flags->name, "the user (required)");
  user.app->add_option("--group", flags->groups, "groups of the user")->allow_extra_args(false);
  user.app->add_option("--valid-for", flags->valid_for, "how long it is valid, such as 24h (required)");
  add_key_flags(user, flags);
  user.required = {"name", "valid-for"};
  user.action = [&invocation, flags] { return user_token(invocation, *flags); };
}

}  // namespace

void add_generate(CommandTree& tree) {
  CLI::App& group = tree.group(tree.root(), "generate", "Make tokens, keys and certificates");
  add_tokens(tree, group);
  add_generate_local(tree, group);
}

}  // namespace kuma::ctl
