#include "dp/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "dp/files.h"
#include "dp/main_loop.h"
#include "dp/output_pump.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Scripts that stand in for Envoy.
class ProcessTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string script(const std::string& body) {
    const std::string path = dir_ + "/envoy";
    std::ofstream(path) << "#!/bin/sh\n" << body;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::unique_ptr<ChildProcess> start(const std::string& body) {
    auto child =
        ChildProcess::start({.program = script(body), .arguments = {}, .capture_stdout = true, .capture_stderr = true});
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }
  // Blocks until the child says so, or has closed its output.
  static std::string read_line(const Fd& fd) {
    std::string line;
    char c = 0;
    while (::read(fd.get(), &c, 1) == 1 && c != '\n') {
      line += c;
    }
    return line;
  }
  static bool exists(pid_t pid) {
    // A zombie that init has not yet collected counts as gone.
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string id, name, state;
    return stat >> id >> name >> state && state != "Z" && state != "X";
  }

  std::string dir_ =
      testing::TempDir() + "kuma-dp-process-" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ProcessTest, Says_why_a_program_does_not_start) {
  const auto missing = ChildProcess::start({.program = dir_ + "/none", .arguments = {}});
  EXPECT_EQ(missing.status().message(), "fork/exec " + dir_ + "/none: no such file or directory");
  std::ofstream(dir_ + "/text") << "hello";
  const auto text = ChildProcess::start({.program = dir_ + "/text", .arguments = {}});
  EXPECT_EQ(text.status().message(), "fork/exec " + dir_ + "/text: permission denied");
}

TEST_F(ProcessTest, Tells_how_a_program_ended) {
  EXPECT_EQ(start("exit 3")->wait().text(), "exit status 3");
  EXPECT_TRUE(start("exit 0")->wait().ok());
  EXPECT_EQ(start("kill -9 $$")->wait().text(), "signal: killed");
}

TEST_F(ProcessTest, Passes_arguments_and_keeps_output_apart) {
  auto child = *ChildProcess::start({.program = script("echo \"$1|$2\"; echo problem >&2"),
                                     .arguments = {"a b", "c"},
                                     .capture_stdout = true,
                                     .capture_stderr = true});
  const Fd out = child->take_stdout();
  const Fd err = child->take_stderr();
  EXPECT_EQ(read_line(out), "a b|c");
  EXPECT_EQ(read_line(err), "problem");
}

TEST_F(ProcessTest, Runs_programs_in_a_group_of_their_own_with_default_signals) {
  ::signal(SIGPIPE, SIG_IGN);
  auto child =
      start("ps -o pgid= -p $$ | tr -d ' '; trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
  const Fd out = child->take_stdout();
  EXPECT_EQ(read_line(out), std::to_string(child->pid()));
  EXPECT_EQ(read_line(out), "ready");
  EXPECT_EQ(child->try_wait(), std::nullopt);
  child->signal_group(SIGTERM);
  EXPECT_EQ(read_line(out), "asked");
  EXPECT_TRUE(child->wait().ok());
  child->signal_group(SIGTERM);  // nobody there any more
}

TEST_F(ProcessTest, Kills_one_that_ignores_SIGTERM) {
  auto child = start("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  const Fd out = child->take_stdout();
  EXPECT_EQ(read_line(out), "ready");
  child->signal_group(SIGTERM);
  EXPECT_EQ(child->try_wait(), std::nullopt);
  child->signal_group(SIGKILL);
  EXPECT_EQ(child->wait().text(), "signal: killed");
}

TEST_F(ProcessTest, Leaves_no_grandchild_when_the_child_ends_by_itself) {
  auto child = start("sleep 1000 >/dev/null 2>&1 & echo $!");
  const Fd out = child->take_stdout();
  const pid_t grandchild = std::stoi(read_line(out));
  EXPECT_TRUE(child->wait().ok());
  for (int i = 0; i < 1000 && exists(grandchild); ++i) {
    ::poll(nullptr, 0, 1);
  }
  EXPECT_FALSE(exists(grandchild));
}

TEST_F(ProcessTest, Leaves_nothing_when_it_is_destroyed) {
  auto child = start("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  const Fd out = child->take_stdout();
  read_line(out);
  const pid_t pid = child->pid();
  child.reset();
  EXPECT_FALSE(exists(pid));
}

TEST_F(ProcessTest, Dies_with_its_parent) {
  // A parent of its own, killed without a chance to clean up.
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const std::string program = script("echo $$; exec sleep 1000");
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto child =
        ChildProcess::start({.program = program, .arguments = {}, .capture_stdout = true, .capture_stderr = false});
    const std::string pid = child.ok() ? std::to_string((*child)->pid()) + "\n" : "0\n";
    [[maybe_unused]] const auto written = ::write(ends[1], pid.data(), pid.size());
    ::pause();
  }
  ::close(ends[1]);
  const Fd said(ends[0]);
  const pid_t child = std::stoi(read_line(said));
  ASSERT_GT(child, 0);
  ASSERT_TRUE(exists(child));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  for (int i = 0; i < 2000 && exists(child); ++i) {
    ::poll(nullptr, 0, 1);
  }
  EXPECT_FALSE(exists(child));
}

TEST_F(ProcessTest, Captures_a_short_answer) {
  const auto answer = run_and_capture(system_clock(), script("echo version: $1"), {"1"});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "version: 1\n");
}

TEST_F(ProcessTest, Bounds_what_it_captures_in_time_and_size) {
  const auto silent = run_and_capture(system_clock(), script("sleep 1000"), {}, {.timeout = 50ms});
  EXPECT_THAT(std::string(silent.status().message()), HasSubstr("did not end within 50 ms"));
  const auto closed = run_and_capture(system_clock(), script("exec >&-; sleep 1000"), {}, {.timeout = 50ms});
  EXPECT_THAT(std::string(closed.status().message()), HasSubstr("did not end within 50 ms"));
  const auto flood =
      run_and_capture(system_clock(), script("while :; do echo x; done"), {}, {.timeout = 10s, .size_max = 1000});
  EXPECT_THAT(std::string(flood.status().message()), HasSubstr("wrote more than 1000 bytes"));
  const auto failed = run_and_capture(system_clock(), script("exit 2"), {});
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("exit status 2"));
}

TEST_F(ProcessTest, Main_loop_hears_of_the_end_of_a_child_and_of_signals) {
  auto loop = *MainLoop::make(system_clock());
  auto child = start("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  const Fd out = child->take_stdout();
  EXPECT_EQ(read_line(out), "ready");
  std::vector<int> signals;
  std::optional<ExitStatus> status;
  loop->on_signal([&](int signal) {
    signals.push_back(signal);
    if (signal == SIGINT) {
      child->signal_group(SIGTERM);
    } else if ((status = child->try_wait())) {
      loop->stop();
    }
  });
  auto timer = loop->post_after(1ms, [] { ::kill(::getpid(), SIGINT); });
  auto cancelled = loop->post_after(0ms, [] { ADD_FAILURE() << "cancelled"; });
  cancelled.reset();
  auto limit = loop->post_after(30s, [&] {
    ADD_FAILURE() << "too slow";
    loop->stop();
  });
  loop->run();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 7);
  EXPECT_EQ(signals.front(), SIGINT);
}

TEST_F(ProcessTest, Main_loop_runs_what_other_threads_post_in_order) {
  auto loop = *MainLoop::make(system_clock());
  std::vector<int> ran;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      loop->post([&, i] { ran.push_back(i); });
    }
    loop->post([&] { loop->stop(); });
    loop->post([] { ADD_FAILURE() << "after stop()"; });
  });
  loop->run();
  other.join();
  EXPECT_EQ(ran.size(), 100u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

// The reading end of a pipe as the sink of a pump.
struct Sink {
  Sink() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  std::string read_all() {
    write_end.reset();
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t size = 0; (size = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<size_t>(size));
    }
    return text;
  }
  Fd read_end;
  Fd write_end;
};

TEST_F(ProcessTest, Output_is_passed_on_unchanged_and_seen_by_lines) {
  Sink sink;
  std::vector<std::string> lines;
  auto child = start("printf 'one\\ntwo\\n\\nlast' >&2");
  {
    OutputPump pump(child->take_stderr(), sink.write_end.get(),
                    [&](std::string_view line) { lines.emplace_back(line); });
    child->wait();
    pump.finish(1s);
  }
  EXPECT_THAT(lines, testing::ElementsAre("one", "two", "", "last"));
  EXPECT_EQ(sink.read_all(), "one\ntwo\n\nlast");
}

TEST_F(ProcessTest, A_flood_of_output_that_nobody_reads_holds_the_child_but_not_us) {
  Sink sink;
  std::atomic<int> lines = 0;
  auto child = start("while :; do echo 0123456789012345678901234567890123456789 >&2; done");
  OutputPump pump(child->take_stderr(), sink.write_end.get(), [&](std::string_view) { ++lines; });
  while (lines < 1000) {  // the pipe holds more than that
    ::poll(nullptr, 0, 1);
  }
  child.reset();
  pump.finish(20ms);  // returns, though the sink is full
}

TEST_F(ProcessTest, A_closed_output_does_not_hold_the_child) {
  Sink sink;
  sink.read_end.reset();
  ::signal(SIGPIPE, SIG_IGN);
  auto child = start("i=0; while [ $i -lt 20000 ]; do echo 0123456789 >&2; i=$((i+1)); done");
  OutputPump pump(child->take_stderr(), sink.write_end.get(), [](std::string_view) {});
  EXPECT_TRUE(child->wait().ok());
}

TEST_F(ProcessTest, Long_lines_are_seen_by_their_beginning_and_passed_on_whole) {
  Sink sink;
  std::vector<std::string> lines;
  auto child = start("head -c 40000 /dev/zero | tr '\\0' x >&2; echo >&2; echo next >&2");
  OutputPump pump(child->take_stderr(), sink.write_end.get(), [&](std::string_view line) { lines.emplace_back(line); });
  child->wait();
  pump.finish(1s);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), 16u * 1024);
  EXPECT_EQ(lines[1], "next");
  EXPECT_EQ(sink.read_all().size(), 40000u + 6);
}

}  // namespace
}  // namespace kuma::dp
