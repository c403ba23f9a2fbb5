#include "xds/server/host_resolver.h"

#include <map>

#include "gtest/gtest.h"
#include "insight/testing.h"
#include "security/testing.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;

class HostResolverTest : public ::testing::Test {
 protected:
  std::vector<std::string> told() { return std::exchange(told_, {}); }

  ManualClock clock_;
  insight::testing::SimulatedExecutor executor_{clock_};
  std::map<std::string, std::string> names_;
  int lookups_ = 0;
  std::vector<std::string> told_;
  HostResolver resolver_{10s, executor_, executor_,
                         [this](const std::string& host) {
                           ++lookups_;
                           return names_[host];
                         },
                         [this](const std::string& host, const std::string& address) { told_.push_back(host + "=" + address); }};
};

TEST_F(HostResolverTest, Looks_new_names_up_at_once_and_all_again_after_the_interval) {
  names_ = {{"a", "10.0.0.1"}};
  resolver_.watch({"a"});
  executor_.run();
  EXPECT_EQ(told(), std::vector<std::string>({"a=10.0.0.1"}));
  resolver_.watch({"a", "b"});
  executor_.run();
  EXPECT_EQ(told(), std::vector<std::string>({"b="}));
  names_["a"] = "10.0.0.2";
  executor_.advance(9s);
  EXPECT_EQ(lookups_, 2);
  executor_.advance(1s);
  EXPECT_EQ(lookups_, 4);
  EXPECT_EQ(told(), std::vector<std::string>({"a=10.0.0.2"}));
}

TEST_F(HostResolverTest, Believes_that_a_name_has_gone_when_it_fails_twice) {
  names_ = {{"a", "10.0.0.1"}};
  resolver_.watch({"a"});
  executor_.run();
  told();
  names_.clear();
  executor_.advance(10s);
  EXPECT_EQ(told(), std::vector<std::string>());
  executor_.advance(10s);
  EXPECT_EQ(told(), std::vector<std::string>({"a="}));
  names_ = {{"a", "10.0.0.1"}};
  executor_.advance(10s);
  EXPECT_EQ(told(), std::vector<std::string>({"a=10.0.0.1"}));
}

TEST_F(HostResolverTest, Does_nothing_when_there_are_no_names) {
  resolver_.watch({});
  executor_.advance(1min);
  EXPECT_EQ(lookups_, 0);
}

TEST_F(HostResolverTest, Looks_up_so_many_at_a_time) {
  std::vector<std::string> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back("host-" + std::to_string(i));
  }
  security::testing::ManualExecutor workers;
  HostResolver resolver(10s, executor_, workers, [](const std::string&) { return std::string("10.0.0.1"); },
                        [this](const std::string& host, const std::string&) { told_.push_back(host); });
  resolver.watch(many);
  EXPECT_EQ(workers.size(), HostResolver::kLookupsMax);
  for (int bound = 0; bound < 100 && workers.run_one(); ++bound) {
    executor_.run();
    EXPECT_LE(workers.size(), HostResolver::kLookupsMax);
  }
  EXPECT_EQ(told().size(), 40U);
}

TEST_F(HostResolverTest, Says_nothing_after_the_end) {
  names_ = {{"a", "10.0.0.1"}};
  resolver_.watch({"a"});
  resolver_.stop();
  executor_.advance(1min);
  EXPECT_EQ(told(), std::vector<std::string>());
}

}  // namespace
}  // namespace kuma::xds
