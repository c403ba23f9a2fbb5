#include <gtest/gtest.h>

#include "api/diagnostics.h"
#include "api/testing.h"
#include "base/version.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;

struct Index : ::testing::Test, ApiHarness {};

TEST_F(Index, Says_what_this_is) {
  EXPECT_EQ(
      to_json(parse_json(get("/").body).value()),
      fmt::format(
          R"({{"hostname":"host","tagline":"Kuma","product":"Kuma","version":"{}","instanceId":"host-1a2b","clusterId":"c1","gui":"/gui"}})",
          kVersion));
}

TEST_F(Index, Names_no_GUI_where_there_is_none) {
  config.mode = "zone";
  EXPECT_EQ(find(parse_json(get("/").body).value(), "gui"), nullptr);
}

TEST_F(Index, Names_the_GUI_by_its_public_address) {
  config.api_server.gui.root_url = "https://mesh.example.com/ui";
  EXPECT_EQ(to_json(*find(parse_json(get("/").body).value(), "gui")), "\"https://mesh.example.com/ui\"");
}

TEST_F(Index, Shows_the_configuration_on_one_line_without_passwords) {
  config.store.postgres.password = "secret";
  const Answer answer = get("/config");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.body.find('\n'), std::string::npos);
  EXPECT_EQ(answer.body.find("secret\""), std::string::npos);
}

TEST_F(Index, Lists_policies_by_name) {
  const json::value body = parse_json(get("/policies").body).value();
  const json::array& policies = find(body, "policies")->get_array();
  EXPECT_EQ(
      to_json(policies.front()),
      R"({"name":"CircuitBreaker","readOnly":false,"path":"circuit-breakers","singularDisplayName":"Circuit Breaker",)"
      R"("pluralDisplayName":"Circuit Breakers","isExperimental":false,"isTargetRefBased":false,"isInbound":false,"isOutbound":false})");
  std::string previous;
  for (const json::value& policy : policies) {
    const std::string name(find(policy, "name")->get_string());
    EXPECT_LT(previous, name);
    previous = name;
  }
}

TEST_F(Index, Marks_policies_read_only_in_a_zone) {
  config.mode = "zone";
  EXPECT_EQ(get("/policies").body.find("\"readOnly\": false"), std::string::npos);
}

// ---- GUI

TEST_F(Index, Serves_one_page_for_all_paths_of_the_GUI) {
  const Answer redirect = get("/gui");
  EXPECT_EQ(redirect.status, 307);
  EXPECT_EQ(redirect.header("Location"), "/gui/");
  for (const char* path : {"/gui/", "/gui/meshes/default", "/gui/x.js?a=b"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.header("Content-Type"), "text/html; charset=utf-8") << path;
    EXPECT_NE(answer.body.find(R"({"apiUrl":"/","baseGuiPath":"/gui","version":")"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(get("/guide").status, 404);
  EXPECT_EQ(put("/gui/", "{}").status, 405);
}

TEST_F(Index, Says_that_the_GUI_is_disabled) {
  config.api_server.gui.enabled = false;
  const Answer answer = get("/gui/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("KUMA_API_SERVER_GUI_ENABLED=true"), std::string::npos);
}

TEST_F(Index, Lets_no_setting_break_out_of_the_GUI_s_page) {
  config.api_server.root_url = "</script><script>x";
  EXPECT_EQ(get("/gui/").body.find("</script><script>x"), std::string::npos);
}

// ---- diagnostics

TEST(Diagnostics, Is_ready_and_shows_metrics) {
  struct Catch final : net::HttpResponder::Impl {
    explicit Catch(net::HttpResponse& to) : to_(to) {}
    void send(net::HttpResponse response) override { to_ = std::move(response); }
    net::HttpResponse& to_;
  };
  observe::Metrics metrics;
  metrics.counter("things_total", "Things.").add();
  const net::HttpHandler handler = make_diagnostics(metrics);
  const auto get = [&](std::string target) {
    net::HttpResponse answer;
    net::HttpRequest request;
    request.method = "GET";
    request.target = std::move(target);
    handler(std::move(request), net::HttpResponder(std::make_unique<Catch>(answer)));
    return answer;
  };
  EXPECT_EQ(get("/debug/pprof/heap").status, 404);
  EXPECT_EQ(get("/ready").status, 200);
  EXPECT_EQ(get("/healthy").body, "");
  EXPECT_NE(get("/metrics?x=y").body.find("things_total 1"), std::string::npos);
}

}  // namespace
}  // namespace kuma::api
