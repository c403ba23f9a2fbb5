// A process that is killed in the middle of many writes: what it acknowledged is there, and nothing is half done.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

#include "gtest/gtest.h"
#include "store/sqlite_store.h"
#include "store/testing.h"

namespace kuma::store {
namespace {

constexpr size_t kWriters = 4;
constexpr size_t kWritesPerWriter = 2'500;

// Each writer walks through a fixed sequence of writes, four for each `i`: a mesh, a policy that it owns, an update of
// the policy, and for two of three `i` the deletion of the mesh, which takes the policy with it.
struct Step {
  size_t number;

  size_t i() const { return number / 4; }
  std::string mesh(size_t writer) const { return fmt::format("mesh-{}-{}", writer, i()); }
};

absl::Status write_step(Store& store, const TestTypes& types, size_t writer, Step step) {
  const std::string mesh = step.mesh(writer);
  switch (step.number % 4) {
    case 0:
      return store.create(types.mesh(mesh, std::string(300, 'm'))).status();
    case 1:
      return store.create(types.policy(mesh, "policy", "first")).status();
    case 2: {
      model::Resource policy = types.policy(mesh, "policy", "second");
      policy.meta.version = 1;
      return store.update(std::move(policy)).status();
    }
    default:
      return step.i() % 3 == 0 ? store.create(types.dataplane(mesh, "web")).status()
                               : store.remove(types.type("Mesh"), {"", mesh});
  }
}

// What a writer's part of the store looks like after its first `steps` writes, as one text.
std::string expected_state(size_t writer, size_t steps) {
  std::string text;
  for (size_t i = 0; i * 4 < steps; ++i) {
    const size_t done = std::min<size_t>(4, steps - i * 4);
    const std::string mesh = Step{i * 4}.mesh(writer);
    if (done == 4 && i % 3 != 0) {
      continue;
    }
    text += mesh + (done == 1 ? "" : done == 2 ? " first" : " second") + (done == 4 ? " web" : "") + "\n";
  }
  return text;
}

std::string actual_state(const Store& store, const TestTypes& types, size_t writer) {
  std::string text;
  for (size_t i = 0; i * 4 < kWritesPerWriter; ++i) {
    const std::string mesh = Step{i * 4}.mesh(writer);
    const bool has_mesh = store.get(types.type("Mesh"), {"", mesh}).ok();
    const auto policy = store.get(types.type("MeshTimeout"), {mesh, "policy"});
    const auto dataplane = store.get(types.type("Dataplane"), {mesh, "web"});
    if (has_mesh || policy.ok() || dataplane.ok()) {
      text += (has_mesh ? mesh : "ORPHAN of " + mesh) + (policy.ok() ? " " + TestTypes::text_of(**policy) : "") +
              (dataplane.ok() ? " web" : "") + "\n";
    }
  }
  return text;
}

// The life of the child: writes and tells the number of the writer over the pipe after each write that was
// acknowledged.
[[noreturn]] void run_child(const std::filesystem::path& file, int pipe) {
  const TestTypes types;
  auto store = open_sqlite_store(types.registry(), system_clock(), file);
  if (!store.ok()) {
    ::_exit(3);
  }
  std::vector<std::thread> threads;
  for (size_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (size_t number = 0; number < kWritesPerWriter; ++number) {
        const auto acknowledged = static_cast<char>(writer);
        if (!write_step(**store, types, writer, {number}).ok() || ::write(pipe, &acknowledged, 1) != 1) {
          ::_exit(4);
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ::_exit(0);
}

struct Acknowledged {
  std::array<size_t, kWriters> per_writer{};
  size_t total = 0;
};

// Reads acknowledgements, kills the child after `kill_after` of them and reads what is left in the pipe.
Acknowledged kill_in_the_middle(const std::filesystem::path& file, size_t kill_after) {
  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(::pipe(pipe_ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    run_child(file, pipe_ends[1]);
  }
  ::close(pipe_ends[1]);
  Acknowledged acknowledged;
  bool is_killed = false;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(pipe_ends[0], buffer.data(), is_killed ? buffer.size() : 1)) > 0;) {
    for (ssize_t i = 0; i < count; ++i) {
      ++acknowledged.per_writer[static_cast<size_t>(buffer[static_cast<size_t>(i)])];
      ++acknowledged.total;
    }
    if (!is_killed && acknowledged.total >= kill_after) {
      ::kill(child, SIGKILL);
      is_killed = true;
    }
  }
  ::close(pipe_ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "ended by itself: " << WEXITSTATUS(status);
  return acknowledged;
}

class KilledStore : public testing::TestWithParam<size_t> {};

TEST_P(KilledStore, Has_all_that_was_acknowledged_and_nothing_half_written) {
  const TestFolder folder;
  const TestTypes types;
  const std::filesystem::path file = folder.path() / "kuma.db";
  const Acknowledged acknowledged = kill_in_the_middle(file, GetParam());
  EXPECT_GE(acknowledged.total, GetParam());

  auto store = open_sqlite_store(types.registry(), system_clock(), file);
  ASSERT_TRUE(store.ok()) << store.status();
  for (size_t writer = 0; writer < kWriters; ++writer) {
    const size_t steps = acknowledged.per_writer[writer];
    const std::string actual = actual_state(**store, types, writer);
    // The write that was under way may have made it or not, but not in part.
    EXPECT_TRUE(actual == expected_state(writer, steps) || actual == expected_state(writer, steps + 1))
        << "writer " << writer << " after " << steps << " acknowledged writes has\n"
        << actual;
  }
  EXPECT_TRUE((*store)->create(types.mesh("alive")).ok());
}

INSTANTIATE_TEST_SUITE_P(After, KilledStore, testing::Values(1, 100, 1'500, 5'000),
                         [](const auto& param) { return std::to_string(param.param) + "_writes"; });

}  // namespace
}  // namespace kuma::store
