#include "model/testing.h"

namespace kuma::model {
namespace {

using namespace testing;

std::vector<std::string> mesh(const std::string& spec) {
  static const Registry kRegistry(core_types());
  return refusals(kRegistry, "{type: Mesh, name: m, " + spec + "}");
}

TEST(MeshMtls, Takes_one_backend_with_a_name_of_its_own) {
  EXPECT_THAT(mesh("mtls: {backends: [{name: a}, {name: b}]}"), ElementsAre("mtls.backends: cannot have more than 1 backends"));
  EXPECT_THAT(mesh("mtls: {backends: [{name: a}, {name: a}]}"),
              ElementsAre("mtls.backends: cannot have more than 1 backends", "mtls.backends[1].name: \"a\" name is already used for another backend"));
  EXPECT_THAT(mesh("mtls: {backends: [{name: a}]}"), IsEmpty());
  EXPECT_THAT(mesh("mtls: {}"), IsEmpty());
}

TEST(MeshMtls, Knows_the_enabled_backend) {
  const char* message = "mtls.enabledBackend: has to be set to one of the backends in the mesh";
  EXPECT_THAT(mesh("mtls: {enabledBackend: x}"), ElementsAre(message));
  EXPECT_THAT(mesh("mtls: {enabledBackend: x, backends: [{name: a}]}"), ElementsAre(message));
}

TEST(MeshMtls, Refuses_expirations_of_another_form) {
  const char* message = "mtls.dpcert.rotation.expiration: has to be a valid format";
  for (const char* bad : {"1 day", "1x", "d", "-1d", "1.5h", "1dd"}) {
    EXPECT_THAT(mesh(fmt::format("mtls: {{backends: [{{name: a, dpCert: {{rotation: {{expiration: {}}}}}}}]}}", bad)), ElementsAre(message)) << bad;
  }
  EXPECT_THAT(mesh("mtls: {backends: [{name: a, dpCert: {}}]}"), ElementsAre(message));
  for (const char* good : {"1d", "2w", "1y", "3h", "30m", "10s", "100ms", "'0'"}) {
    EXPECT_THAT(mesh(fmt::format("mtls: {{backends: [{{name: a, dpCert: {{rotation: {{expiration: {}}}}}}}]}}", good)), IsEmpty()) << good;
  }
}

TEST(MeshLogging, Refuses_backends_without_what_their_type_needs) {
  EXPECT_THAT(mesh("logging: {backends: [{type: file, conf: {path: /l}}]}"), ElementsAre("logging.backends[0].name: cannot be empty"));
  EXPECT_THAT(mesh("logging: {backends: [{name: a, type: file}]}"), ElementsAre("logging.backends[0].config.path: cannot be empty"));
  EXPECT_THAT(mesh("logging: {backends: [{name: a, type: tcp}]}"), ElementsAre("logging.backends[0].config.address: cannot be empty"));
  for (const char* address : {"nohost", "'::'", "h:", "'a:b:1'"}) {
    EXPECT_THAT(mesh(fmt::format("logging: {{backends: [{{name: a, type: tcp, conf: {{address: \"{}\"}}}}]}}", address)),
                ElementsAre("logging.backends[0].config.address: has to be in format of HOST:PORT"))
        << address;
  }
  EXPECT_THAT(mesh("logging: {backends: [{name: a, type: kafka}]}"),
              ElementsAre("logging.backends[0].type: unknown backend type. Available backends: \"tcp\", \"file\""));
  EXPECT_THAT(mesh("logging: {backends: [{name: a, type: tcp, conf: {address: 5}}]}"),
              ElementsAre("logging.backends[0].config: could not parse config: json: cannot unmarshal number into Go value of type string"));
}

TEST(MeshLogging, Refuses_formats_names_and_defaults) {
  EXPECT_THAT(mesh("logging: {backends: [{name: a, type: file, format: '%X', conf: {path: /l}}]}"),
              ElementsAre("logging.backends[0].format: format string is not valid: expected a command operator to start at position 1, instead got: \"%X\""));
  EXPECT_THAT(mesh("logging: {defaultBackend: b, backends: [{name: a, type: file, conf: {path: /l}}, {name: a, type: tcp, conf: {address: '[::1]:1'}}]}"),
              ElementsAre("logging.backends[1].name: \"a\" name is already used for another backend",
                          "logging.defaultBackend: has to be set to one of the logging backend in mesh"));
}

TEST(MeshTracing, Refuses_backends_without_what_their_type_needs) {
  EXPECT_THAT(mesh("tracing: {backends: [{type: zipkin, conf: {url: 'http://z:1/a'}}]}"), ElementsAre("tracing.backends[0].name: cannot be empty"));
  EXPECT_THAT(mesh("tracing: {backends: [{name: a, type: zipkin}, {name: b, type: zipkin, conf: {url: '::bad'}}, {name: c, type: zipkin, conf: "
                   "{url: word}}, {name: d, type: zipkin, conf: {url: 'http://nohost/x'}}]}"),
              ElementsAre("tracing.backends[0].config.url: cannot be empty", "tracing.backends[1].config.url: invalid URL",
                          "tracing.backends[2].config.url: invalid URL",
                          "tracing.backends[3].config.url: port has to be explicitly specified"));
  EXPECT_THAT(mesh("tracing: {backends: [{name: a, type: zipkin, conf: {url: 'http://z:1/a', apiVersion: v3}}]}"),
              ElementsAre("tracing.backends[0].config.apiVersion: has invalid value. Allowed values: httpJsonV1, httpJson, httpProto"));
  EXPECT_THAT(mesh("tracing: {backends: [{name: a, type: datadog}, {name: b, type: datadog, conf: {address: d, port: 70000}}]}"),
              ElementsAre("tracing.backends[0].config.address: cannot be empty",
                          "tracing.backends[0].config.port: port must be in the range [1, 65535]",
                          "tracing.backends[1].config.port: port must be in the range [1, 65535]"));
  EXPECT_THAT(mesh("tracing: {backends: [{name: a, type: jaeger}]}"),
              ElementsAre("tracing.backends[0].type: unknown backend type. Available backends: \"zipkin\", \"datadog\""));
  EXPECT_THAT(mesh("tracing: {backends: [{name: a, type: zipkin, conf: {url: []}}]}"),
              ElementsAre("tracing.backends[0].config: could not parse config: json: cannot unmarshal array into Go value of type string"));
}

TEST(MeshTracing, Refuses_sampling_names_and_defaults) {
  EXPECT_THAT(mesh("tracing: {defaultBackend: x, backends: [{name: a, sampling: 100.1, type: zipkin, conf: {url: 'http://z:1'}}, "
                   "{name: a, sampling: -1, type: zipkin, conf: {url: 'http://z:1'}}]}"),
              ElementsAre("tracing.backends[0].sampling: has to be in [0.0 - 100.0] range",
                          "tracing.backends[1].sampling: has to be in [0.0 - 100.0] range",
                          "tracing.backends[1].name: \"a\" name is already used for another backend",
                          "tracing.defaultBackend: has to be set to one of the tracing backend in mesh"));
}

TEST(MeshMetrics, Refuses_types_names_and_the_enabled_backend) {
  EXPECT_THAT(mesh("metrics: {enabledBackend: x, backends: [{name: p, type: prometheus}, {name: p, type: statsd}]}"),
              ElementsAre("metrics.backends[1].name: \"p\" name is already used for another backend",
                          "metrics.backends[1].type: unknown backend type. Available backends: \"prometheus\"",
                          "metrics.enabledBackend: has to be set to one of the backends in the mesh"));
}

TEST(MeshMetrics, Refuses_confs) {
  const auto conf = [](const char* text) { return mesh(fmt::format("metrics: {{backends: [{{name: p, type: prometheus, conf: {}}}]}}", text)); };
  const char* both = "metrics.backends[0].conf: skipMTLS and tls configuration cannot be defined together";
  EXPECT_THAT(conf("{skipMTLS: true, tls: {mode: activeMTLSBackend}}"), ElementsAre(both));
  EXPECT_THAT(conf("{skipMTLS: false, tls: {mode: disabled}}"), ElementsAre(both));
  EXPECT_THAT(conf("{skipMTLS: false, tls: {mode: providedTLS}}"), ElementsAre(both));
  EXPECT_THAT(conf("{skipMTLS: true, tls: {mode: disabled}}"), IsEmpty());
  EXPECT_THAT(conf("{skipMTLS: false, tls: {mode: activeMTLSBackend}}"), IsEmpty());
  EXPECT_THAT(conf("{envoy: {filterRegex: '['}}"),
              ElementsAre("metrics.backends[0].conf.envoy.filterRegex: provided regexp isn't correct: error parsing regexp: missing closing ]: `[`"));
  EXPECT_THAT(conf("{aggregate: [{name: a}, {name: b}, {name: a}]}"),
              ElementsAre("metrics.backends[0].conf.aggregate[2].name: duplicate entry: a, values have to be unique"));
  EXPECT_THAT(conf("{port: high}"), ElementsAre("metrics.backends[0].conf: could not parse config: invalid character 'h' looking for beginning of value"));
}

TEST(MeshConstraints, Are_tag_sets) {
  EXPECT_THAT(mesh("constraints: {dataplaneProxy: {requirements: [{}, {tags: {a: ''}}, {tags: {b: '*'}}], restrictions: [{tags: {a b: c}}]}}"),
              ElementsAre("constraints.dataplaneProxy.requirements[0].tags: must have at least one tag",
                          "constraints.dataplaneProxy.requirements[1].tags[\"a\"]: tag value must be non-empty",
                          "constraints.dataplaneProxy.restrictions[0].tags[\"a b\"]: tag name must consist of alphanumeric characters, dots, "
                          "dashes, slashes and underscores"));
}

TEST(MeshRouting, Needs_mtls_for_the_zone_egress) {
  EXPECT_THAT(mesh("routing: {zoneEgress: true}"), ElementsAre("mtls: has to be set when zoneEgress enabled"));
  EXPECT_THAT(mesh("routing: {zoneEgress: true}, mtls: {backends: [{name: a}]}"), ElementsAre("mtls: has to be set when zoneEgress enabled"));
  EXPECT_THAT(mesh("routing: {zoneEgress: true}, mtls: {enabledBackend: a, backends: [{name: a}]}"), IsEmpty());
}

TEST(Mesh, Reports_sections_in_a_fixed_order) {
  EXPECT_THAT(mesh("metrics: {enabledBackend: x}, tracing: {defaultBackend: x}, logging: {defaultBackend: x}, mtls: {enabledBackend: x}"),
              ElementsAre("mtls.enabledBackend: has to be set to one of the backends in the mesh",
                          "logging.defaultBackend: has to be set to one of the logging backend in mesh",
                          "tracing.defaultBackend: has to be set to one of the tracing backend in mesh",
                          "metrics.enabledBackend: has to be set to one of the backends in the mesh"));
}

}  // namespace
}  // namespace kuma::model
