#include "dp/completion.h"

#include <vector>

#include "dp/settings.h"
#include "fmt/format.h"

namespace kuma::dp {
namespace {

constexpr std::string_view kCommands = "run wait version completion help";

std::string run_flags() {
  std::string flags = "--log-level --log-output-path --dataplane-var";
  for (const Setting& setting : settings_table()) {
    if (!setting.flag.empty()) {
      flags += fmt::format(" --{}", setting.flag);
    }
  }
  return flags;
}

}  // namespace

std::optional<std::string> completion_script(std::string_view shell) {
  if (shell == "bash" || shell == "zsh") {
    const std::string_view head =
        shell == "zsh" ? "#compdef kuma-dp\nautoload -U +X bashcompinit && bashcompinit\n" : "";
    return fmt::format(
        "{}_kuma_dp() {{\n"
        "  local word=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
        "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
        "  elif [ \"${{COMP_WORDS[1]}}\" = run ]; then\n"
        "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -f -- \"$word\"))\n"
        "  fi\n"
        "}}\n"
        "complete -F _kuma_dp kuma-dp\n",
        head, kCommands, run_flags());
  }
  if (shell == "fish") {
    return fmt::format(
        "complete -c kuma-dp -n __fish_use_subcommand -f -a '{}'\n"
        "complete -c kuma-dp -n '__fish_seen_subcommand_from run' -a '{}'\n",
        kCommands, run_flags());
  }
  if (shell == "powershell") {
    return fmt::format(
        "Register-ArgumentCompleter -Native -CommandName kuma-dp -ScriptBlock {{\n"
        "  param($word)\n"
        "  '{} {}'.Split(' ') | Where-Object {{ $_ -like \"$word*\" }}\n"
        "}}\n",
        kCommands, run_flags());
  }
  return std::nullopt;
}

}  // namespace kuma::dp
