#include "model/proto_json.h"

#include <set>

#include "base/status.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/health_check.pb.h"
#include "mesh/v1alpha1/kds.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "model/resource_type.h"
#include "system/v1alpha1/secret.pb.h"
#include "system/v1alpha1/zone.pb.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

json::value parsed(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value.ok()) << value.status() << text;
  return value.ok() ? *value : json::value();
}

template <typename T>
absl::StatusOr<T> read(std::string_view text) {
  T message;
  KUMA_RETURN_IF_ERROR(from_json_value(parsed(text), message));
  return message;
}

template <typename T>
std::string printed(std::string_view text) {
  const auto message = read<T>(text);
  return message.ok() ? to_json(to_json_object(*message)) : std::string(message_of(message.status()));
}

// The same text again after reading and printing.
template <typename T>
void expect_kept(const std::string& text) {
  EXPECT_EQ(printed<T>(text), text);
}

// ---------------------------------------------------------------------------------------------------- wrong kinds

template <typename T>
void expect_refused(std::string_view text, const std::string& message, const std::string& reference) {
  const auto status = read<T>(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(message_of(status), message);
  EXPECT_EQ(reference_text_of(status), reference);
}

TEST(ProtoJson, Refuses_wrong_kinds_and_names_where) {
  expect_refused<pb::Dataplane>(R"({"networking": {"inbound": [{"port": "x"}]}})",
                                R"(networking.inbound[0].port: expected a whole number from 0 to 4294967295, got the string "x")",
                                "invalid character 'x' looking for beginning of value");
  expect_refused<pb::Dataplane>(R"({"networking": {"inbound": {}}})", "networking.inbound: expected a list, got an object",
                                "json: cannot unmarshal object into Go value of type []json.RawMessage");
  expect_refused<pb::Dataplane>(R"({"networking": {"inbound": [null]}})", "networking.inbound[0]: expected an object, got null",
                                "json: cannot unmarshal null into Go value of type map[string]json.RawMessage");
  expect_refused<pb::Dataplane>(R"({"networking": []})", "networking: expected an object, got a list",
                                "json: cannot unmarshal array into Go value of type map[string]json.RawMessage");
  expect_refused<pb::Dataplane>(R"({"networking": {"address": 1}})", "networking.address: expected a string, got the number 1",
                                "json: cannot unmarshal number into Go value of type string");
  expect_refused<pb::Dataplane>(R"({"networking": {"gateway": {"tags": {"a": true}}}})",
                                R"(networking.gateway.tags["a"]: expected a string, got the boolean true)",
                                "json: cannot unmarshal bool into Go value of type string");
  expect_refused<pb::Dataplane>(R"({"networking": {"gateway": {"tags": []}}})", "networking.gateway.tags: expected an object, got a list",
                                "json: cannot unmarshal array into Go value of type map[string]json.RawMessage");
  expect_refused<pb::Mesh>(R"({"routing": {"zoneEgress": "yes"}})", R"(routing.zoneEgress: expected true or false, got the string "yes")",
                           "json: cannot unmarshal string into Go value of type bool");
  expect_refused<pb::Mesh>(R"({"mtls": {"backends": [{"conf": "x"}]}})", R"(mtls.backends[0].conf: expected an object, got the string "x")",
                           "json: cannot unmarshal string into Go value of type map[string]json.RawMessage");
  expect_refused<pb::Mesh>("[]", "expected an object, got a list", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage");
}

TEST(ProtoJson, Refuses_numbers_that_do_not_fit) {
  for (const char* port : {"-1", "4294967296", "1.5", "1e30"}) {
    const auto status = read<pb::Dataplane>(fmt::format(R"({{"networking": {{"inbound": [{{"port": {}}}]}}}})", port)).status();
    EXPECT_THAT(std::string(message_of(status)), ::testing::StartsWith("networking.inbound[0].port: expected a whole number")) << port;
  }
  EXPECT_TRUE(read<pb::Dataplane>(R"({"networking": {"inbound": [{"port": 4294967295}]}})").ok());
  EXPECT_TRUE(read<pb::Dataplane>(R"({"networking": {"inbound": [{"port": 80.0}]}})").ok());
}

TEST(ProtoJson, Refuses_unknown_enum_names_and_lists_the_known) {
  expect_refused<pb::Dataplane>(R"({"networking": {"gateway": {"type": "EXTRA"}}})",
                                R"(networking.gateway.type: expected one of DELEGATED, BUILTIN, got the string "EXTRA")",
                                R"(unknown value "\"EXTRA\"" for enum kuma.mesh.v1alpha1.Dataplane.Networking.Gateway.GatewayType)");
}

TEST(ProtoJson, Refuses_bad_durations_and_times) {
  expect_refused<pb::Timeout>(R"({"conf": {"connectTimeout": "5"}})",
                              R"(conf.connectTimeout: expected a duration such as "1.5s", got the string "5")",
                              R"(bad Duration: time: missing unit in duration "5")");
  expect_refused<pb::Timeout>(R"({"conf": {"connectTimeout": 5}})", R"(conf.connectTimeout: expected a duration such as "1.5s", got the number 5)",
                              "json: cannot unmarshal number into Go value of type string");
  EXPECT_FALSE(read<pb::DataplaneInsight>(R"({"mTLS": {"certificateExpirationTime": "yesterday"}})").ok());
  EXPECT_FALSE(read<pb::DataplaneInsight>(R"({"mTLS": {"certificateExpirationTime": 7}})").ok());
}

TEST(ProtoJson, Refuses_bytes_that_are_no_padded_standard_base64) {
  using Secret = ::kuma::system::v1alpha1::Secret;
  const auto reference = [](std::string_view data) {
    return reference_text_of(read<Secret>(fmt::format(R"({{"data": "{}"}})", data)).status());
  };
  EXPECT_EQ(reference("not base64!"), "illegal base64 data at input byte 3");
  EXPECT_EQ(reference("aGVsbG8"), "illegal base64 data at input byte 4");
  EXPECT_EQ(reference("_-8="), "illegal base64 data at input byte 0");
  EXPECT_EQ(reference("aGk=="), "illegal base64 data at input byte 3");
  EXPECT_TRUE(read<Secret>(R"({"data": "aGVsbG8="})").ok());
  EXPECT_TRUE(read<Secret>(R"({"data": ""})").ok());
}

TEST(ProtoJson, Refuses_what_is_nested_beyond_all_reason) {
  json::value deep = "x";
  for (int i = 0; i < 500; ++i) {
    deep = json::object{{"a", std::move(deep)}};
  }
  pb::Mesh mesh;
  const absl::Status status = from_json_value(json::object{{"mtls", {{"backends", json::array{{{"conf", deep}}}}}}}, mesh);
  EXPECT_EQ(message_of(status), "mtls.backends[0].conf: nested deeper than 128 levels");
}

// Every field of every type with a value of each kind: an answer each time, no crash, and whatever is taken stays the
// same when it is printed and read again.
void feed_all_kinds(const Message& prototype, const json::value& sample, int& taken) {
  for (int i = 0; i < prototype.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = prototype.GetDescriptor()->field(i);
    const std::unique_ptr<Message> message(prototype.New());
    if (!from_json_value(json::object{{field->json_name(), sample}}, *message).ok()) {
      continue;
    }
    ++taken;
    const json::value once = to_json_object(*message);
    const std::unique_ptr<Message> again(prototype.New());
    ASSERT_TRUE(from_json_value(once, *again).ok()) << field->full_name() << to_json(once);
    EXPECT_EQ(to_json(to_json_object(*again)), to_json(once)) << field->full_name();
  }
}

void each_message(const google::protobuf::Descriptor* descriptor, std::set<const google::protobuf::Descriptor*>& seen) {
  if (!seen.insert(descriptor).second) {
    return;
  }
  for (int i = 0; i < descriptor->field_count(); ++i) {
    if (descriptor->field(i)->message_type() != nullptr) {
      each_message(descriptor->field(i)->message_type(), seen);
    }
  }
}

TEST(ProtoJson, Takes_or_refuses_every_kind_of_value_in_every_field) {
  std::set<const google::protobuf::Descriptor*> messages;
  for (const ResourceType& type : core_types()) {
    each_message(type.prototype->GetDescriptor(), messages);
  }
  const json::value samples[] = {nullptr, true, 7, -7, 1.5, 1e300, "", "text", "7", "1s", "eA==", "2026-01-02T15:04:05Z",
                                 json::array{}, json::array{1}, json::array{"a"}, json::array{json::object{}}, json::object{},
                                 json::object{{"a", "b"}}, json::object{{"a", nullptr}}, json::object{{"seconds", 1}}};
  int taken = 0;
  for (const auto* descriptor : messages) {
    const Message* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
    if (descriptor->options().map_entry()) {
      continue;
    }
    for (const json::value& sample : samples) {
      feed_all_kinds(*prototype, sample, taken);
    }
  }
  EXPECT_GT(messages.size(), 150U);
  EXPECT_GT(taken, 1000);
}

// ------------------------------------------------------------------------------------------------------ right ones

TEST(ProtoJson, Prints_members_in_order_of_declaration) {
  // Numbers of these fields go 5, 3, 1, 8.
  expect_kept<pb::Dataplane>(
      R"({"networking":{"address":"1.1.1.1","gateway":{"tags":{"a":"1","b":"2"},"type":"BUILTIN"},"inbound":[{"port":80,"tags":{"k":"v"}}],"admin":{"port":9901}}})");
}

TEST(ProtoJson, Leaves_defaults_out_and_keeps_empty_messages) {
  EXPECT_EQ(printed<pb::Mesh>(R"({"mtls": {}, "skipCreatingInitialPolicies": [], "routing": {"zoneEgress": false}})"), R"({"mtls":{},"routing":{}})");
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"gateway": {"type": "DELEGATED", "tags": {}}}})"), R"({"networking":{"gateway":{}}})");
}

TEST(ProtoJson, Prints_wrappers_as_bare_values_with_their_defaults) {
  expect_kept<pb::Mesh>(R"({"networking":{"outbound":{"passthrough":false}}})");
  expect_kept<pb::Mesh>(R"({"tracing":{"backends":[{"sampling":0}]}})");
  expect_kept<pb::HealthCheck>(R"({"conf":{"healthyPanicThreshold":0.1}})");
  expect_kept<::kuma::system::v1alpha1::Zone>(R"({"enabled":false})");
}

TEST(ProtoJson, Reads_original_names_as_well_as_camel_case) {
  EXPECT_EQ(printed<pb::Retry>(R"({"conf": {"http": {"num_retries": 3, "perTryTimeout": "1s"}}})"),
            R"({"conf":{"http":{"numRetries":3,"perTryTimeout":"1s"}}})");
}

TEST(ProtoJson, Reads_enums_by_name_and_number) {
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"gateway": {"type": 1}}})"), R"({"networking":{"gateway":{"type":"BUILTIN"}}})");
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"gateway": {"type": 7}}})"), R"({"networking":{"gateway":{"type":7}}})");
  expect_kept<pb::Retry>(R"({"conf":{"http":{"retryOn":["all_5xx","retriable_status_codes"]}}})");
}

TEST(ProtoJson, Prints_64_bit_integers_as_text_and_reads_both) {
  expect_kept<pb::TrafficRoute>(R"({"conf":{"loadBalancer":{"ringHash":{"minRingSize":"18446744073709551615"}}}})");
  EXPECT_EQ(printed<pb::TrafficRoute>(R"({"conf": {"loadBalancer": {"ringHash": {"minRingSize": 64}}}})"),
            R"({"conf":{"loadBalancer":{"ringHash":{"minRingSize":"64"}}}})");
}

TEST(ProtoJson, Reads_numbers_as_text) {
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"inbound": [{"port": "80"}]}})"), R"({"networking":{"inbound":[{"port":80}]}})");
  EXPECT_EQ(printed<pb::Mesh>(R"({"tracing": {"backends": [{"sampling": "12.5"}]}})"), R"({"tracing":{"backends":[{"sampling":12.5}]}})");
}

TEST(ProtoJson, Reads_durations_in_any_form_and_prints_one) {
  const auto duration = [](std::string_view text) { return printed<pb::Timeout>(fmt::format(R"({{"conf": {{"connectTimeout": "{}"}}}})", text)); };
  EXPECT_EQ(duration("1h30m"), R"({"conf":{"connectTimeout":"5400s"}})");
  EXPECT_EQ(duration("25ms"), R"({"conf":{"connectTimeout":"0.025s"}})");
  EXPECT_EQ(duration("1.5s"), R"({"conf":{"connectTimeout":"1.500s"}})");
  EXPECT_EQ(duration("1us"), R"({"conf":{"connectTimeout":"0.000001s"}})");
  EXPECT_EQ(duration("0"), R"({"conf":{"connectTimeout":"0s"}})");
  EXPECT_EQ(duration("-1.5s"), R"({"conf":{"connectTimeout":"-1.500s"}})");
}

TEST(ProtoJson, Prints_times_with_groups_of_three_digits) {
  expect_kept<pb::DataplaneInsight>(R"({"mTLS":{"certificateExpirationTime":"2026-01-02T15:04:05Z"}})");
  EXPECT_EQ(printed<pb::DataplaneInsight>(R"({"mTLS": {"certificateExpirationTime": "2026-01-02T16:04:05.12+01:00"}})"),
            R"({"mTLS":{"certificateExpirationTime":"2026-01-02T15:04:05.120Z"}})");
}

TEST(ProtoJson, Takes_null_as_unset_and_ignores_unknown_members) {
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"address": null, "inbound": null, "extra": [1]}, "labels": {}})"), R"({"networking":{}})");
  EXPECT_EQ(printed<pb::Dataplane>(R"({"networking": {"gateway": {"tags": {"a": null}}}})"), R"({"networking":{"gateway":{"tags":{"a":""}}}})");
}

TEST(ProtoJson, Keeps_free_form_values_sorted_by_key) {
  EXPECT_EQ(printed<pb::Mesh>(R"({"mtls": {"backends": [{"conf": {"z": [1, 2.5, "x", null, true], "a": {"b": {}}}}]}})"),
            R"({"mtls":{"backends":[{"conf":{"a":{"b":{}},"z":[1,2.5,"x",null,true]}}]}})");
}

TEST(ProtoJson, Prints_known_Any_messages_by_their_fields) {
  pb::KumaResource resource;
  pb::Mesh mesh;
  mesh.mutable_routing()->set_zoneegress(true);
  resource.mutable_spec()->PackFrom(mesh);
  const json::object printed_any = to_json_object(resource);
  EXPECT_EQ(to_json(printed_any), R"({"spec":{"@type":"type.googleapis.com/kuma.mesh.v1alpha1.Mesh","routing":{"zoneEgress":true}}})");
  pb::KumaResource again;
  ASSERT_TRUE(from_json_value(printed_any, again).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(resource, again));
}

TEST(ProtoJson, Shows_unknown_Any_messages_as_bytes_and_refuses_to_read_them) {
  pb::KumaResource resource;
  resource.mutable_spec()->set_type_url("type.googleapis.com/no.Such");
  resource.mutable_spec()->set_value("x");
  const json::object shown = to_json_object(resource);
  EXPECT_EQ(to_json(shown), R"({"spec":{"@type":"type.googleapis.com/no.Such","value":"eA=="}})");
  EXPECT_EQ(message_of(from_json_value(shown, resource)), R"(spec.@type: unknown message type "no.Such")");
}

TEST(ProtoJson, Clears_what_the_message_held_before) {
  pb::Mesh mesh;
  mesh.mutable_routing()->set_zoneegress(true);
  ASSERT_TRUE(from_json_value(json::object{}, mesh).ok());
  EXPECT_FALSE(mesh.has_routing());
}

}  // namespace
}  // namespace kuma::model
