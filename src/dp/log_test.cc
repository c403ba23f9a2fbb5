#include "dp/log.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "dp/log_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::dp {
namespace {

using std::chrono::milliseconds;

TEST(Log, Writes_tab_separated_lines_with_fields_as_spaced_json) {
  const ManualClock clock(WallTime(milliseconds(1'700'000'000'678)));
  std::string out;
  Log log(clock, Log::Level::Info, [&](std::string_view line) { out += line; });
  log.info("run", "starting", {{"version", "2.5.11"}, {"list", json::array{1, "a"}}});
  log.error("run.envoy", "no \"fields\"");
  log.debug("run", "not shown");
  EXPECT_EQ(out,
            "2023-11-14T22:13:20.678Z\tINFO\tkuma-dp.run\tstarting\t{\"version\": \"2.5.11\", \"list\": [1, \"a\"]}\n"
            "2023-11-14T22:13:20.678Z\tERROR\tkuma-dp.run.envoy\tno \"fields\"\n");
}

TEST(Log, Is_silent_when_off_and_talks_when_debugging) {
  const ManualClock clock;
  std::string out;
  Log off(clock, Log::Level::Off, [&](std::string_view line) { out += line; });
  off.error("run", "x");
  EXPECT_EQ(out, "");
  Log debug(clock, Log::Level::Debug, [&](std::string_view line) { out += line; });
  debug.debug("run", "x");
  EXPECT_THAT(out, testing::HasSubstr("\tDEBUG\tkuma-dp.run\tx\n"));
}

class LogFileTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      out.push_back(entry.path().filename().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string content(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(dir_ + "/" + name).rdbuf();
    return text.str();
  }

  std::string dir_ =
      testing::TempDir() + "kuma-dp-log-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  ManualClock clock_{WallTime(milliseconds(1'700'000'000'678))};
};

TEST_F(LogFileTest, Says_why_it_cannot_be_opened) {
  const auto file = LogFile::open(clock_, "/proc/none/x.log", {});
  EXPECT_THAT(std::string(file.status().message()), testing::StartsWith("open /proc/none/x.log: "));
}

TEST_F(LogFileTest, Puts_a_full_file_aside_under_the_time) {
  auto file = *LogFile::open(clock_, dir_ + "/dp.log", {.size_max = 10});
  file->write("12345678\n");
  file->write("second\n");
  EXPECT_THAT(names(), testing::ElementsAre("dp-2023-11-14T22-13-20.678.log", "dp.log"));
  EXPECT_EQ(content("dp.log"), "second\n");
}

TEST_F(LogFileTest, Keeps_only_so_many_files) {
  auto file = *LogFile::open(clock_, dir_ + "/dp.log", {.size_max = 2, .files_max = 2});
  for (int i = 0; i < 6; ++i) {
    file->write(std::to_string(i) + "\n");
    clock_.advance(milliseconds(1000));
  }
  EXPECT_THAT(names(),
              testing::ElementsAre("dp-2023-11-14T22-13-24.678.log", "dp-2023-11-14T22-13-25.678.log", "dp.log"));
}

TEST_F(LogFileTest, Keeps_files_only_so_long) {
  auto file = *LogFile::open(clock_, dir_ + "/dp.log", {.size_max = 2, .age_max = std::chrono::seconds(10)});
  file->write("0\n");
  file->write("1\n");
  clock_.advance(std::chrono::seconds(20));
  file->write("2\n");
  EXPECT_THAT(names(), testing::ElementsAre("dp-2023-11-14T22-13-40.678.log", "dp.log"));
}

}  // namespace
}  // namespace kuma::dp
