#include "base/cli.h"

#include <map>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace kuma {
namespace {

struct CommandWords {
  std::vector<std::string> words;  // commands below it, then its flags
  bool takes_files = false;
};

// By path below the program, each name with a space before it: "" is the program, " get mesh" a command.
using CommandTable = std::map<std::string, CommandWords>;

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void add_flags(const CLI::App& app, std::vector<std::string>& words) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words.push_back("--" + name);
    }
  }
}

// Commands take the flags of those above them too.
void collect(const CLI::App& app, const std::string& path, std::vector<std::string> flags, CommandTable& table) {
  CommandWords& entry = table[path];
  std::vector<std::string> own;
  add_flags(app, own);
  for (const CLI::App* command : commands_of(app)) {
    entry.words.push_back(command->get_name());
  }
  entry.takes_files = entry.words.empty();
  std::erase(flags, "--help");
  flags.insert(flags.begin(), own.begin(), own.end());
  entry.words.insert(entry.words.end(), flags.begin(), flags.end());
  for (const CLI::App* command : commands_of(app)) {
    collect(*command, path + " " + command->get_name(), flags, table);
  }
}

std::string bash_script(const std::string& program, const CommandTable& table) {
  std::string function = "_" + program;
  std::replace(function.begin(), function.end(), '-', '_');
  std::vector<std::string> paths;
  std::string cases;
  for (const auto& [path, entry] : table) {
    if (!path.empty()) {
      paths.push_back(fmt::format("\"{}\"", path));
    }
    cases += fmt::format("    \"{}\") words=\"{}\"; files={} ;;\n", path, fmt::join(entry.words, " "), entry.takes_files ? "yes" : "");
  }
  return fmt::format(
      "{0}() {{\n"
      "  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" path=\"\" words=\"\" files=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$path ${{COMP_WORDS[i]}}\" in\n"
      "      {1}) path=\"$path ${{COMP_WORDS[i]}}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n"
      "{2}"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  [ -n \"$files\" ] && COMPREPLY+=($(compgen -f -- \"$word\"))\n"
      "}}\n"
      "complete -F {0} {3}\n",
      function, fmt::join(paths, "|"), cases, program);
}

std::string fish_script(const std::string& program, const CommandTable& table) {
  std::string script;
  for (const auto& [path, entry] : table) {
    std::string condition;
    for (size_t at = 0; at < path.size();) {
      const size_t end = std::min(path.find(' ', at + 1), path.size());
      condition += fmt::format("{}__fish_seen_subcommand_from {}", at == 0 ? "" : "; and ", path.substr(at + 1, end - at - 1));
      at = end;
    }
    script += fmt::format("complete -c {} -n '{}' {}-a '{}'\n", program, condition.empty() ? "__fish_use_subcommand" : condition,
                          entry.takes_files ? "" : "-f ", fmt::join(entry.words, " "));
  }
  return script;
}

std::string powershell_script(const std::string& program, const CommandTable& table) {
  std::string words;
  for (const auto& [path, entry] : table) {
    words += fmt::format("    '{}' = '{}'\n", path, fmt::join(entry.words, " "));
  }
  return fmt::format(
      "Register-ArgumentCompleter -Native -CommandName {} -ScriptBlock {{\n"
      "  param($word, $ast)\n"
      "  $words = @{{\n"
      "{}"
      "  }}\n"
      "  $path = ''\n"
      "  foreach ($element in $ast.CommandElements | Select-Object -Skip 1) {{\n"
      "    if ($words.ContainsKey(\"$path $element\")) {{ $path = \"$path $element\" }}\n"
      "  }}\n"
      "  $words[$path].Split(' ') | Where-Object {{ $_ -like \"$word*\" }}\n"
      "}}\n",
      program, words);
}

}  // namespace

std::string usage_of(const CLI::App& command) {
  std::string above;
  for (const CLI::App* app = command.get_parent(); app != nullptr; app = app->get_parent()) {
    above = app->get_name() + (above.empty() ? "" : " ") + above;
  }
  return command.help(above);
}

std::optional<std::string> unknown_flag(const std::vector<std::string>& extras) {
  for (const std::string& extra : extras) {
    if (extra.size() > 2 && extra.starts_with("--")) {
      return fmt::format("unknown flag: {}", extra.substr(0, extra.find('=')));
    }
    if (extra.size() > 1 && extra[0] == '-' && extra != "--") {
      return fmt::format("unknown shorthand flag: '{}' in {}", extra[1], extra);
    }
  }
  return std::nullopt;
}

std::string parse_error_text(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (error.get_name() == "ArgumentMismatch") {
    return fmt::format("flag needs an argument: {}", text.substr(0, text.find_first_of(": ")));
  }
  return text;
}

std::optional<std::string> completion_script(std::string_view shell, const CLI::App& program) {
  CommandTable table;
  collect(program, "", {}, table);
  const std::string& name = program.get_name();
  if (shell == "bash") {
    return bash_script(name, table);
  }
  if (shell == "zsh") {
    return fmt::format("#compdef {}\nautoload -U +X bashcompinit && bashcompinit\n{}", name, bash_script(name, table));
  }
  if (shell == "fish") {
    return fish_script(name, table);
  }
  if (shell == "powershell") {
    return powershell_script(name, table);
  }
  return std::nullopt;
}

}  // namespace kuma
