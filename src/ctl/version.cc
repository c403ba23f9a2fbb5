#include "base/status.h"
#include "ctl/command.h"
#include "ctl/resource_commands.h"

namespace kuma::ctl {
namespace {

absl::Status version(const Invocation& invocation, bool all) {
  const Environment& environment = invocation.environment;
  if (all) {
    environment.out << fmt::format("Product:       {}\nVersion:       {}\nGit Tag:       {}\nGit Commit:    {}\nBuild Date:    {}\n",
                                   kProduct, kVersion, kGitTag, kGitCommit, kBuildDate);
  } else {
    environment.out << fmt::format("Client: {} {}\n", kProduct, kVersion);
  }
  const auto index = [&]() -> absl::StatusOr<json::value> {
    KUMA_ASSIGN_OR_RETURN(const Configuration configuration, invocation.configuration());
    KUMA_ASSIGN_OR_RETURN(ControlPlane control_plane, configuration.current());
    KUMA_ASSIGN_OR_RETURN(const auto timeout, invocation.timeout());
    KUMA_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::make(environment, std::move(control_plane), timeout));
    return client.get("/");
  }();
  if (!index.ok()) {
    environment.err << fmt::format("Unable to connect to control plane: {}\n", message_of(index.status()));
    return absl::OkStatus();
  }
  if (all) {
    environment.out << "Server: " << to_pretty_json(*index, 3);
  } else {
    environment.out << fmt::format("Server: {} {}\n", text_at(*index, {"tagline"}), text_at(*index, {"version"}));
  }
  return absl::OkStatus();
}

}  // namespace

void add_version(CommandTree& tree) {
  Command& command = tree.leaf(tree.root(), "version", "Print the version of this program and of the control plane");
  auto all = std::make_shared<bool>(false);
  command.app->add_flag("-a,--detailed", *all, "all that is known of the versions");
  command.action = [&invocation = tree.invocation(), all] { return version(invocation, *all); };
}

}  // namespace kuma::ctl
