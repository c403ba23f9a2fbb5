#include "ctl/transparent_rules.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kuma::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename Result>
std::string problem(const Result& result) {
  return result.ok() ? "fine" : std::string(message_of(result.status()));
}

TEST(UidExclusion, Says_what_is_wrong_with_it) {
  EXPECT_EQ(problem(parse_uid_exclusion("")), "value: '' is invalid - format for excluding ports by uids <protocol:>?<ports:>?uids");
  EXPECT_EQ(problem(parse_uid_exclusion("a:b:c:d")), "value: 'a:b:c:d' is invalid - format for excluding ports by uids <protocol:>?<ports:>?uids");
  EXPECT_EQ(problem(parse_uid_exclusion("*")), "can't use wildcard '*' for uids");
  EXPECT_EQ(problem(parse_uid_exclusion("53:1,2")), "uid entry invalid:'1,2', it should either be a single item or a range");
  EXPECT_EQ(problem(parse_uid_exclusion("53,x:1")), "values or range 'x' failed validation: value 'x', is not valid uint16");
  EXPECT_EQ(problem(parse_uid_exclusion("sctp:53:1")), "protocol 'sctp' is invalid or unsupported");
}

TEST(UidExclusion, Is_one_for_each_protocol) {
  const auto both = *parse_uid_exclusion("106");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].protocol, "tcp");
  EXPECT_EQ(both[1].protocol, "udp");
  EXPECT_EQ(both[0].ports, "1:65535");
  const auto one = *parse_uid_exclusion("tcp:53,3000-5000:106-108");
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].ports, "53,3000:5000");
  EXPECT_EQ(one[0].uids, "106:108");
}

TEST(Ports, Are_numbers_that_a_port_can_be) {
  EXPECT_EQ(problem(parse_ports("80,")), "value '', is not valid uint16");
  EXPECT_EQ(problem(parse_ports("80,65536")), "value '65536', is not valid uint16");
  EXPECT_THAT(*parse_ports("80, 443"), testing::ElementsAre(80, 443));
  EXPECT_THAT(*parse_ports(""), testing::IsEmpty());
}

TEST(VirtualNetwork, Is_an_interface_and_a_CIDR) {
  EXPECT_EQ(problem(parse_virtual_network("docker0")), "incorrect definition of virtual network: docker0");
  EXPECT_THAT(problem(parse_virtual_network("docker0:172.17.0.0")), HasSubstr("incorrect CIDR definition"));
  EXPECT_THAT(problem(parse_virtual_network("docker0:172.17.0.0/33")), HasSubstr("incorrect CIDR definition"));
  EXPECT_EQ(parse_virtual_network("br+:fd00::/64")->cidr, "fd00::/64");
}

TEST(TransparentRules, Lead_all_TCP_through_the_proxy_but_the_proxys_own) {
  EXPECT_EQ(transparent_rules({.uid = "5678"}, IpFamily::V4),
            "* nat\n"
            "-N KUMA_MESH_INBOUND\n"
            "-N KUMA_MESH_OUTBOUND\n"
            "-N KUMA_MESH_INBOUND_REDIRECT\n"
            "-N KUMA_MESH_OUTBOUND_REDIRECT\n"
            "-A PREROUTING -p tcp -j KUMA_MESH_INBOUND\n"
            "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND\n"
            "-A KUMA_MESH_INBOUND -p tcp -j KUMA_MESH_INBOUND_REDIRECT\n"
            "-A KUMA_MESH_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN\n"
            "-A KUMA_MESH_OUTBOUND -p tcp -o lo ! -d 127.0.0.1/32 -m owner --uid-owner 5678 -j KUMA_MESH_INBOUND_REDIRECT\n"
            "-A KUMA_MESH_OUTBOUND -p tcp -o lo -m owner ! --uid-owner 5678 -j RETURN\n"
            "-A KUMA_MESH_OUTBOUND -m owner --uid-owner 5678 -j RETURN\n"
            "-A KUMA_MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN\n"
            "-A KUMA_MESH_OUTBOUND -j KUMA_MESH_OUTBOUND_REDIRECT\n"
            "-A KUMA_MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15006\n"
            "-A KUMA_MESH_OUTBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15001\n"
            "COMMIT\n");
}

TEST(TransparentRules, Have_a_form_for_IPv6) {
  const std::string rules = transparent_rules({.uid = "5678"}, IpFamily::V6);
  EXPECT_THAT(rules, HasSubstr("-s ::6/128 -o lo -j RETURN"));
  EXPECT_THAT(rules, HasSubstr("! -d ::1/128"));
  EXPECT_THAT(rules, HasSubstr("KUMA_MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15010"));
  EXPECT_THAT(rules, HasSubstr("KUMA_MESH_OUTBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15001"));
}

TEST(TransparentRules, Leave_out_what_is_excluded) {
  TransparentSettings settings{.uid = "5678", .exclude_inbound = {22, 443}, .exclude_outbound = {3306}};
  settings.exclude_for_uids = *parse_uid_exclusion("tcp:53,3000-5000:106-108");
  const std::string rules = transparent_rules(settings, IpFamily::V4);
  EXPECT_THAT(rules, HasSubstr("-A KUMA_MESH_INBOUND -p tcp --dport 22 -j RETURN\n-A KUMA_MESH_INBOUND -p tcp --dport 443 -j RETURN\n"
                               "-A KUMA_MESH_INBOUND -p tcp -j KUMA_MESH_INBOUND_REDIRECT\n"));
  EXPECT_THAT(rules, HasSubstr("-A KUMA_MESH_OUTBOUND -p tcp --dport 3306 -j RETURN\n-A KUMA_MESH_OUTBOUND -s 127.0.0.6/32"));
  EXPECT_THAT(rules, HasSubstr("-I OUTPUT 1 -m multiport -p tcp --dport 53,3000:5000 -m owner --uid-owner 106:108 -j RETURN\n"
                               "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND\n"));
  settings.redirect_inbound = false;
  EXPECT_THAT(transparent_rules(settings, IpFamily::V4), HasSubstr("-A KUMA_MESH_INBOUND -p tcp -j RETURN\n-A KUMA_MESH_OUTBOUND"));
}

TEST(TransparentRules, Redirect_all_DNS) {
  EXPECT_THAT(transparent_rules({.uid = "5678", .redirect_all_dns = true}, IpFamily::V4),
              testing::AllOf(testing::StartsWith("* raw\n"
                                                 "-A PREROUTING -p udp --sport 53 -j CT --zone 1\n"
                                                 "-A OUTPUT -p udp --dport 53 -m owner --uid-owner 5678 -j CT --zone 1\n"
                                                 "-A OUTPUT -p udp --sport 15053 -m owner --uid-owner 5678 -j CT --zone 2\n"
                                                 "-A OUTPUT -p udp --dport 53 -j CT --zone 2\n"
                                                 "COMMIT\n"
                                                 "* nat\n"),
                             HasSubstr("-I OUTPUT 1 -p udp --dport 53 -m owner --uid-owner 5678 -j RETURN\n"
                                       "-I OUTPUT 2 -p udp --dport 53 -j REDIRECT --to-ports 15053\n"
                                       "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND\n"),
                             HasSubstr("-A KUMA_MESH_OUTBOUND -p tcp ! --dport 53 -o lo ! -d 127.0.0.1/32"),
                             HasSubstr("-m owner --uid-owner 5678 -j RETURN\n"
                                       "-A KUMA_MESH_OUTBOUND -p tcp --dport 53 -j REDIRECT --to-ports 15053\n"
                                       "-A KUMA_MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN\n")));
}

TEST(TransparentRules, Redirect_the_DNS_of_the_hosts_name_servers) {
  const TransparentSettings settings{.uid = "1", .redirect_dns = true, .split_conntrack_zones = false, .dns_upstream_chain = "DOCKER_OUTPUT",
                                     .name_servers = {"10.0.0.2", "fd00::2"}};
  const std::string rules = transparent_rules(settings, IpFamily::V4);
  EXPECT_THAT(rules, HasSubstr("-I OUTPUT 1 -p udp --dport 53 -m owner --uid-owner 1 -j DOCKER_OUTPUT\n"
                               "-I OUTPUT 2 -d 10.0.0.2 -p udp --dport 53 -j REDIRECT --to-ports 15053\n-A OUTPUT"));
  EXPECT_THAT(rules, Not(HasSubstr("* raw")));
  const std::string rules_v6 = transparent_rules(settings, IpFamily::V6);
  EXPECT_THAT(rules_v6, HasSubstr("-I OUTPUT 1 -p udp --dport 53 -m owner --uid-owner 1 -j RETURN\n-I OUTPUT 2 -d fd00::2 -p udp"));
}

TEST(TransparentRules, Take_in_virtual_networks_of_the_family) {
  EXPECT_THAT(transparent_rules({.uid = "1", .networks = {{"docker0", "172.17.0.0/16"}, {"br0", "fd00::/64"}}}, IpFamily::V4),
              HasSubstr("-I PREROUTING 1 -i docker0 -m udp -p udp --dport 53 -j REDIRECT --to-ports 15053\n"
                        "-I PREROUTING 2 ! -d 172.17.0.0/16 -i docker0 -p tcp -j REDIRECT --to-ports 15001\n"
                        "-I PREROUTING 3 -p tcp -j KUMA_MESH_INBOUND\n-A OUTPUT"));
}

TEST(TransparentRules, Are_written_out_when_that_is_asked) {
  const std::string rules = transparent_rules({.uid = "1", .redirect_all_dns = true, .verbose = true}, IpFamily::V4);
  EXPECT_THAT(rules, testing::StartsWith("* raw\n\n# Rules:\n--append PREROUTING --protocol udp --source-port 53 --jump CT --zone 1\n"));
  EXPECT_THAT(rules, HasSubstr("\n\nCOMMIT\n\n* nat\n\n# Custom Chains:\n--new-chain KUMA_MESH_INBOUND\n"));
  EXPECT_THAT(rules, HasSubstr("--insert OUTPUT 1 --protocol udp --destination-port 53 --match owner --uid-owner 1 --jump RETURN\n"));
}

}  // namespace
}  // namespace kuma::ctl
