#include "model/testing.h"

namespace kuma::model {
namespace {

using namespace testing;

const Registry& registry() {
  static const Registry kRegistry(core_types());
  return kRegistry;
}

std::vector<std::string> dataplane(const std::string& spec) { return refusals(registry(), "{type: Dataplane, mesh: m, name: d, " + spec + "}"); }

// A proxy at 10.0.0.1 with one inbound that has these members.
std::vector<std::string> inbound(const std::string& members) {
  return dataplane("networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}, " + members + "}]}");
}

constexpr const char* kPort = "port must be in the range [1, 65535]";

TEST(Dataplane, Needs_networking_and_an_inbound_or_a_gateway) {
  EXPECT_THAT(refusals(registry(), "{type: Dataplane, mesh: m, name: d}"), ElementsAre("networking: must be defined"));
  EXPECT_THAT(dataplane("networking: {}"), ElementsAre("networking: has to contain at least one inbound interface or gateway",
                                                       "networking.address: address can't be empty"));
}

TEST(Dataplane, Refuses_addresses) {
  const auto address = [](const char* text) {
    return dataplane(fmt::format("networking: {{address: '{}', inbound: [{{port: 80, tags: {{kuma.io/service: a}}}}]}}", text));
  };
  EXPECT_THAT(address(""), ElementsAre("networking.address: address can't be empty"));
  EXPECT_THAT(address("0.0.0.0"), ElementsAre("networking.address: must not be 0.0.0.0 or ::"));
  EXPECT_THAT(address("::"), ElementsAre("networking.address: must not be 0.0.0.0 or ::"));
  EXPECT_THAT(address("..>_<.."), ElementsAre("networking.address: address has to be valid IP address or domain name"));
  for (const char* good : {"10.0.0.1", "fd00::1", "web.example", "localhost"}) {
    EXPECT_THAT(address(good), IsEmpty()) << good;
  }
}

TEST(Dataplane, Refuses_ports_of_inbounds) {
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, inbound: [{tags: {kuma.io/service: a}}, {port: 65536, servicePort: 70000, tags: "
                        "{kuma.io/service: a}}]}"),
              ElementsAre(std::string("networking.inbound[0].port: ") + kPort, std::string("networking.inbound[1].port: ") + kPort,
                          std::string("networking.inbound[1].servicePort: ") + kPort));
}

TEST(Dataplane, Refuses_addresses_of_inbounds) {
  EXPECT_THAT(inbound("address: host, serviceAddress: host2"),
              ElementsAre("networking.inbound[0].serviceAddress: serviceAddress has to be valid IP address",
                          "networking.inbound[0].address: address has to be valid IP address"));
}

TEST(Dataplane, Refuses_inbounds_that_send_to_themselves) {
  const char* message = "networking.inbound[0].serviceAddress: serviceAddress and servicePort has to differ from address and port";
  EXPECT_THAT(inbound("serviceAddress: 10.0.0.1"), ElementsAre(message));
  EXPECT_THAT(inbound("serviceAddress: 10.0.0.1, servicePort: 80"), ElementsAre(message));
  EXPECT_THAT(inbound("address: 10.0.0.2, serviceAddress: 10.0.0.2"), ElementsAre(message));
  EXPECT_THAT(inbound("serviceAddress: 10.0.0.1, servicePort: 8080"), IsEmpty());
}

TEST(Dataplane, Refuses_tags_of_inbounds) {
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, inbound: [{port: 80}, {port: 81, tags: {kuma.io/service: a, kuma.io/protocol: soap, b: '*'}}]}"),
              ElementsAre("networking.inbound[0].tags[\"kuma.io/service\"]: tag has to exist",
                          "networking.inbound[1].tags[\"kuma.io/protocol\"]: tag \"kuma.io/protocol\" has an invalid value \"soap\". Allowed "
                          "values: grpc, http, http2, kafka, tcp",
                          "networking.inbound[1].tags[\"b\"]: tag value must consist of alphanumeric characters, dots, dashes and underscores"));
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a, kuma.io/protocol: HTTP2}}]}"), IsEmpty());
}

TEST(Dataplane, Refuses_service_probes) {
  EXPECT_THAT(inbound("serviceProbe: {interval: 0s, timeout: 0s, unhealthyThreshold: 0, healthyThreshold: 0}"),
              ElementsAre("networking.inbound[0].serviceProbe.interval: must have a positive value",
                          "networking.inbound[0].serviceProbe.timeout: must have a positive value",
                          "networking.inbound[0].serviceProbe.unhealthyThreshold: must have a positive value",
                          "networking.inbound[0].serviceProbe.healthyThreshold: must have a positive value"));
  EXPECT_THAT(inbound("serviceProbe: {}"), IsEmpty());
}

TEST(Dataplane, Refuses_outbounds) {
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}}], outbound: [{}, {port: 70000, address: "
                        "host, tags: {version: '1'}}, {port: 6, tags: {kuma.io/service: '*'}}]}"),
              ElementsAre(std::string("networking.outbound[0].port: ") + kPort,
                          "networking.outbound[0].tags: mandatory tag \"kuma.io/service\" is missing",
                          std::string("networking.outbound[1].port: ") + kPort,
                          "networking.outbound[1].address: address has to be valid IP address",
                          "networking.outbound[1].tags: mandatory tag \"kuma.io/service\" is missing",
                          "networking.outbound[2].tags[\"kuma.io/service\"]: tag value must consist of alphanumeric characters, dots, dashes and "
                          "underscores"));
}

TEST(Dataplane, Refuses_an_admin_port_that_is_taken_on_the_loopback) {
  const auto admin = [](const char* address) {
    return dataplane(fmt::format("networking: {{address: {}, admin: {{port: 80}}, inbound: [{{port: 80, tags: {{kuma.io/service: a}}}}]}}", address));
  };
  EXPECT_THAT(admin("127.0.0.1"), ElementsAre("networking.admin.port: must differ from inbound"));
  EXPECT_THAT(admin("10.0.0.1"), IsEmpty());
  EXPECT_THAT(inbound("address: 0.0.0.0}], admin: {port: 80}, outbound: [{port: 80, tags: {kuma.io/service: b}"),
              ElementsAre("networking.admin.port: must differ from inbound", "networking.admin.port: must differ from outbound"));
}

TEST(Dataplane, Refuses_probes) {
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}}]}, probes: {endpoints: [{}, "
                        "{inboundPort: 99999, inboundPath: rel, path: '/%zz'}]}"),
              ElementsAre(std::string("probes.port: ") + kPort, std::string("probes.endpoints[0].inboundPort: ") + kPort,
                          "probes.endpoints[0].inboundPath: should be a valid URL Path", "probes.endpoints[0].path: should be a valid URL Path",
                          std::string("probes.endpoints[1].inboundPort: ") + kPort,
                          "probes.endpoints[1].inboundPath: should be a valid URL Path", "probes.endpoints[1].path: should be a valid URL Path"));
}

TEST(Dataplane, Refuses_metrics) {
  const std::string networking = "networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: a}}]}, ";
  EXPECT_THAT(dataplane(networking + "metrics: {type: statsd}"),
              ElementsAre("metrics.type: unknown backend type. Available backends: \"prometheus\""));
  EXPECT_THAT(dataplane(networking + "metrics: {type: prometheus, conf: {envoy: {filterRegex: '('}}}"),
              ElementsAre("metrics.conf.envoy.filterRegex: provided regexp isn't correct: error parsing regexp: missing closing ): `(`"));
}

TEST(DelegatedGateway, Has_outbounds_but_no_inbounds) {
  const std::string gateway = "networking: {address: 10.0.0.1, gateway: {tags: {kuma.io/service: g}}";
  EXPECT_THAT(dataplane(gateway + ", inbound: [{port: 80, tags: {kuma.io/service: a}}]}"),
              ElementsAre("networking.inbound: inbound cannot be defined for delegated gateways"));
  EXPECT_THAT(dataplane(gateway + ", outbound: [{port: 0, tags: {kuma.io/service: a}}]}"),
              ElementsAre(std::string("networking.outbound[0].port: ") + kPort));
  EXPECT_THAT(dataplane(gateway + ", outbound: [{port: 1, tags: {kuma.io/service: a}}]}, probes: {}"),
              ElementsAre(std::string("probes.port: ") + kPort));
  EXPECT_THAT(dataplane("networking: {gateway: {tags: {kuma.io/service: g}}}"), ElementsAre("networking.address: address can't be empty"));
}

TEST(Gateway, Is_tagged_with_its_service_and_speaks_tcp) {
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, gateway: {}}"),
              ElementsAre("networking.gateway.tags: mandatory tag \"kuma.io/service\" is missing"));
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, gateway: {tags: {kuma.io/service: g, kuma.io/protocol: http}}}"),
              ElementsAre("networking.gateway.tags[\"kuma.io/protocol\"]: other values than tcp are not allowed, provided value \"http\""));
  EXPECT_THAT(dataplane("networking: {address: 10.0.0.1, gateway: {type: BUILTIN, tags: {kuma.io/service: g, kuma.io/protocol: tcp}}}"), IsEmpty());
}

TEST(BuiltinGateway, Has_neither_inbounds_nor_outbounds_nor_probes) {
  const std::string gateway = "networking: {address: 10.0.0.1, gateway: {type: BUILTIN, tags: {kuma.io/service: g}}";
  EXPECT_THAT(dataplane(gateway + ", inbound: [{port: 80, tags: {kuma.io/service: a}}], outbound: [{port: 81, tags: {kuma.io/service: a}}]}, probes: {}"),
              ElementsAre("networking.inbound: inbound cannot be defined for builtin gateways",
                          "networking.outbound: outbound cannot be defined for builtin gateways",
                          "networking.probes: probes cannot be defined for builtin gateways"));
  EXPECT_THAT(dataplane(gateway + "}, metrics: {type: statsd}"), IsEmpty());
}

std::vector<std::string> ingress(const std::string& spec) { return refusals(registry(), "{type: ZoneIngress, name: i, " + spec + "}"); }

TEST(ZoneIngress, Refuses_addresses_and_ports) {
  EXPECT_THAT(ingress("networking: {}"), ElementsAre(std::string("networking.port: ") + kPort));
  EXPECT_THAT(ingress("networking: {address: a b, port: 1}"),
              ElementsAre("networking.address.address: address has to be valid IP address or domain name"));
  EXPECT_THAT(ingress("networking: {address: '::', port: 1}"), ElementsAre("networking.address.address: must not be 0.0.0.0 or ::"));
  EXPECT_THAT(ingress("networking: {port: 1, advertisedPort: 2}"),
              ElementsAre("networking.advertisedAddress: has to be defined with advertisedPort"));
  EXPECT_THAT(ingress("networking: {port: 1, advertisedAddress: a}"),
              ElementsAre("networking.advertisedPort: has to be defined with advertisedAddress"));
  EXPECT_THAT(ingress("networking: {port: 1, advertisedAddress: a b, advertisedPort: 70000}"),
              ElementsAre("networking.advertisedAddress.address: address has to be valid IP address or domain name",
                          std::string("networking.advertisedPort: ") + kPort));
  EXPECT_THAT(ingress("networking: {address: 127.0.0.1, port: 1, admin: {port: 1}}"),
              ElementsAre("networking.admin.port: must differ from port"));
  EXPECT_THAT(ingress("networking: {address: 10.0.0.1, port: 1, admin: {port: 1}}"), IsEmpty());
}

TEST(ZoneIngress, Refuses_services_without_their_tag) {
  EXPECT_THAT(ingress("networking: {port: 1}, availableServices: [{}, {tags: {kuma.io/service: '*'}}, {tags: {kuma.io/service: a}}]"),
              ElementsAre("availableService[0].tags: mandatory tag \"kuma.io/service\" is missing",
                          "availableService[1].tags[\"kuma.io/service\"]: tag value must consist of alphanumeric characters, dots, dashes and "
                          "underscores"));
}

TEST(ZoneEgress, Refuses_addresses_and_ports) {
  const auto egress = [](const std::string& networking) { return refusals(registry(), "{type: ZoneEgress, name: e, networking: {" + networking + "}}"); };
  EXPECT_THAT(egress("port: 65536"), ElementsAre(std::string("networking.port: ") + kPort));
  EXPECT_THAT(egress("address: a b, port: 1"), ElementsAre("networking.address.address: address has to be valid IP address or domain name"));
  EXPECT_THAT(egress("address: 0.0.0.0, port: 1, admin: {port: 1}"),
              ElementsAre("networking.admin.port: must differ from port", "networking.address.address: must not be 0.0.0.0 or ::"));
  EXPECT_THAT(egress("address: '::1', port: 1, admin: {port: 1}"), IsEmpty());
}

std::vector<std::string> external(const std::string& spec) { return refusals(registry(), "{type: ExternalService, mesh: m, name: e, " + spec + "}"); }

TEST(ExternalService, Needs_networking_and_a_service) {
  EXPECT_THAT(external("tags: {}"), ElementsAre("networking: should have networking", "tags: mandatory tag \"kuma.io/service\" is missing"));
}

TEST(ExternalService, Refuses_addresses) {
  const auto address = [](const char* text) {
    return external(fmt::format("tags: {{kuma.io/service: a}}, networking: {{address: '{}'}}", text));
  };
  EXPECT_THAT(address(""), ElementsAre("networking.address: address can't be empty"));
  for (const char* none : {"host", "http://x.example:80", "fd00::1:80"}) {
    EXPECT_THAT(address(none), ElementsAre("networking.address: unable to parse address",
                                           "networking.address: address has to be a valid IP address or a domain name",
                                           "networking.address: unable to parse port in address", std::string("networking.address: ") + kPort))
        << none;
  }
  EXPECT_THAT(address("a b:80"), ElementsAre("networking.address: address has to be a valid IP address or a domain name"));
  EXPECT_THAT(address("host:http"), ElementsAre("networking.address: unable to parse port in address", std::string("networking.address: ") + kPort));
  EXPECT_THAT(address("host:0"), ElementsAre(std::string("networking.address: ") + kPort));
  EXPECT_THAT(address("host:70000"), ElementsAre(std::string("networking.address: ") + kPort));
  EXPECT_THAT(address("[fd00::1]:80"), IsEmpty());
  EXPECT_THAT(address("a_b:80"), IsEmpty());
}

TEST(ExternalService, Refuses_tls_and_tags) {
  EXPECT_THAT(external("tags: {kuma.io/service: a, kuma.io/protocol: ftp, b c: d}, networking: {address: 'h:1', tls: {serverName: '', caCert: {}, "
                       "clientCert: {secret: ''}, clientKey: {inline: ''}}}"),
              ElementsAre("networking.tls.serverName: cannot be empty", "networking.tls.caCert: data source cannot be empty",
                          "networking.tls.clientCert: data source cannot be empty", "networking.tls.clientKey: data source cannot be empty",
                          "tags[\"kuma.io/protocol\"]: tag \"kuma.io/protocol\" has an invalid value \"ftp\". Allowed values: grpc, http, http2, "
                          "kafka, tcp",
                          "tags[\"b c\"]: tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"));
}

}  // namespace
}  // namespace kuma::model
