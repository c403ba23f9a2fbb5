#include <map>

#include "base/status.h"
#include "ctl/command.h"
#include "ctl/resource_commands.h"

namespace kuma::ctl {
namespace {

absl::Status remove(const Invocation& invocation, const std::string& word, const std::string& name, const std::string& mesh) {
  std::map<std::string_view, const model::ResourceType*> types;
  for (const model::ResourceType& type : invocation.environment.registry.types()) {
    if (!type.kumactl_singular.empty()) {
      types.emplace(type.kumactl_singular, &type);
    }
  }
  const auto found = types.find(word);
  if (found == types.end()) {
    std::string allowed;
    for (const auto& [singular, type] : types) {
      allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", singular);
    }
    return absl::InvalidArgumentError(fmt::format("unknown TYPE: {}. Allowed values: {}", word, allowed));
  }
  const model::ResourceType& type = *found->second;
  if (type.read_only) {
    return absl::InvalidArgumentError(fmt::format("TYPE: {} is readOnly, can't use it for write action", word));
  }
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const absl::Status status = client.remove(item_path(type, mesh, name));
  if (is_not_found(status)) {
    return absl::NotFoundError(fmt::format("there is no {} with name \"{}\"", type.name, name));
  }
  KUMA_RETURN_IF_ERROR(wrap(status, fmt::format("failed to delete {} with the name \"{}\"", type.name, name)));
  invocation.environment.out << fmt::format("deleted {} \"{}\"\n", type.name, name);
  return absl::OkStatus();
}

}  // namespace

void add_delete(CommandTree& tree) {
  Command& command = tree.leaf(tree.root(), "delete", "Delete a resource: delete TYPE NAME", 2);
  auto mesh = std::make_shared<std::string>("default");
  command.app->add_option("-m,--mesh", *mesh, "mesh it is in, default if not given");
  command.action = [&invocation = tree.invocation(), &command, mesh] {
    return remove(invocation, command.arguments[0], command.arguments[1], *mesh);
  };
}

}  // namespace kuma::ctl
