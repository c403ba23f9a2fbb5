#include <gtest/gtest.h>

#include <random>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;

constexpr const char* kBodies[] = {
    R"({"type": "Mesh", "name": "m", "mtls": {"enabledBackend": "a", "backends": [{"name": "a", "type": "builtin"}]}})",
    R"({"type": "Dataplane", "mesh": "m", "name": "d", "networking": {"address": "10.0.0.1", "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})",
    R"({"type": "MeshTimeout", "mesh": "m", "name": "t", "spec": {"targetRef": {"kind": "Mesh"}, "to": [1, 2.5e300, "é\u0000\ud83d\ude00", null]}})",
    R"({"mesh": "m", "name": "n", "tags": {"a": ["b"]}, "scope": ["ingress"], "zone": "z", "validFor": "1h"})",
    R"({"type": "TrafficRoute", "mesh": "m", "name": "r", "sources": [{"match": {"kuma.io/service": "*"}}], "destinations": [{"match": {"kuma.io/service": "*"}}],
        "conf": {"split": [{"weight": 1, "destination": {"kuma.io/service": "a"}}]}})",
};
constexpr const char* kPieces[] = {"meshes",
                                   "m",
                                   "dataplanes",
                                   "d",
                                   "_overview",
                                   "dataplanes+insights",
                                   "meshtimeouts",
                                   "t",
                                   "_resources",
                                   "zones",
                                   "zoneingresses",
                                   "xds",
                                   "secrets",
                                   "global-secrets",
                                   "service-insights",
                                   "tokens",
                                   "user",
                                   "dataplane",
                                   "%2F",
                                   "%00",
                                   "%zz",
                                   "",
                                   ".",
                                   "..",
                                   "\xff",
                                   "traffic-routes",
                                   "r",
                                   "config",
                                   "policies",
                                   "who-am-i",
                                   "global-insight",
                                   "gui",
                                   "{mesh}",
                                   "status"};
constexpr const char* kQueries[] = {"",
                                    "size=0",
                                    "size=-1",
                                    "size=99999999999999999999",
                                    "offset=18446744073709551615",
                                    "offset=1&size=1",
                                    "tag=a:b&tag=:&tag=*",
                                    "gateway=builtin",
                                    "format=k8s",
                                    "name=%00",
                                    "&&==&;%",
                                    "size=1000&offset=1000"};

// Requests made of likely pieces, cut and with bytes changed.
class RandomRequests {
 public:
  explicit RandomRequests(uint32_t seed) : random_(seed) {}

  testing::Call next() {
    testing::Call call;
    call.method = pick({"GET", "GET", "PUT", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "", "get", "\n"});
    const size_t depth = random_() % 7;
    for (size_t i = 0; i < depth; ++i) {
      call.target += std::string("/") + kPieces[random_() % std::size(kPieces)];
    }
    call.target += std::string("?") + kQueries[random_() % std::size(kQueries)];
    call.body = kBodies[random_() % std::size(kBodies)];
    mutate(call.body);
    if (random_() % 4 == 0) {
      mutate(call.target);
    }
    if (random_() % 8 == 0) {
      call.headers = {{pick({"host", "accept", "content-type", "origin", "authorization"}),
                       pick({"", ",;,", "[", "Bearer ", "*/*"})}};
    }
    call.from = pick({"127.0.0.1", "10.0.0.1", ""});
    return call;
  }

 private:
  const char* pick(std::initializer_list<const char*> choices) { return choices.begin()[random_() % choices.size()]; }
  void mutate(std::string& text) {
    for (size_t i = random_() % 4; i > 0 && !text.empty(); --i) {
      const size_t at = random_() % text.size();
      switch (random_() % 4) {
        case 0:
          text[at] = static_cast<char>(random_());
          break;
        case 1:
          text.erase(at, random_() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random_() % text.size(), random_() % 50));
          break;
        default:
          text.insert(at, pick({"{", "}", "[", "\"", "null", "-1", "1e999", ":", ",", "\\u0000"}));
      }
    }
  }
  std::mt19937 random_;
};

struct Robustness : ::testing::Test, ApiHarness {};

TEST_F(Robustness, Answers_every_request_with_a_sensible_status) {
  config.api_server.cors_allowed_domains = {".*"};
  RandomRequests requests(1);
  for (int i = 0; i < 5000; ++i) {
    const testing::Call call_made = requests.next();
    const Answer answer = call(call_made);
    ASSERT_GE(answer.status, 200) << call_made.method << " " << call_made.target << "\n" << call_made.body;
    ASSERT_LE(answer.status, 503) << call_made.method << " " << call_made.target << "\n" << call_made.body;
    const auto type = answer.header("Content-Type");
    if (type == "application/json" && !call_made.target.starts_with("/config")) {
      ASSERT_TRUE(parse_json(answer.body).ok()) << answer.body;
    }
  }
}

}  // namespace
}  // namespace kuma::api
