#include "base/cli.h"

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// kuma-x [--level] get [-o] mesh
struct Program {
  CLI::App root{"Does things.", "kuma-x"};
  CLI::App* get = root.add_subcommand("get", "Show things");
  CLI::App* mesh = get->add_subcommand("mesh", "Show a mesh");
  std::string level, output;

  Program() {
    root.add_option("--level", level, "how much");
    get->add_option("-o,--output", output, "how");
  }
};

TEST(CompletionScript, Is_nothing_for_a_shell_that_nobody_knows) {
  EXPECT_EQ(completion_script("tcsh", Program().root), std::nullopt);
  EXPECT_EQ(completion_script("", Program().root), std::nullopt);
}

TEST(CompletionScript, Offers_a_commands_commands_and_the_flags_of_all_above_it) {
  const std::string bash = *completion_script("bash", Program().root);
  EXPECT_THAT(bash, HasSubstr("\"\") words=\"get --help --level\"; files= ;;"));
  EXPECT_THAT(bash, HasSubstr("\" get\") words=\"mesh --help --output --level\"; files= ;;"));
  EXPECT_THAT(bash, HasSubstr("\" get mesh\") words=\"--help --output --level\"; files=yes ;;"));
  EXPECT_THAT(bash, HasSubstr("complete -F _kuma_x kuma-x"));
}

TEST(CompletionScript, Knows_the_other_shells) {
  EXPECT_THAT(*completion_script("zsh", Program().root), ::testing::StartsWith("#compdef kuma-x\n"));
  EXPECT_THAT(*completion_script("fish", Program().root),
              HasSubstr("complete -c kuma-x -n '__fish_seen_subcommand_from get; and __fish_seen_subcommand_from mesh' -a "));
  EXPECT_THAT(*completion_script("powershell", Program().root), HasSubstr("' get' = 'mesh --help --output --level'"));
}

TEST(UsageOf, Names_the_program_and_the_groups_above_a_command) {
  const Program program;
  EXPECT_THAT(usage_of(*program.mesh), HasSubstr("Usage: kuma-x get mesh [OPTIONS]"));
  EXPECT_THAT(usage_of(program.root), HasSubstr("Usage: kuma-x [OPTIONS]"));
}

TEST(UnknownFlag, Finds_the_first_argument_that_looks_like_a_flag) {
  EXPECT_EQ(unknown_flag({}), std::nullopt);
  EXPECT_EQ(unknown_flag({"a", "-", "--"}), std::nullopt);
  EXPECT_EQ(unknown_flag({"a", "--b=c", "-d"}), "unknown flag: --b");
  EXPECT_EQ(unknown_flag({"-de"}), "unknown shorthand flag: 'd' in -de");
}

TEST(ParseErrorText, Says_which_flag_needs_an_argument) {
  Program program;
  try {
    program.root.parse("--level", false);
    FAIL() << "no value, no error";
  } catch (const CLI::ParseError& error) {
    EXPECT_EQ(parse_error_text(error), "flag needs an argument: --level");
  }
}

}  // namespace
}  // namespace kuma
