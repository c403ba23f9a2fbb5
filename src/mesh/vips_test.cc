#include "mesh/vips.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/vip_range.h"

namespace kuma::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

VipPort service_port(const std::string& service, uint32_t port = 0) { return {port, {{"kuma.io/service", service}}, "service"}; }

VipTable services(const std::vector<std::string>& names) {
  VipTable table;
  for (const std::string& name : names) {
    table[{VipKind::Service, name}] = {"", {service_port(name)}};
  }
  return table;
}

VipRange range(std::string_view cidr) { return *VipRange::parse(cidr); }

std::vector<std::string> addresses(const VipTable& table) {
  std::vector<std::string> all;
  for (const auto& [key, entry] : table) {
    all.push_back(key.name + "=" + entry.address);
  }
  return all;
}

std::vector<std::string> outbounds(const Vips& vips) {
  std::vector<std::string> all;
  for (const VipOutbound& one : vips.outbounds) {
    all.push_back(fmt::format("{}:{}={}", one.address, one.port, tag(one.tags, kServiceTag)));
  }
  return all;
}

TEST(VipTable, Refuses_what_is_no_table_and_says_what_it_needs) {
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "a table of VIPs needs an object"},
           {R"({"backend": {}})", R"(a table of VIPs needs keys such as "0:backend", not "backend")"},
           {R"({"3:backend": {}})", R"(keys such as "0:backend")"},
           {R"({"0:backend": {}})", R"(a table of VIPs needs a text for "address")"},
           {R"({"0:backend": 1})", R"(a text for "address")"},
           {R"({"0:a": {"address": "240.0.0.0", "outbounds": [{"Port": 65536, "Origin": "service"}]}})",
            R"(a table of VIPs needs a port from 0 to 65535 for "Port")"},
           {R"({"0:a": {"address": "240.0.0.0", "outbounds": [{"Port": "80", "Origin": "service"}]}})", R"(for "Port")"},
           {R"({"0:a": {"address": "240.0.0.0", "outbounds": [{"TagSet": [], "Origin": "service"}]}})", R"(tags for "TagSet")"},
           {R"({"0:a": {"address": "240.0.0.0", "outbounds": [{"TagSet": {"a": 1}, "Origin": "service"}]}})",
            R"(a text for the tag "a")"},
           {R"({"0:a": {"address": "240.0.0.0", "outbounds": [{}]}})", R"(a text for "Origin")"},
           {R"({"v": 1})", R"(an object for "v")"},
           {R"({"v": {"a": {}}})", R"(a list for "oe")"},
           {R"({"v": {"a": {"oe": [{}]}}})", R"(a list for "ap")"},
           {R"({"v": {"a": {"oe": [{"ap": [{"d": "a"}]}]}}})", R"(a text for "a")"},
           {"{", "line 1"}}) {
    auto table = parse_vip_table(text);
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_THAT(std::string(message_of(table.status())), HasSubstr(message));
  }
}

TEST(VipTable, Is_stored_as_peers_read_it) {
  VipTable table{{{VipKind::Service, "backend"}, {"240.0.0.0", {service_port("backend")}}},
                 {{VipKind::Fqdn, "v1.backend.test"},
                  {"240.0.0.1", {{8080, {{"kuma.io/service", "backend"}, {"version", "v1"}}, "virtual-outbound:vo"}}}}};
  EXPECT_EQ(print_vip_table(table, VipForm::ByName),
            R"({"0:backend":{"address":"240.0.0.0","outbounds":[{"Port":0,"TagSet":{"kuma.io/service":"backend"},"Origin":"service"}]},)"
            R"("2:v1.backend.test":{"address":"240.0.0.1","outbounds":[{"Port":8080,"TagSet":{"kuma.io/service":"backend","version":"v1"},)"
            R"("Origin":"virtual-outbound:vo"}]}})");
  EXPECT_EQ(print_vip_table(table, VipForm::ByTags),
            R"({"v":{"backend":{"oe":[{"t":{},"ap":[{"a":"240.0.0.0","d":"backend","p":0,"o":"svc"}]},)"
            R"({"t":{"version":"v1"},"ap":[{"a":"240.0.0.1","d":"v1.backend.test","p":8080,"o":"virtual-outbound:vo"}]}]}}})");
  EXPECT_EQ(print_vip_table({}, VipForm::ByName), "{}");
}

TEST(VipTable, Comes_back_from_either_form) {
  VipTable table{{{VipKind::Service, "backend"}, {"240.0.0.0", {service_port("backend"), service_port("backend", 443)}}},
                 {{VipKind::Service, "maps.test"}, {"240.0.0.1", {{443, {{"kuma.io/service", "maps.test"}}, "external-service:m"}}}},
                 {{VipKind::Host, "maps.test"}, {"240.0.0.2", {{443, {{"kuma.io/service", "maps.test"}}, "external-service:m"}}}},
                 {{VipKind::Host, "10.0.0.1"}, {"10.0.0.1", {{80, {{"kuma.io/service", "ip"}}, "external-service:ip"}}}},
                 {{VipKind::Fqdn, "all.test"},
                  {"240.0.0.3", {{1, {{"kuma.io/service", "a"}}, "virtual-outbound:v"}, {2, {{"kuma.io/service", "b"}}, "virtual-outbound:v"}}}}};
  for (VipForm form : {VipForm::ByName, VipForm::ByTags}) {
    auto read = parse_vip_table(print_vip_table(table, form));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(print_vip_table(*read, VipForm::ByName), print_vip_table(table, VipForm::ByName));
  }
}

TEST(VipTable, Has_a_config_of_its_own_for_each_mesh) {
  EXPECT_EQ(vip_config_name("default"), "kuma-default-dns-vips");
  EXPECT_EQ(mesh_of_vip_config("kuma-a-dns-vips-dns-vips"), "a-dns-vips");
  for (std::string_view other : {"kuma-cluster-id", "kuma--dns-vips", "kuma-dns-vips", "default-dns-vips"}) {
    EXPECT_EQ(mesh_of_vip_config(other), std::nullopt) << other;
  }
}

TEST(VipRange, Refuses_what_is_no_range) {
  for (std::string_view text : {"", "240.0.0.0", "240.0.0.0/33", "240.0.0.0/-1", "240.0.0.0/", "240.0.0/4", "x/4", "fd00::/129", "240.0.0.0/4x"}) {
    auto parsed = VipRange::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(message_of(parsed.status()),
              fmt::format("\"{}\" is no range of addresses such as 240.0.0.0/4 or fd00::/64", text));
  }
}

TEST(VipRange, Knows_its_addresses) {
  EXPECT_EQ(range("240.0.0.7/4").at(0), "240.0.0.0");
  EXPECT_EQ(range("240.0.0.0/4").size(), absl::uint128(1) << 28);
  EXPECT_EQ(range("10.1.0.0/16").at(256), "10.1.1.0");
  EXPECT_EQ(range("10.1.0.0/16").find("10.1.1.2"), 258);
  EXPECT_EQ(range("10.1.0.0/16").find("10.2.0.0"), std::nullopt);
  EXPECT_EQ(range("10.1.0.0/16").find("fd00::1"), std::nullopt);
  EXPECT_EQ(range("10.1.0.0/16").find("host"), std::nullopt);
  EXPECT_EQ(range("240.0.0.0/4").find("255.255.255.255"), std::nullopt) << "everybody's address";
  EXPECT_EQ(range("fd00::/64").at(1), "fd00::1");
  EXPECT_EQ(range("fd00::/64").find("fd00:0:0::0a"), 10);
  EXPECT_EQ(range("0.0.0.0/0").find("1.2.3.4"), 0x01020304);
  EXPECT_EQ(range("::/0").find("::2"), 2);
}

TEST(VipAllocation, Starts_at_the_first_address_in_order_of_kind_and_name) {
  VipTable wanted = services({"web", "backend"});
  wanted[{VipKind::Fqdn, "a.test"}] = {"", {{80, {{"kuma.io/service", "web"}}, "virtual-outbound:v"}}};
  EXPECT_THAT(addresses(allocate_vips(wanted, {}, range("240.0.0.0/4"), {}).table),
              ElementsAre("backend=240.0.0.0", "web=240.0.0.1", "a.test=240.0.0.2"));
}

TEST(VipAllocation, Keeps_addresses_and_fills_gaps) {
  VipTable before = allocate_vips(services({"a", "b", "c"}), {}, range("240.0.0.0/4"), {}).table;
  EXPECT_THAT(addresses(allocate_vips(services({"0", "b", "c", "d"}), before, range("240.0.0.0/4"), {}).table),
              ElementsAre("0=240.0.0.0", "b=240.0.0.1", "c=240.0.0.2", "d=240.0.0.3"));
}

TEST(VipAllocation, Gives_up_addresses_out_of_the_range_and_those_of_two_names) {
  VipTable before = services({"a", "b", "c"});
  before[{VipKind::Service, "a"}].address = "250.0.0.0";
  before[{VipKind::Service, "b"}].address = "10.0.0.1";
  before[{VipKind::Service, "c"}].address = "10.0.0.1";
  EXPECT_THAT(addresses(allocate_vips(services({"a", "b", "c"}), before, range("10.0.0.0/8"), {}).table),
              ElementsAre("a=10.0.0.0", "b=10.0.0.1", "c=10.0.0.2"));
}

TEST(VipAllocation, Leaves_out_what_is_in_use_but_takes_no_address_away) {
  VipTable before = allocate_vips(services({"a"}), {}, range("10.0.0.0/8"), {}).table;
  EXPECT_THAT(addresses(allocate_vips(services({"a", "b"}), before, range("10.0.0.0/8"), {"10.0.0.0", "10.0.0.1"}).table),
              ElementsAre("a=10.0.0.0", "b=10.0.0.2"));
}

TEST(VipAllocation, Leaves_an_address_that_an_entry_brings_along) {
  VipTable wanted = services({"a"});
  wanted[{VipKind::Host, "203.0.113.1"}] = {"203.0.113.1", {{80, {{"kuma.io/service", "x"}}, "external-service:x"}}};
  EXPECT_THAT(addresses(allocate_vips(wanted, {}, range("240.0.0.0/4"), {}).table),
              ElementsAre("a=240.0.0.0", "203.0.113.1=203.0.113.1"));
}

TEST(VipAllocation, Says_which_names_have_no_address_when_the_range_is_used_up) {
  VipAllocation allocation = allocate_vips(services({"a", "b", "c", "d", "e", "f"}), {}, range("10.0.0.0/30"), {});
  EXPECT_THAT(addresses(allocation.table), ElementsAre("a=10.0.0.0", "b=10.0.0.1", "c=10.0.0.2", "d=10.0.0.3"));
  EXPECT_THAT(allocation.problems, ElementsAre("2 name(s) have no address, \"e\" is the first: all of 10.0.0.0/30 is in use; a larger "
                                               "KUMA_DNS_SERVER_CIDR is needed"));
}

TEST(Vips, Give_a_service_its_names_and_the_usual_port) {
  VipTable table = allocate_vips(services({"redis_db", "web"}), {}, range("240.0.0.0/4"), {}).table;
  VipsPtr vips = build_vips(table, {.domain = "corp", .service_port = 8080});
  EXPECT_THAT(outbounds(*vips), ElementsAre("240.0.0.0:8080=redis_db", "240.0.0.1:8080=web"));
  EXPECT_THAT(vips->names.at("240.0.0.0"), ElementsAre("redis_db.corp", "redis.db.corp"));
  EXPECT_THAT(vips->names.at("240.0.0.1"), ElementsAre("web.corp"));
  EXPECT_THAT(vips->outbounds_of_service.at("web"), ElementsAre(1));
}

TEST(Vips, Give_an_external_service_its_port_and_the_usual_one) {
  VipTable table{{{VipKind::Service, "maps"}, {"240.0.0.0", {service_port("maps", 8443)}}},
                 {{VipKind::Service, "plain"}, {"240.0.0.1", {service_port("plain", 80)}}},
                 {{VipKind::Host, "maps.test"}, {"240.0.0.2", {service_port("maps", 8443)}}},
                 {{VipKind::Host, "203.0.113.1"}, {"203.0.113.1", {service_port("ip", 81)}}}};
  VipsPtr vips = build_vips(table, {});
  EXPECT_THAT(outbounds(*vips),
              ElementsAre("240.0.0.0:8443=maps", "240.0.0.0:80=maps", "240.0.0.1:80=plain", "203.0.113.1:81=ip",
                          "240.0.0.2:8443=maps", "240.0.0.2:80=maps"));
  EXPECT_THAT(vips->names.at("240.0.0.2"), ElementsAre("maps.test"));
  EXPECT_THAT(vips->names.at("203.0.113.1"), IsEmpty()) << "an address is no name, but is known as ours";
  EXPECT_TRUE(vips->has_address("203.0.113.1"));
}

TEST(Vips, A_full_name_is_at_its_ports_only) {
  VipTable table{{{VipKind::Fqdn, "a.test"}, {"240.0.0.0", {service_port("a", 1), service_port("b", 2)}}}};
  EXPECT_THAT(outbounds(*build_vips(table, {})), ElementsAre("240.0.0.0:1=a", "240.0.0.0:2=b"));
}

TEST(Vips, Tell_the_services_that_something_changed_for) {
  VipsPtr before = build_vips(allocate_vips(services({"a", "b"}), {}, range("240.0.0.0/4"), {}).table, {});
  VipTable moved = before->table;
  moved[{VipKind::Service, "b"}].address = "240.0.0.9";
  moved[{VipKind::Fqdn, "x.test"}] = {"240.0.0.2", {service_port("c", 1), service_port("d", 2)}};
  VipsPtr after = build_vips(moved, {});
  EXPECT_THAT(changed_services(before.get(), after.get()), UnorderedElementsAre("b", "c", "d"));
  EXPECT_THAT(changed_services(before.get(), nullptr), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(changed_services(nullptr, before.get()), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(changed_services(before.get(), before.get()), IsEmpty());
}

}  // namespace
}  // namespace kuma::mesh
