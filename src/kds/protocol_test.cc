// The two state machines against each other, against odd peers, and against the recorded ones.
#include "kds/consumer.h"
#include "kds/provider.h"
#include "kds/store_sync.h"
#include "kds/testing.h"
#include "mesh/v1alpha1/mux.pb.h"

namespace kuma::kds {
namespace {

using namespace std::chrono_literals;
using testing::global_rules;
using testing::Peer;
using testing::zone_rules;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTimeout = "{{type: MeshTimeout, mesh: default, name: {}, spec: {{targetRef: {{kind: Mesh}}, to: [{{targetRef: {{kind: Mesh}}, default: {{idleTimeout: {}s}}}}]}}}}";

// A global that provides and a zone that consumes, message by message, each through its wire form.
class ProtocolTest : public ::testing::TestWithParam<Protocol> {
 protected:
  ProtocolTest() { reconnect(); }

  void reconnect(bool with_known = true) {
    provider_ = std::make_unique<Provider>(global_.registry, global_.catalog,
                                           Provider::Options{.protocol = GetParam(), .identifier = "global", .peer_zone = "east", .message_size_max = size_max_},
                                           global_.clock, [] {});
    consumer_ = std::make_unique<Consumer>(consumed_types(zone_.registry, Side::Zone),
                                           Consumer::Options{.protocol = GetParam(), .rules = receiver_, .node = {.id = "east", .features = {"zone-token"}, .version = "1"}});
    const auto types = consumed_types(zone_.registry, Side::Zone);
    for (const Request& request : consumer_->start(with_known ? sync_.known_versions(types, 1 << 20) : KnownVersions())) {
      ask(request);
    }
  }

  void ask(const Request& request) {
    const absl::Status status = GetParam() == Protocol::Delta ? provider_->on_request(parse(to_delta(request))) : provider_->on_request(parse(to_sotw(request)));
    EXPECT_TRUE(status.ok()) << status;
  }

  // Types of what is sent; everything is stored and answered until nothing is left.
  std::vector<std::string> run(absl::Status refuse_with = {}) {
    std::vector<std::string> sent;
    for (int bound = 0; bound < 100; ++bound) {
      const std::vector<Response> responses = provider_->take_responses();
      if (responses.empty()) {
        break;
      }
      for (const Response& response : responses) {
        if (!response.offers.empty() || !response.removed.empty()) {
          sent.push_back(fmt::format("{} +{} -{}", response.type, response.offers.size(), response.removed.size()));
        }
        std::vector<Request> answers;
        const absl::Status status = consumer_->on_response(GetParam() == Protocol::Delta ? parse(to_delta(response)) : parse(to_sotw(response)), answers);
        EXPECT_TRUE(status.ok()) << status;
      }
      while (auto batch = consumer_->take_batch()) {
        ask(consumer_->on_stored(refuse_with.ok() ? sync_.store(*batch) : refuse_with));
      }
      zone_.sync();
      if (GetParam() == Protocol::StateOfTheWorld) {
        global_.clock.advance(1s);
      }
    }
    return sent;
  }

  size_t size_max_ = 10 * 1024 * 1024;
  Peer global_{global_rules()};
  Peer zone_{zone_rules()};
  const ReceiverRules receiver_{.side = Side::Zone, .zone = "east"};
  StoreSync sync_{zone_.registry, *zone_.memory, receiver_};
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<Consumer> consumer_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, ProtocolTest, ::testing::Values(Protocol::Delta, Protocol::StateOfTheWorld),
                         [](const auto& param) { return param.param == Protocol::Delta ? "Delta" : "StateOfTheWorld"; });

TEST_P(ProtocolTest, A_new_peer_gets_what_there_is_then_what_changes) {
  global_.put("{type: Mesh, name: default}");
  global_.put(fmt::format(kTimeout, "a", 1));
  EXPECT_THAT(run(), ElementsAre("Mesh +1 -0", "MeshTimeout +1 -0"));
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/a"));
  global_.put(fmt::format(kTimeout, "b", 1));
  global_.remove("MeshTimeout", {"default", "a"});
  EXPECT_EQ(run().size(), 1);
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/b"));
  EXPECT_TRUE(provider_->is_settled());
}

TEST_P(ProtocolTest, A_peer_that_comes_back_loses_what_went_meanwhile) {
  global_.put("{type: Mesh, name: default}");
  global_.put(fmt::format(kTimeout, "a", 1));
  global_.put(fmt::format(kTimeout, "b", 1));
  run();
  provider_.reset();
  global_.remove("MeshTimeout", {"default", "a"});
  zone_.put("{type: Mesh, name: made-here}");
  zone_.put("{type: ZoneIngress, name: own, networking: {address: 10.0.0.1, port: 1}}");
  reconnect();
  const auto sent = run();
  if (GetParam() == Protocol::Delta) {
    EXPECT_THAT(sent, ElementsAre("Mesh +0 -1", "MeshTimeout +0 -1"));  // and nothing of what it has
  }
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/b"));
  EXPECT_THAT(zone_.names("Mesh"), ElementsAre("default"));
  EXPECT_THAT(zone_.names("ZoneIngress"), ElementsAre("own"));
}

TEST_P(ProtocolTest, A_peer_that_says_nothing_of_what_it_has_is_brought_to_the_same) {
  global_.put("{type: Mesh, name: default}");
  global_.put(fmt::format(kTimeout, "a", 1));
  zone_.put(fmt::format(kTimeout, "stale", 1));
  reconnect(false);
  run();
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/a"));
}

TEST_P(ProtocolTest, What_is_refused_comes_again_after_a_pause_and_holds_nothing_else_back) {
  global_.put("{type: Mesh, name: default}");
  run();
  global_.put(fmt::format(kTimeout, "a", 1));
  EXPECT_THAT(run(absl::ResourceExhaustedError("disk full")).front(), HasSubstr("MeshTimeout"));
  std::vector<Provider::Event> events = provider_->take_events();
  EXPECT_EQ(events.back().kind, Provider::Event::Kind::Rejected);
  EXPECT_EQ(events.back().error, "disk full");
  global_.put("{type: Mesh, name: other}");
  EXPECT_THAT(run(), ElementsAre(HasSubstr("Mesh +")));
  EXPECT_THAT(zone_.names("MeshTimeout"), IsEmpty());
  EXPECT_EQ(provider_->wake_at().has_value(), true);
  global_.clock.advance(5s);
  EXPECT_THAT(run(), ElementsAre("MeshTimeout +1 -0"));
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/a"));
}

TEST_P(ProtocolTest, A_first_response_that_is_refused_is_the_first_again) {
  global_.put("{type: Mesh, name: default}");
  zone_.put(fmt::format(kTimeout, "stale", 1));
  reconnect(false);
  run(absl::UnavailableError("no"));
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/stale"));
  global_.clock.advance(5s);
  run();
  EXPECT_THAT(zone_.names("MeshTimeout"), IsEmpty());
  EXPECT_THAT(zone_.names("Mesh"), ElementsAre("default"));
}

TEST_P(ProtocolTest, Changes_while_a_response_is_under_way_merge_into_the_next) {
  global_.put("{type: Mesh, name: default}");
  run();
  global_.put(fmt::format(kTimeout, "a", 1));
  const auto first = provider_->take_responses();
  ASSERT_EQ(first.size(), 1);
  const discovery::DeltaDiscoveryResponse sent = to_delta(first[0]);
  for (int second = 2; second < 12; ++second) {
    global_.put(fmt::format(kTimeout, "a", second));
  }
  EXPECT_THAT(provider_->take_responses(), IsEmpty());
  ask({.type = "MeshTimeout", .nonce = "something else"});
  EXPECT_THAT(provider_->take_responses(), IsEmpty());
  ask({.type = "MeshTimeout", .nonce = sent.nonce()});
  global_.clock.advance(1s);
  EXPECT_EQ(provider_->take_responses().size(), 1);
}

TEST_P(ProtocolTest, A_change_that_is_taken_back_is_not_sent) {
  global_.put("{type: Mesh, name: default}");
  global_.put(fmt::format(kTimeout, "a", 1));
  run();
  global_.put(fmt::format(kTimeout, "a", 2));
  global_.put(fmt::format(kTimeout, "a", 1));
  EXPECT_THAT(run(), IsEmpty());
}

TEST_P(ProtocolTest, A_peer_that_never_answers_is_noticed) {
  global_.put("{type: Mesh, name: default}");
  ASSERT_FALSE(provider_->take_responses().empty());
  EXPECT_TRUE(provider_->check_progress().ok());
  ASSERT_TRUE(provider_->wake_at());
  global_.clock.advance(2min);
  EXPECT_LE(*provider_->wake_at(), global_.clock.monotonic_now());
  EXPECT_THAT(std::string(message_of(provider_->check_progress())), HasSubstr("no answer to response"));
}

TEST_P(ProtocolTest, Unknown_types_are_answered_once_and_a_request_without_a_type_ends_the_stream) {
  run();
  ask({.type = "MeshOfTheFuture"});
  auto responses = provider_->take_responses();
  ASSERT_EQ(responses.size(), 1);
  EXPECT_THAT(responses[0].offers, IsEmpty());
  ask({.type = "MeshOfTheFuture", .nonce = responses[0].nonce});
  EXPECT_THAT(provider_->take_responses(), IsEmpty());
  EXPECT_EQ(provider_->on_request({}), absl::InvalidArgumentError("type URL is required for ADS"));
}

TEST_P(ProtocolTest, A_type_that_nobody_asked_for_is_acknowledged_and_ignored) {
  std::vector<Request> answers;
  EXPECT_TRUE(consumer_->on_response({.type = "MeshOfTheFuture", .nonce = "7"}, answers).ok());
  ASSERT_EQ(answers.size(), 1);
  EXPECT_EQ(answers[0].nonce, "7");
  EXPECT_FALSE(consumer_->take_batch());
}

TEST_P(ProtocolTest, A_resource_that_cannot_be_read_is_named_and_the_others_are_stored) {
  ReceivedResponse response{.type = "MeshTimeout", .nonce = "1"};
  zone_.put(fmt::format(kTimeout, "broken", 1));
  const Offer good{.key = {}, .version = "v", .bytes = share_bytes(encode_resource(testing::make(zone_.registry, fmt::format(kTimeout, "good", 1)))), .origin_zone = {}, .feature = {}};
  response.resources.emplace_back().any.set_type_url(std::string(kKumaResourceUrl));
  response.resources[0].any.set_value(*good.bytes);
  response.resources.push_back(response.resources[0]);
  std::string broken = encode_resource(testing::make(zone_.registry, fmt::format(kTimeout, "broken", 1)));
  broken.replace(broken.find("{\"targetRef"), 1, "?");
  response.resources[1].any.set_value(broken);
  std::vector<Request> answers;
  ASSERT_TRUE(consumer_->on_response(response, answers).ok());
  const auto batch = consumer_->take_batch();
  const Request answer = consumer_->on_stored(sync_.store(*batch));
  EXPECT_THAT(answer.error.value_or(""), HasSubstr("type=\"MeshTimeout\" name=\"broken\" mesh=\"default\": the spec is no JSON"));
  EXPECT_THAT(zone_.names("MeshTimeout"), ElementsAre("default/broken", "default/good"));
}

TEST_P(ProtocolTest, More_waiting_responses_than_types_end_the_stream) {
  std::vector<Request> answers;
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = consumer_->on_response({.type = "MeshTimeout", .nonce = fmt::format("{}", i)}, answers);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status));
}

TEST_P(ProtocolTest, What_is_over_the_limit_is_left_out_or_split) {
  size_max_ = 80 * 1024;
  reconnect();
  global_.put("{type: Mesh, name: default}");
  run();
  for (int i = 0; i < 200; ++i) {
    global_.put(fmt::format(kTimeout, fmt::format("policy-{}", i), 1));
  }
  const auto sent = run();
  if (GetParam() == Protocol::Delta) {
    EXPECT_GT(sent.size(), 1);
    EXPECT_EQ(zone_.names("MeshTimeout").size(), 200);
    provider_.reset();
    reconnect();
    EXPECT_THAT(run(), IsEmpty());
    global_.put(fmt::format("{{type: Secret, mesh: default, name: large, data: {}}}", base64_encode(std::string(100'000, 'x'))));
    global_.put("{type: Secret, mesh: default, name: small, data: aGVsbG8=}");
    run();
    EXPECT_THAT(zone_.names("Secret"), ElementsAre("default/small"));
  } else {
    EXPECT_THAT(zone_.names("MeshTimeout"), IsEmpty());  // and what was there would have stayed
  }
}

TEST_P(ProtocolTest, An_ingress_goes_to_other_zones_while_its_zone_is_enabled) {
  global_.put("{type: Zone, name: west}");
  global_.put("{type: ZoneIngress, name: west.in, zone: west, networking: {address: 10.0.0.1, port: 1}}");
  global_.put("{type: ZoneIngress, name: east.in, zone: east, networking: {address: 10.0.0.2, port: 1}}");
  run();
  EXPECT_THAT(zone_.names("ZoneIngress"), ElementsAre("west.in"));
  global_.put("{type: Zone, name: west, enabled: false}");
  run();
  EXPECT_THAT(zone_.names("ZoneIngress"), IsEmpty());
  global_.put("{type: Zone, name: west, enabled: true}");
  run();
  EXPECT_THAT(zone_.names("ZoneIngress"), ElementsAre("west.in"));
}

TEST(Recorded, The_requests_of_a_global_and_every_answer_of_a_zone_are_byte_for_byte_the_recorded_ones) {
  size_t compared = 0;
  for (const testing::Recorded& entry : testing::read_transcript("v2-session")) {
    if (entry.message != "envoy.service.discovery.v3.DeltaDiscoveryRequest") {
      continue;
    }
    discovery::DeltaDiscoveryRequest recorded;
    ASSERT_TRUE(recorded.ParseFromString(entry.raw));
    const Request request = parse(recorded);
    if (request.nonce.empty()) {
      EXPECT_EQ(to_delta(request).ByteSizeLong(), entry.raw.size());  // members of a struct have no order
    } else {
      EXPECT_EQ(to_delta(request).SerializeAsString(), entry.raw);
    }
    ++compared;
  }
  for (const testing::Recorded& entry : testing::read_transcript("v1-session")) {
    mesh::v1alpha1::Message recorded;
    if (entry.message != "kuma.mesh.v1alpha1.Message" || !recorded.ParseFromString(entry.raw) || !recorded.has_request()) {
      continue;
    }
    EXPECT_EQ(to_sotw(parse(recorded.request())).ByteSizeLong(), recorded.request().ByteSizeLong());
    ++compared;
  }
  if (compared == 0) {
    GTEST_SKIP() << "no recordings beside the checkout";
  }
}

// Whatever the recorded peer sent is stored, and each response is answered by the recorded bytes.
TEST(Recorded, A_zone_of_ours_answers_a_recorded_global_as_the_recorded_zone_did) {
  Peer zone(zone_rules("zone-1"));
  const ReceiverRules rules{.side = Side::Zone, .zone = "zone-1"};
  StoreSync sync(zone.registry, *zone.memory, rules);
  Consumer consumer(consumed_types(zone.registry, Side::Zone), {.protocol = Protocol::Delta, .rules = rules, .node = {.id = "zone-1"}});
  consumer.start({});
  std::map<std::string, std::string> recorded_acks;
  const auto entries = testing::read_transcript("v2-session");
  for (const testing::Recorded& entry : entries) {
    discovery::DeltaDiscoveryRequest request;
    if (!entry.to_zone && entry.method == "KDSSyncService/GlobalToZoneSync" && request.ParseFromString(entry.raw) && !request.response_nonce().empty()) {
      recorded_acks[request.response_nonce()] = entry.raw;
    }
  }
  size_t answered = 0;
  for (const testing::Recorded& entry : entries) {
    discovery::DeltaDiscoveryResponse response;
    if (!entry.to_zone || entry.method != "KDSSyncService/GlobalToZoneSync" || !response.ParseFromString(entry.raw)) {
      continue;
    }
    std::vector<Request> answers;
    ASSERT_TRUE(consumer.on_response(parse(response), answers).ok());
    const auto batch = consumer.take_batch();
    ASSERT_TRUE(batch);
    const Request answer = consumer.on_stored(sync.store(*batch));
    EXPECT_EQ(to_delta(answer).SerializeAsString(), recorded_acks[response.nonce()]) << response.type_url();
    ++answered;
  }
  if (answered == 0) {
    GTEST_SKIP() << "no recordings beside the checkout";
  }
  EXPECT_THAT(zone.names("Mesh"), ElementsAre("default"));
  EXPECT_THAT(zone.names("MeshTrafficPermission"), ElementsAre("default/mtp1"));
}

}  // namespace
}  // namespace kuma::kds
