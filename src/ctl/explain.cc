#include "ctl/command.h"
#include "ctl/plan.h"
#include "ctl/resource_commands.h"
#include "base/status.h"

namespace kuma::ctl {
namespace {

struct ExplainFlags {
  std::string mesh = "default";
  std::string to;
  std::string output = "table";
};

absl::Status explain(const Invocation& invocation, const ExplainFlags& flags, const std::string& name) {
  KUMA_ASSIGN_OR_RETURN(const OutputFormat format, parse_output_format(flags.output));
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  const auto answer = client.get(fmt::format("/meshes/{}/dataplanes/{}/_explain?to={}", path_segment(flags.mesh),
                                             path_segment(name), path_segment(flags.to)));
  if (!answer.ok()) {
    return wrap(answer.status(), fmt::format("failed to explain {}", name));
  }
  std::ostream& out = invocation.environment.out;
  if (format == OutputFormat::Yaml) {
    out << kuma::to_yaml(*answer);
  } else if (format == OutputFormat::Json) {
    out << to_pretty_json(*answer, 2);
  } else {
    out << explanation_text(*answer);
  }
  return absl::OkStatus();
}

}  // namespace

void add_explain(CommandTree& tree) {
  CLI::App& group = tree.group(tree.root(), "explain", "Say why a proxy does what it does");
  auto flags = std::make_shared<ExplainFlags>();
  Command& command = tree.leaf(group, "dataplane", "Where each setting of its way to a service comes from, and what lost", 1);
  command.app->add_option("-m,--mesh", flags->mesh, "mesh to look in, default if not given");
  command.app->add_option("--to", flags->to, "the service that it talks to (required)");
  command.app->add_option("-o,--output", flags->output, "table (text), yaml or json");
  command.required = {"to"};
  command.action = [&invocation = tree.invocation(), flags, &command] { return explain(invocation, *flags, command.arguments[0]); };
}

}  // namespace kuma::ctl
