#include "manager/vip_demand.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/testing.h"
#include "mesh/view_testing.h"

namespace kuma::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<model::ResourceType> types() {
  std::vector<model::ResourceType> all = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    all.push_back(std::move(type));
  }
  return all;
}

class VipDemandTest : public ::testing::Test {
 protected:
  void put(const std::string& yaml) {
    for (const model::Change& change : store.put(yaml)) {
      const std::string_view type = change.type().name;
      auto& list = type == "Dataplane"         ? sources.dataplanes
                   : type == "ZoneIngress"     ? sources.zone_ingresses
                   : type == "ExternalService" ? sources.external_services
                   : type == "MeshGateway"     ? sources.gateways
                                               : sources.virtual_outbounds;
      list.push_back(change.after);
    }
  }

  // `0:web 80={kuma.io/service=web} by service`
  std::vector<std::string> demanded() {
    demand = build_vip_demand(sources);
    std::vector<std::string> all;
    for (const auto& [key, entry] : demand.table) {
      for (const mesh::VipPort& port : entry.ports) {
        std::string tags;
        for (const auto& [tag, value] : port.tags) {
          tags += fmt::format("{}{}={}", tags.empty() ? "" : ",", tag, value);
        }
        all.push_back(fmt::format("{}:{}{} {} {} by {}", static_cast<int>(key.kind), key.name, entry.address.empty() ? "" : "!",
                                  port.port, tags, port.origin));
      }
    }
    return all;
  }

  mesh::testing::TestStore store{types()};
  VipSources sources{.mesh = "m", .zone = "here"};
  VipDemand demand;
};

TEST_F(VipDemandTest, Every_inbound_that_is_not_ignored_has_a_service_a_gateway_has_none) {
  put("{type: Dataplane, mesh: m, name: a, networking: {address: 10.0.0.1, advertisedAddress: 192.0.2.1, inbound: [{port: 80, "
      "state: Ignored, tags: {kuma.io/service: ignored}}, {port: 81, address: 10.0.0.9, state: NotReady, tags: {kuma.io/service: sleepy}}, "
      "{port: 82, tags: {kuma.io/service: awake, version: v1}}]}}\n---\n"
      "{type: Dataplane, mesh: m, name: g, networking: {address: 10.0.0.2, gateway: {tags: {kuma.io/service: gate}}}}");
  EXPECT_THAT(demanded(), ElementsAre("0:awake 0 kuma.io/service=awake by service", "0:sleepy 0 kuma.io/service=sleepy by service"));
  EXPECT_THAT(demand.used_addresses, ::testing::UnorderedElementsAre("10.0.0.1", "192.0.2.1", "10.0.0.9", "10.0.0.2"));
  EXPECT_THAT(demand.problems, IsEmpty());
  sources.service_vips = false;
  EXPECT_THAT(demanded(), IsEmpty());
}

TEST_F(VipDemandTest, Other_zones_services_of_the_mesh_have_names_also_without_a_public_address) {
  put("{type: ZoneIngress, name: i, zone: there, networking: {address: 10.0.0.1, port: 10001}, availableServices: [{mesh: m, instances: 1, "
      "tags: {kuma.io/service: far}}, {mesh: other, instances: 1, tags: {kuma.io/service: others}}]}\n---\n"
      "{type: ZoneIngress, name: j, zone: here, networking: {address: 10.0.0.1, port: 10001}, availableServices: [{mesh: m, instances: 1, "
      "tags: {kuma.io/service: near}}]}\n---\n"
      "{type: ZoneIngress, name: k, networking: {address: 10.0.0.1, port: 10001}, availableServices: [{mesh: m, instances: 1, tags: "
      "{kuma.io/service: nowhere}}]}");
  EXPECT_THAT(demanded(), ElementsAre("0:far 0 kuma.io/service=far by service"));
  put("{type: VirtualOutbound, mesh: m, name: v, selectors: [{match: {kuma.io/service: '*'}}], conf: {host: '{{.s}}.test', port: '80', "
      "parameters: [{name: s, tagKey: kuma.io/service}]}}");
  EXPECT_THAT(demanded(), ElementsAre("0:far 0 kuma.io/service=far by service", "2:far.test 80 kuma.io/service=far by virtual-outbound:v",
                                      "2:others.test 80 kuma.io/service=others by virtual-outbound:v"));
}

TEST_F(VipDemandTest, An_external_service_has_its_own_name_and_its_hosts) {
  put("{type: ExternalService, mesh: m, name: maps, networking: {address: 'maps.test:8443'}, tags: {kuma.io/service: maps, "
      "kuma.io/protocol: http}}\n---\n"
      "{type: ExternalService, mesh: m, name: quiet, networking: {address: 'quiet.test:80', disableHostDNSEntry: true}, tags: "
      "{kuma.io/service: quiet}}\n---\n"
      "{type: ExternalService, mesh: m, name: ip, networking: {address: '203.0.113.5:81'}, tags: {kuma.io/service: ip}}");
  EXPECT_THAT(demanded(),
              ElementsAre("0:ip 81 kuma.io/service=ip by service", "0:maps 8443 kuma.io/service=maps by service",
                          "0:quiet 80 kuma.io/service=quiet by service", "1:203.0.113.5! 81 kuma.io/service=ip by external-service:ip",
                          "1:maps.test 8443 kuma.io/service=maps by external-service:maps"));
}

TEST_F(VipDemandTest, Of_virtual_outbounds_the_most_specific_has_a_name_of_those_the_newest) {
  for (const char* name : {"b", "a"}) {
    put(fmt::format("{{type: VirtualOutbound, mesh: m, name: {0}, selectors: [{{match: {{kuma.io/service: '*'}}}}], conf: {{host: x.test, port: '80', "
                    "parameters: [{{name: s, tagKey: kuma.io/service}}]}}}}",
                    name));
  }
  put("{type: VirtualOutbound, mesh: m, name: exact, selectors: [{match: {kuma.io/service: web}}], conf: {host: y.test, port: '80', parameters: "
      "[{name: s, tagKey: kuma.io/service}, {name: version}]}}");
  put("{type: VirtualOutbound, mesh: m, name: wide, selectors: [{match: {kuma.io/service: '*'}}], conf: {host: y.test, port: '80', parameters: "
      "[{name: s, tagKey: kuma.io/service}]}}");
  put("{type: Dataplane, mesh: m, name: w, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web, version: v1}}]}}");
  sources.service_vips = false;
  EXPECT_THAT(demanded(), ElementsAre("2:x.test 80 kuma.io/service=web by virtual-outbound:a",
                                      "2:y.test 80 kuma.io/service=web,version=v1 by virtual-outbound:exact"));
  EXPECT_THAT(demand.problems, ElementsAre("virtual-outbound:wide wants y.test:80 for kuma.io/service=web, which virtual-outbound:exact "
                                           "has for kuma.io/service=web,version=v1"));
}

TEST_F(VipDemandTest, A_template_that_yields_no_name_or_port_leaves_that_one_out_and_says_why) {
  put("{type: VirtualOutbound, mesh: m, name: v, selectors: [{match: {kuma.io/service: '*'}}], conf: {host: '{{.s}}.test', port: '{{.p}}', "
      "parameters: [{name: s, tagKey: kuma.io/service}, {name: p, tagKey: listen}]}}\n---\n"
      "{type: Dataplane, mesh: m, name: d, networking: {address: 10.0.0.1, inbound: [{port: 1, tags: {kuma.io/service: good, listen: '7001'}}, {port: 2, "
      "tags: {kuma.io/service: huge, listen: '70000'}}, {port: 3, tags: {kuma.io/service: word, listen: http}}, {port: 4, tags: "
      "{kuma.io/service: none}}]}}");
  sources.service_vips = false;
  EXPECT_THAT(demanded(), ElementsAre("2:good.test 7001 kuma.io/service=good,listen=7001 by virtual-outbound:v")) << "all tags that are named";
  EXPECT_THAT(demand.problems,
              ElementsAre("VirtualOutbound \"v\" gives kuma.io/service=huge,listen=70000 no name: evaluation of template returned a port "
                          "outside of the range [1..65535] result='70000'",
                          "VirtualOutbound \"v\" gives kuma.io/service=word,listen=http no name: evaluation of template with parameters "
                          "didn't evaluate to a parsable number result='http'",
                          "VirtualOutbound \"v\" gives kuma.io/service=none no name: evaluation of template with parameters didn't "
                          "evaluate to a parsable number result='<no value>'"));
}

TEST_F(VipDemandTest, Problems_are_told_up_to_a_bound) {
  put("{type: VirtualOutbound, mesh: m, name: v, selectors: [{match: {kuma.io/service: '*'}}], conf: {host: '{{.s}}.test', port: '{{.p}}', "
      "parameters: [{name: s, tagKey: kuma.io/service}, {name: p, tagKey: listen}]}}");
  for (int i = 0; i < 150; ++i) {
    put(fmt::format("{{type: Dataplane, mesh: m, name: d-{0}, networking: {{address: 10.0.0.1, inbound: [{{port: 1, tags: {{kuma.io/service: s-{0}}}}}]}}}}", i));
  }
  demanded();
  ASSERT_EQ(demand.problems.size(), 101);
  EXPECT_EQ(demand.problems.back(), "and 50 more of the kind");
}

TEST_F(VipDemandTest, Cross_mesh_listeners_have_names_in_every_mesh) {
  put("{type: MeshGateway, mesh: inner, name: hatch, selectors: [{match: {kuma.io/service: hatch}}], tags: {of: gateway}, conf: {listeners: "
      "[{port: 8088, protocol: HTTP, crossMesh: true, hostname: hatch.test, tags: {door: left}}, {port: 80, protocol: HTTP, crossMesh: true, "
      "tags: {door: right}}, {port: 81, protocol: HTTP, hostname: own.test, tags: {door: back}}]}}");
  EXPECT_THAT(demanded(), ElementsAre("2:hatch.test 8088 door=left,kuma.io/mesh=inner,kuma.io/service=hatch,of=gateway by "
                                      "mesh-gateway:inner:hatch:hatch.test",
                                      "2:internal.hatch.inner.mesh 80 door=right,kuma.io/mesh=inner,kuma.io/service=hatch,of=gateway by "
                                      "mesh-gateway:inner:hatch:internal.hatch.inner.mesh"));
}

TEST_F(VipDemandTest, Only_what_names_depend_on_concerns_them) {
  auto dataplane = [&](const std::string& yaml) { return store.put("{type: Dataplane, mesh: m, name: d, networking: " + yaml + "}").front().after; };
  auto first = dataplane("{address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}");
  auto concerns = [&](const std::string& yaml) { return concerns_vips(first.get(), dataplane(yaml).get()); };
  EXPECT_TRUE(concerns_vips(nullptr, first.get()));
  EXPECT_TRUE(concerns_vips(first.get(), nullptr));
  EXPECT_FALSE(concerns("{address: 10.0.0.1, inbound: [{port: 81, health: {ready: false}, tags: {kuma.io/service: web}}]}"));
  EXPECT_FALSE(concerns("{address: 10.0.0.1, inbound: [{port: 80, state: NotReady, tags: {kuma.io/service: web}}]}"));
  EXPECT_TRUE(concerns("{address: 10.0.0.1, inbound: [{port: 80, state: Ignored, tags: {kuma.io/service: web}}]}"));
  EXPECT_TRUE(concerns("{address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: web}}]}"));
  EXPECT_TRUE(concerns("{address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web, version: v1}}]}"));
  EXPECT_TRUE(concerns("{address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: api}}]}"));
  auto timeout = store.put("{type: Timeout, mesh: m, name: t, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: "
                           "{kuma.io/service: '*'}}], conf: {connectTimeout: 1s}}").front().after;
  EXPECT_FALSE(concerns_vips(nullptr, timeout.get()));
}

}  // namespace
}  // namespace kuma::manager
