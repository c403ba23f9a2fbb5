#include "model/rest.h"

#include "base/text.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "model/json_schema.h"
#include "model/testing.h"

namespace kuma::model {
namespace {

using namespace testing;

void validate_flavour(const Resource& resource, Violations& violations) {
  const json::value* flavour = find(resource.spec, "flavour");
  if (flavour != nullptr && *flavour == json::value("bitter")) {
    violations.add(FieldPath("spec").field("flavour"), "must not be bitter");
  }
}

// The core types and a small targetRef policy.
const Registry& registry() {
  static const JsonSchema kSpec = object({{"target", object({{"kind", string()}}), kRequired}, {"flavour", string()}, {"wait", duration()}});
  static const Registry kRegistry([] {
    std::vector<ResourceType> types = core_types();
    ResourceType policy;
    policy.name = "MeshFlavour";
    policy.path = "meshflavours";
    policy.is_target_ref = true;
    policy.schema = &kSpec;
    policy.validate = validate_flavour;
    types.push_back(policy);
    return types;
  }());
  return kRegistry;
}

TEST(FromRest, Refuses_unknown_and_missing_types) {
  EXPECT_THAT(refusals(registry(), "{type: Nonsense, name: a}"), ElementsAre("! invalid resource type \"Nonsense\""));
  EXPECT_THAT(refusals(registry(), "{name: a}"), ElementsAre("! invalid resource type \"\""));
  EXPECT_THAT(refusals(registry(), "{type: 5}"), ElementsAre("! invalid resource type \"\""));
  EXPECT_THAT(refusals(registry(), "[]"), ElementsAre("! expected an object with a type, got []"));
}

TEST(FromRest, Refuses_documents_that_are_no_objects) {
  const auto read = from_rest(*registry().find("Mesh"), json::array{1});
  EXPECT_EQ(message_of(read.status()), "invalid Mesh object: 'expected an object, got [1]'");
}

TEST(FromRest, Reports_values_that_do_not_decode_as_the_reference_does_and_hints_where) {
  const auto read = from_rest(registry(), parse_yaml("{type: Mesh, name: m, mtls: {backends: {}}}").value());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message_of(read.status()), "invalid Mesh object: 'json: cannot unmarshal object into Go value of type []json.RawMessage'");
  EXPECT_EQ(decode_hint_of(read.status()), "mtls.backends: expected a list, got an object");
  EXPECT_TRUE(violations_of(read.status()).empty());
}

TEST(FromRest, Refuses_metadata_of_wrong_kinds) {
  EXPECT_THAT(refusals(registry(), "{type: Mesh, name: 5}"), ElementsAre("! invalid Mesh object: 'name: expected a string, got 5'"));
  EXPECT_THAT(refusals(registry(), "{type: Timeout, name: a, mesh: [], sources: []}"),
              ElementsAre("! invalid Timeout object: 'mesh: expected a string, got []'"));
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, mesh: 5, name: true, spec: {target: {}}}"),
              ElementsAre(": mesh in body must be of type string: \"number\"", ": name in body must be of type string: \"boolean\""));
}

TEST(FromRest, Checks_the_schema_before_the_validator) {
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, mesh: m, name: a, spec: {flavour: bitter}}"),
              ElementsAre("spec.target: in body is required"));
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, mesh: m, name: a, spec: {target: {}, flavour: bitter}}"),
              ElementsAre("spec.flavour: must not be bitter"));
}

TEST(FromRest, Reports_schema_violations_of_the_whole_spec_as_one_sentence) {
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, name: a, spec: null}"), ElementsAre(": spec in body must be of type object: \"null\""));
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, name: a, spec: x}"), ElementsAre(": spec in body must be of type object: \"string\""));
}

TEST(FromRest, Takes_a_missing_spec_of_a_policy_as_empty) {
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, mesh: m, name: a}"), IsEmpty());
}

TEST(FromRest, Refuses_another_type_than_the_one_of_a_policys_URL) {
  const auto document = parse_yaml("{type: Timeout, mesh: m, name: a, spec: {target: {}}}").value();
  EXPECT_EQ(violations_of(from_rest(*registry().find("MeshFlavour"), document).status()).text(),
            ": type in body should be one of [MeshFlavour]");
  // Of other types it is returned, for the API to compare.
  const auto zone = from_rest(*registry().find("Zone"), document);
  ASSERT_TRUE(zone.ok());
  EXPECT_EQ(zone->type, "Timeout");
}

TEST(FromRest, Reports_unreadable_durations_in_Go_words) {
  EXPECT_THAT(refusals(registry(), "{type: MeshFlavour, name: a, spec: {target: {}, wait: soon}}"),
              ElementsAre("! invalid MeshFlavour object: 'time: invalid duration \"soon\"'"));
}

TEST(FromRest, Ignores_times_labels_and_the_mesh_of_global_types) {
  const auto read = from_rest(registry(), parse_yaml("{type: Zone, mesh: m, name: z, creationTime: 5, labels: {a: b}}").value());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->resource.meta.mesh, "");
  EXPECT_EQ(read->resource.meta.name, "z");
  EXPECT_EQ(read->resource.meta.creation_time, WallTime{});
  EXPECT_EQ(read->resource.type, registry().find("Zone"));
}

TEST(ToRest, Puts_metadata_first_and_the_spec_beside_it) {
  auto read = from_rest(registry(), parse_yaml("{conf: {connectTimeout: 5s}, destinations: [{match: {kuma.io/service: b}}], name: t, "
                                               "sources: [{match: {kuma.io/service: '*'}}], mesh: m, type: Timeout}")
                                        .value());
  ASSERT_TRUE(read.ok()) << read.status();
  read->resource.meta.creation_time = *parse_rfc3339("2026-01-02T15:04:05.120Z");
  EXPECT_EQ(to_json(to_rest(read->resource)),
            R"({"type":"Timeout","mesh":"m","name":"t","creationTime":"2026-01-02T15:04:05.12Z","modificationTime":"0001-01-01T00:00:00Z",)"
            R"("sources":[{"match":{"kuma.io/service":"*"}}],"destinations":[{"match":{"kuma.io/service":"b"}}],"conf":{"connectTimeout":"5s"}})");
}

TEST(ToRest, Puts_the_spec_of_policies_under_spec) {
  EXPECT_EQ(rest_of(registry(), "{type: MeshFlavour, mesh: m, name: a, spec: {wait: 90s, extra: 1, target: {kind: Mesh}}}"),
            R"({"type":"MeshFlavour","mesh":"m","name":"a","spec":{"target":{"kind":"Mesh"},"wait":"1m30s"}})");
}

TEST(ToRest, Prints_only_metadata_of_an_empty_spec_and_no_mesh_of_global_types) {
  EXPECT_EQ(rest_of(registry(), "{type: Mesh, name: m}"), R"({"type":"Mesh","name":"m"})");
}

TEST(ToRest, Is_stable_for_documents_of_every_type) {
  const char* documents[] = {
      "{type: Mesh, name: m, mtls: {enabledBackend: a, backends: [{name: a, type: builtin, mode: PERMISSIVE, dpCert: {rotation: {expiration: 1d}, "
      "requestTimeout: 1500ms}, conf: {caCert: {RSAbits: 2048, expiration: 1y}}}]}, networking: {outbound: {passthrough: false}}}",
      "{type: Dataplane, mesh: m, name: d, networking: {address: 10.0.0.1, transparentProxying: {redirectPortInbound: 15006}, inbound: "
      "[{port: 80, tags: {kuma.io/service: a, b: c}, serviceProbe: {interval: 1h, tcp: {}}}], outbound: [{port: 1, tags: {kuma.io/service: x}}]}}",
      "{type: Secret, mesh: m, name: s, data: eA==}",
      "{type: Zone, name: z, enabled: false}",
      "{type: ServiceInsight, mesh: m, name: all-services-m, services: {b: {status: online, dataplanes: {total: 1}}, a: {}}}",
      "{type: MeshFlavour, mesh: m, name: a, spec: {wait: 90s, target: {}}}",
  };
  for (const char* yaml : documents) {
    const std::string once = rest_of(registry(), yaml);
    EXPECT_EQ(rest_of(registry(), once), once) << yaml;
    EXPECT_THAT(once, ::testing::StartsWith("{\"type\"")) << yaml;
  }
}

TEST(FromSpecJson, Reads_back_what_stores_carry_without_validating) {
  const auto timeout = from_spec_json(*registry().find("Timeout"), {"m", "t"}, parse_yaml("{conf: {}}").value());
  ASSERT_TRUE(timeout.ok());
  EXPECT_TRUE(timeout->as<::kuma::mesh::v1alpha1::Timeout>().has_conf());
  EXPECT_EQ(to_json(spec_to_json(*timeout)), R"({"conf":{}})");
  const auto flavour = from_spec_json(*registry().find("MeshFlavour"), {"m", "f"}, parse_yaml("{flavour: bitter}").value());
  ASSERT_TRUE(flavour.ok());
  EXPECT_EQ(to_json(spec_to_json(*flavour)), R"({"flavour":"bitter"})");
}

TEST(FromSpecJson, Refuses_what_is_of_another_shape) {
  EXPECT_FALSE(from_spec_json(*registry().find("Timeout"), {"m", "t"}, json::value("x")).ok());
  EXPECT_FALSE(from_spec_json(*registry().find("MeshFlavour"), {"m", "f"}, json::value("x")).ok());
  EXPECT_FALSE(from_spec_json(*registry().find("MeshFlavour"), {"m", "f"}, parse_yaml("{wait: 5}").value()).ok());
}

TEST(Hint, Is_empty_for_other_errors) { EXPECT_EQ(decode_hint_of(absl::NotFoundError("x")), ""); }

}  // namespace
}  // namespace kuma::model
