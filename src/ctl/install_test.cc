#include <algorithm>
#include <map>
#include <sstream>

#include "base/status.h"
#include "ctl/run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::ctl {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Runs kumactl on a host that has the programs of `versions_` and the user kuma, uid 5678.
class InstallTest : public ::testing::Test {
 protected:
  int kumactl(const std::vector<std::string>& arguments) {
    std::istringstream in;
    std::ostringstream out, err;
    const Environment environment{.in = in, .out = out, .err = err, .home = "/nowhere", .clock = system_clock(), .registry = registry_, .http = nullptr, .host = host()};
    const int code = run(arguments, environment);
    out_ = out.str();
    err_ = err.str();
    return code;
  }
  int install(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"install", "transparent-proxy"});
    return kumactl(arguments);
  }

  Host host() {
    return {.run = [this](const std::vector<std::string>& arguments) { return run_program(arguments); },
            .has_uid = [](const std::string& uid) { return uid == "5678"; },
            .uid_of = [](const std::string& user) { return user == "kuma" ? std::optional<std::string>("5678") : std::nullopt; },
            .name_servers = [] { return std::vector<std::string>{"10.0.0.2"}; },
            .has_ipv6_address = [this] { return ipv6_; },
            .loopback = [] { return std::string("lo"); },
            .write_temporary = [](const std::string& prefix, const std::string&) { return absl::StatusOr<std::string>("/tmp/" + prefix + "1"); },
            .pause = [this](std::chrono::nanoseconds) { ++pauses_; }};
  }

  absl::StatusOr<ProgramResult> run_program(const std::vector<std::string>& arguments) {
    std::string line;
    for (const std::string& argument : arguments) {
      line += (line.empty() ? "" : " ") + argument;
    }
    const auto version = versions_.find(arguments[0]);
    if (version == versions_.end()) {
      return absl::NotFoundError(arguments[0] + ": no such file or directory");
    }
    if (arguments.size() > 1 && arguments[1] == "--version") {
      return ProgramResult{.code = 0, .output = version->second};
    }
    runs_.push_back(line);
    const bool fails = std::any_of(failing_.begin(), failing_.end(), [&](const std::string& start) { return line.starts_with(start); });
    return ProgramResult{.code = fails ? 4 : 0, .output = nat_};
  }

  const model::Registry registry_{model::core_types()};
  std::map<std::string, std::string> versions_ = {{"iptables-nft", "v1.8 (nf_tables)"}, {"iptables-nft-save", "v1.8 (nf_tables)"},
                                                  {"iptables-nft-restore", "v1.8 (nf_tables)"}, {"iptables", "v1.8 (nf_tables)"}};
  std::vector<std::string> failing_, runs_;
  std::string nat_, out_, err_;
  bool ipv6_ = false;
  int pauses_ = 0;
};

TEST_F(InstallTest, Says_what_is_wrong_with_the_flags) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "--kuma-dp-user or --kuma-dp-uid should be supplied"},
      {{"--kuma-dp-uid", "1", "--redirect-dns", "--redirect-all-dns-traffic"}, "one of --redirect-dns or --redirect-all-dns-traffic should be specified"},
      {{"--kuma-dp-user", "nobody-here"}, "unable to find the kuma-dp user: --kuma-dp-user or --kuma-dp-uid should refer to a valid user on the host"},
      {{"--kuma-dp-uid", "1", "--redirect-inbound-port", "x"},
       "failed to setup transparent proxy: parsing inbound redirect port failed: value 'x', is not valid uint16"},
      {{"--kuma-dp-uid", "1", "--redirect-dns-port", "70000"},
       "failed to setup transparent proxy: parsing agent DNS listener port failed: value '70000', is not valid uint16"},
      {{"--kuma-dp-uid", "1", "--exclude-inbound-ports", "22,y"},
       "failed to setup transparent proxy: cannot parse inbound ports to exclude: value 'y', is not valid uint16"},
      {{"--kuma-dp-uid", "1", "--exclude-outbound-ports-for-uids", "*"},
       "failed to setup transparent proxy: parsing excluded outbound ports for uids failed: can't use wildcard '*' for uids"},
      {{"--kuma-dp-uid", "1", "--vnet", "docker0"},
       "failed to setup transparent proxy: parsing virtual networks failed: incorrect definition of virtual network: docker0"}};
  for (const auto& [arguments, text] : cases) {
    EXPECT_EQ(install(arguments), 1);
    EXPECT_EQ(err_, "Error: " + text + "\n");
    EXPECT_EQ(out_, "");
  }
  EXPECT_TRUE(runs_.empty());
}

TEST_F(InstallTest, Refuses_what_it_cannot_do) {
  EXPECT_EQ(install({"--kuma-dp-uid", "1", "--ebpf-enabled"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: --ebpf-enabled: "));
  EXPECT_EQ(install({"--kuma-dp-uid", "1", "--store-firewalld"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: --store-firewalld: "));
  EXPECT_EQ(kumactl({"uninstall", "transparent-proxy"}), 1);
  EXPECT_EQ(err_, "Error: transparent proxy cleanup failed: cleanup is not supported\n");
}

TEST_F(InstallTest, Prints_the_rules_of_a_dry_run_and_changes_nothing) {
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-user", "kuma", "--redirect-inbound=false"}), 0) << err_;
  EXPECT_THAT(out_, StartsWith("* nat\n-N KUMA_MESH_INBOUND\n"));
  EXPECT_THAT(out_, HasSubstr("-A KUMA_MESH_INBOUND -p tcp -j RETURN\n"));
  EXPECT_THAT(out_, HasSubstr("--uid-owner 5678"));
  EXPECT_THAT(out_, EndsWith("COMMIT\n# Transparent proxy set up successfully, you can now run kuma-dp using transparent-proxy.\n"));
  EXPECT_TRUE(runs_.empty());
}

TEST_F(InstallTest, Takes_a_uid_that_nobody_has) {
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-uid", "4711"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("--uid-owner 4711"));
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-uid", "4711", "--kuma-dp-user", "kuma"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("--uid-owner 5678"));
}

TEST_F(InstallTest, Shows_the_rules_of_IPv6_in_a_dry_run_where_there_is_IPv6) {
  ipv6_ = true;
  versions_["ip6tables"] = "v1.8 (nf_tables)";
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-uid", "1"}), 0);
  EXPECT_THAT(out_, HasSubstr("::1/128"));
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-uid", "1", "--redirect-inbound-port-v6", "0"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("::1/128")));
}

TEST_F(InstallTest, Leaves_conntrack_zones_out_where_iptables_does_not_know_them) {
  failing_ = {"iptables -m conntrack"};
  EXPECT_EQ(install({"--dry-run", "--kuma-dp-uid", "1", "--redirect-all-dns-traffic"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("* raw")));
  EXPECT_THAT(err_, StartsWith("# [WARNING] error occurred when validating if 'conntrack' iptables module is present."));
}

TEST_F(InstallTest, Sets_the_rules) {
  EXPECT_EQ(install({"--kuma-dp-uid", "1", "--redirect-dns", "--skip-dns-conntrack-zone-split"}), 0) << err_;
  EXPECT_THAT(runs_, Contains("iptables-nft-restore --noflush /tmp/iptables-rules-1"));
  EXPECT_THAT(out_, HasSubstr("-d 10.0.0.2 -p udp --dport 53 -j REDIRECT --to-ports 15053"));
  EXPECT_EQ(pauses_, 0);
}

TEST_F(InstallTest, Asks_dockers_name_server_where_it_is_in_between) {
  nat_ = ":DOCKER_OUTPUT - [0:0]";
  EXPECT_EQ(install({"--kuma-dp-uid", "1", "--redirect-all-dns-traffic"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("-m owner --uid-owner 1 -j DOCKER_OUTPUT"));
}

TEST_F(InstallTest, Tries_the_other_kind_and_then_again) {
  failing_ = {"iptables-nft-restore", "iptables-legacy-restore"};
  versions_.insert({{"iptables-legacy", "v1.8 (legacy)"}, {"iptables-legacy-save", "v1.8"}, {"iptables-legacy-restore", "v1.8 (legacy)"}});
  EXPECT_EQ(install({"--kuma-dp-uid", "1", "--max-retries", "2", "--wait", "7"}), 1);
  EXPECT_EQ(std::count(runs_.begin(), runs_.end(), "iptables-nft-restore --noflush /tmp/iptables-rules-1"), 3);
  EXPECT_EQ(std::count(runs_.begin(), runs_.end(), "iptables-legacy-restore --wait=7 --noflush /tmp/iptables-rules-1"), 3);
  EXPECT_EQ(pauses_, 2);
  EXPECT_THAT(err_, StartsWith("Error: failed to setup transparent proxy: iptables-nft-restore failed 3 times: "));
}

TEST_F(InstallTest, Says_that_there_is_no_iptables) {
  versions_.clear();
  EXPECT_EQ(install({"--kuma-dp-uid", "1"}), 1);
  EXPECT_THAT(err_, StartsWith("Error: failed to setup transparent proxy: no valid iptables executable found: "));
}

TEST(Host, Runs_programs_and_says_when_there_is_none) {
  const Host host = make_host();
  EXPECT_EQ(host.run({"/nowhere/x"}).status().code(), absl::StatusCode::kNotFound);
  const auto result = host.run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->code, 3);
  EXPECT_EQ(result->output, "out\nerr\n");
  EXPECT_EQ(host.run({"sh", "-c", "kill -9 $$"})->code, 128 + 9);
}

TEST(Host, Knows_its_users) {
  const Host host = make_host();
  EXPECT_TRUE(host.has_uid("0"));
  EXPECT_FALSE(host.has_uid("-1"));
  EXPECT_FALSE(host.has_uid("99999999999"));
  EXPECT_EQ(host.uid_of("root"), "0");
  EXPECT_EQ(host.uid_of("no such user"), std::nullopt);
}

}  // namespace
}  // namespace kuma::ctl
