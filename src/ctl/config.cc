#include "base/status.h"
#include "ctl/command.h"
#include "ctl/table.h"

namespace kuma::ctl {
namespace {

constexpr const char* kNoneLeft =
    "there is no active Control Plane left. Use `kumactl config control-planes add` to add a Control Plane and make it active";

struct AddFlags {
  std::string name, address, ca_cert_file, client_cert_file, client_key_file, auth_type;
  std::vector<std::string> headers, auth_conf;
  bool overwrite = false, skip_verify = false, skip_check = false;
};

absl::Status check_url(const std::string& address) {
  const size_t scheme = address.find("://");
  if (scheme == std::string::npos || scheme == 0 || scheme + 3 == address.size()) {
    return absl::InvalidArgumentError(fmt::format("API Server URL is invalid: parse \"{}\": invalid URI for request", address));
  }
  const std::string_view name = std::string_view(address).substr(0, scheme);
  if (name != "http" && name != "https") {
    return absl::InvalidArgumentError(
        fmt::format("API Server URL is invalid: \"{}\" has the scheme {}; use http:// or https://", address, name));
  }
  return absl::OkStatus();
}

// Whether a control plane of our kind answers there.
absl::Status check_reachable(const Invocation& invocation, const ControlPlane& control_plane) {
  KUMA_ASSIGN_OR_RETURN(const auto timeout, invocation.timeout());
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::make(invocation.environment, control_plane, timeout));
  const auto index = client.get("/");
  if (!index.ok()) {
    return absl::Status(index.status().code(),
                        fmt::format("could not connect to the Control Plane API Server: {}", message_of(index.status())));
  }
  const json::value* tagline = find(*index, "tagline");
  if (tagline == nullptr || !tagline->is_string() || to_std({tagline->get_string().data(), tagline->get_string().size()}) != kProduct) {
    return absl::FailedPreconditionError(fmt::format(
        "this CLI is for {} but the control plane you're connected to is {}. Please use the CLI for your control plane", kProduct,
        tagline != nullptr && tagline->is_string() ? std::string(tagline->get_string()) : "unknown"));
  }
  return absl::OkStatus();
}

absl::Status add_control_plane(Invocation& invocation, const AddFlags& flags) {
  KUMA_RETURN_IF_ERROR(check_url(flags.address));
  if (flags.client_cert_file.empty() != flags.client_key_file.empty()) {
    return absl::InvalidArgumentError("Both --client-cert-file and --client-key-file needs to be specified");
  }
  ControlPlane control_plane;
  control_plane.name = flags.name;
  control_plane.url = flags.address;
  control_plane.ca_cert_file = flags.ca_cert_file;
  control_plane.client_cert_file = flags.client_cert_file;
  control_plane.client_key_file = flags.client_key_file;
  control_plane.auth_type = flags.auth_type;
  KUMA_ASSIGN_OR_RETURN(control_plane.headers, parse_pairs("headers", flags.headers));
  KUMA_ASSIGN_OR_RETURN(control_plane.auth_conf, parse_pairs("auth-conf", flags.auth_conf));
  if (!flags.auth_type.empty()) {
    if (flags.auth_type != "tokens") {
      return absl::InvalidArgumentError(fmt::format("authentication plugin of type \"{}\" is not found", flags.auth_type));
    }
    if (control_plane.auth_conf.size() != 1 || control_plane.auth_conf[0].first != "token") {
      return absl::InvalidArgumentError("--auth-conf is not valid: provide token=YOUR_TOKEN");
    }
  }
  KUMA_ASSIGN_OR_RETURN(Configuration configuration, invocation.configuration());
  KUMA_RETURN_IF_ERROR(configuration.add(control_plane, flags.overwrite));
  if (!flags.skip_check) {
    KUMA_RETURN_IF_ERROR(check_reachable(invocation, control_plane));
  }
  KUMA_RETURN_IF_ERROR(invocation.save(configuration));
  invocation.environment.out << fmt::format("added Control Plane \"{0}\"\nswitched active Control Plane to \"{0}\"\n", flags.name);
  return absl::OkStatus();
}

absl::Status remove_control_plane(Invocation& invocation, const std::string& name) {
  KUMA_ASSIGN_OR_RETURN(Configuration configuration, invocation.configuration());
  const std::string before = configuration.current_context;
  KUMA_RETURN_IF_ERROR(configuration.remove(name));
  KUMA_RETURN_IF_ERROR(invocation.save(configuration));
  std::ostream& out = invocation.environment.out;
  out << fmt::format("removed Control Plane \"{}\"\n", name);
  if (configuration.current_context.empty()) {
    out << kNoneLeft << "\n";
  } else if (configuration.current_context != before) {
    out << fmt::format("switched active Control Plane to \"{}\"\n", configuration.current_context);
  }
  return absl::OkStatus();
}

absl::Status list_control_planes(Invocation& invocation) {
  KUMA_ASSIGN_OR_RETURN(const Configuration configuration, invocation.configuration());
  std::string active;
  for (const Context& context : configuration.contexts) {
    active = context.name == configuration.current_context ? context.control_plane : active;
  }
  Table table{.headers = {"ACTIVE", "NAME", "ADDRESS"}, .rows = {}};
  for (const ControlPlane& control_plane : configuration.control_planes) {
    table.rows.push_back({control_plane.name == active ? "*" : "", control_plane.name, control_plane.url});
  }
  invocation.environment.out << table.text();
  return absl::OkStatus();
}

}  // namespace

void add_config(CommandTree& tree) {
  Invocation& invocation = tree.invocation();
  CLI::App& group = tree.group(tree.root(), "config", "Configuration of this program");

  Command& view = tree.leaf(group, "view", "Print the configuration");
  view.action = [&invocation]() -> absl::Status {
    KUMA_ASSIGN_OR_RETURN(const Configuration configuration, invocation.configuration());
    invocation.environment.out << to_yaml(configuration) << "\n";
    return absl::OkStatus();
  };

  CLI::App& control_planes = tree.group(group, "control-planes", "The control planes that this program knows");
  Command& list = tree.leaf(control_planes, "list", "List them");
  list.action = [&invocation] { return list_control_planes(invocation); };

  Command& add = tree.leaf(control_planes, "add", "Add one and make it active");
  auto flags = std::make_shared<AddFlags>();
  add.app->add_option("--name", flags->name, "what to call this control plane (required)");
  add.app->add_option("--address", flags->address, "where its API listens (required), such as http://localhost:5681 or https://localhost:5682");
  add.app->add_flag("--overwrite", flags->overwrite, "replace one of the same name");
  add.app->add_option("--ca-cert-file", flags->ca_cert_file, "file with the CA that its certificate is verified against; without it https is not verified");
  add.app->add_option("--client-cert-file", flags->client_cert_file, "file with a client certificate that makes this client an administrator");
  add.app->add_option("--client-key-file", flags->client_key_file, "file with the key of the client certificate");
  add.app->add_flag("--skip-verify", flags->skip_verify, "accepted for compatibility; without --ca-cert-file nothing is verified anyway");
  add.app->add_option("--headers", flags->headers, "headers for each request, as key=value")->allow_extra_args(false);
  add.app->add_option("--auth-type", flags->auth_type, "how to authenticate: tokens");
  add.app->add_option("--auth-conf", flags->auth_conf, "what that needs, as key=value: token=YOUR_TOKEN")->allow_extra_args(false);
  add.app->add_flag("--skip-check", flags->skip_check, "do not ask it whether it is there");
  add.required = {"name", "address"};
  add.action = [&invocation, flags] { return add_control_plane(invocation, *flags); };

  auto name = std::make_shared<std::string>();
  Command& remove = tree.leaf(control_planes, "remove", "Remove one");
  remove.app->add_option("--name", *name, "what to call this control plane (required)");
  remove.required = {"name"};
  remove.action = [&invocation, name] { return remove_control_plane(invocation, *name); };

  Command& switch_command = tree.leaf(control_planes, "switch", "Make another one active");
  switch_command.app->add_option("--name", *name, "what to call this control plane (required)");
  switch_command.required = {"name"};
  switch_command.action = [&invocation, name]() -> absl::Status {
    KUMA_ASSIGN_OR_RETURN(Configuration configuration, invocation.configuration());
    KUMA_RETURN_IF_ERROR(configuration.switch_to(*name));
    KUMA_RETURN_IF_ERROR(invocation.save(configuration));
    invocation.environment.out << fmt::format("switched active Control Plane to \"{}\"\n", *name);
    return absl::OkStatus();
  };
}

}  // namespace kuma::ctl
