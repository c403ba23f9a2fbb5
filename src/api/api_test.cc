#include "api/api.h"

#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

constexpr char kMesh[] = R"({"type": "Mesh", "name": "m"})";

struct Api : ::testing::Test, ApiHarness {};

// ---- what never reaches a handler

TEST_F(Api, Answers_unknown_paths_with_a_text) {
  for (const char* path :
       {"/nothing", "/meshes/m/nothing", "/versions", "/dataplanes/x", "", "*", "/meshes/m/dataplanes/d/e"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, "404: Page Not Found") << path;
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8") << path;
  }
}

TEST_F(Api, Answers_known_paths_with_a_wrong_verb_by_naming_the_right_ones) {
  const Answer item = call({.method = "POST", .target = "/meshes/m", .body = "{}"});
  EXPECT_EQ(item.status, 405);
  EXPECT_EQ(item.body, "405: Method Not Allowed");
  EXPECT_EQ(item.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(item.header("Allow"), "PUT, DELETE, GET");
  EXPECT_EQ(put("/meshes", "{}").header("Allow"), "GET");
  EXPECT_EQ(put("/meshes/m/dataplanes/d/_overview", "{}").header("Allow"), "GET");
  EXPECT_EQ(call({.method = "OPTIONS", .target = "/meshes/m"}).header("Allow"), "PUT, DELETE, GET");
  EXPECT_EQ(get("/tokens/user").header("Allow"), "POST");
}

TEST_F(Api, Does_not_implement_HEAD) {
  const Answer answer = call({.method = "HEAD", .target = "/meshes/m"});
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("Allow"), "PUT, DELETE, GET");
}

TEST_F(Api, Takes_bodies_only_as_JSON) {
  const auto with_type = [&](std::string name, std::string value) {
    return call(
        {.method = "PUT", .target = "/meshes/m", .body = kMesh, .headers = {{std::move(name), std::move(value)}}});
  };
  for (const auto& [name, value] : {std::pair("content-type", "text/plain"),
                                    {"-content-type", ""},
                                    {"content-type", ""},
                                    {"content-type", "application/jsonx"}}) {
    const Answer answer = with_type(name, value);
    EXPECT_EQ(answer.status, 415) << value;
    EXPECT_EQ(answer.body, "415: Unsupported Media Type") << value;
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8") << value;
  }
  EXPECT_EQ(with_type("content-type", "Application/JSON ; charset=utf-8").status, 201);
}

TEST_F(Api, Answers_JSON_only_to_those_who_accept_it) {
  stored(kMesh);
  const auto with_accept = [&](std::string accept) {
    return call({.target = "/meshes/m", .headers = {{"accept", std::move(accept)}}});
  };
  const Answer refused = with_accept("text/html, image/*;q=0.5");
  EXPECT_EQ(refused.status, 406);
  EXPECT_EQ(refused.body, "406: Not Acceptable\n\nAvailable representations: application/json");
  EXPECT_EQ(refused.header("Content-Type"), "text/plain; charset=utf-8");
  for (const char* accept : {"", "*/*", "text/html, */*;q=0.1", "application/json;q=1", "application/*"}) {
    EXPECT_EQ(with_accept(accept).status, 200) << accept;
  }
}

TEST_F(Api, Refuses_escapes_in_paths_that_are_not_well_formed) { EXPECT_EQ(get("/meshes/%zz").status, 400); }

TEST_F(Api, Decodes_names_in_paths) {
  stored(R"({"type": "Mesh", "name": "a b"})");
  EXPECT_EQ(get("/meshes/a%20b/").status, 200);
}

TEST_F(Api, Takes_targets_with_a_host) {
  EXPECT_EQ(get("http://cp.example.com:5681/meshes?size=1").status, 200);
  EXPECT_EQ(get("http://cp.example.com").status, 404);
}

// ---- bodies

struct Body : Api {};

TEST_F(Body, Names_line_and_column_of_malformed_JSON) {
  const Answer answer = put("/meshes/m", "{\n \"type\": \"Mesh\",\n \"name\" \"m\"}");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("\"title\": \"Bad Request\""), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("\"detail\": \"invalid Mesh object: 'line 3, column "), std::string::npos) << answer.body;
}

TEST_F(Body, Refuses_what_is_no_object) {
  for (const char* body : {"", "{", "[]", "1", "null", "\"x\"", "\xff\xfe"}) {
    const Answer answer = put("/meshes/m", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.body.find("\"title\": \"Bad Request\""), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("\"detail\": \"invalid Mesh object: '"), std::string::npos) << answer.body;
  }
}

TEST_F(Body, Refuses_members_of_a_wrong_kind) {
  for (const char* body :
       {R"({"type": "Mesh", "name": "m", "mtls": 1})", R"({"type": "Mesh", "name": 1})", R"({"type": [], "name": "m"})",
        R"({"type": "Mesh", "name": "m", "mtls": {"backends": {}}})"}) {
    const Answer answer = put("/meshes/m", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.body.find("invalid Mesh object: '"), std::string::npos) << answer.body;
  }
}

TEST_F(Body, Refuses_deep_nesting) {
  std::string body = R"({"type": "MeshTimeout", "mesh": "m", "name": "t", "spec": )";
  body += std::string(100'000, '[') + std::string(100'000, ']') + "}";
  const Answer answer = put("/meshes/m/meshtimeouts/t", body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_LT(answer.body.size(), 1000U);
}

TEST_F(Body, Refuses_one_that_is_too_large_in_the_usual_form) {
  config.api_server.body_size_max = 10;
  const Answer answer = put("/meshes/m", std::string(11, ' '));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body,
            error_body(413, "Could not process a resource", "The body of the request is larger than 10 bytes"));
  EXPECT_EQ(body_too_large(10).body, answer.body);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
}

// ---- where requests run

TEST_F(Api, Reads_on_the_loop_and_writes_on_the_worker) {
  get("/meshes");
  EXPECT_EQ(worker.done, 0);
  EXPECT_EQ(put("/meshes/m", kMesh).status, 201);
  EXPECT_EQ(worker.done, 1);
  EXPECT_EQ(remove("/meshes/m").status, 200);
  EXPECT_EQ(worker.done, 2);
}

TEST_F(Api, Lists_on_the_worker_when_much_is_asked_for) {
  get("/meshes?size=200");
  EXPECT_EQ(worker.done, 0);
  for (const char* size : {"0", "201", "1000"}) {
    worker.done = 0;
    EXPECT_EQ(get(std::string("/meshes?size=") + size).status, 200);
    EXPECT_EQ(worker.done, 1) << size;
  }
}

TEST_F(Api, Refuses_work_when_the_worker_has_too_much) {
  worker.full = true;
  const Answer answer = put("/meshes/m", kMesh);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, error_body(503, "Service unavailable", "Service unavailable"));
  EXPECT_EQ(get("/meshes/m").status, 404);
}

// ---- base path

TEST_F(Api, Lies_below_the_base_path) {
  config.api_server.base_path = "/kuma";
  stored(kMesh);
  EXPECT_EQ(get("/meshes").status, 404);
  EXPECT_EQ(get("/kuma/meshes").status, 200);
  EXPECT_EQ(get("/kuma").status, 200);
  EXPECT_EQ(get("/gui/").status, 200);
  EXPECT_EQ(call({.method = "POST", .target = "/tokens/user", .body = "{"}).status, 400);
  EXPECT_EQ(call({.method = "POST", .target = "/kuma/tokens/zone", .body = "{"}).status, 400);
}

// ---- metrics

TEST_F(Api, Counts_requests_by_route) {
  observe::Metrics metrics;
  deps_hook = [&](ApiDeps& deps) { deps.metrics = &metrics; };
  stored(kMesh);
  get("/meshes/m");
  get("/meshes/none");
  get("/no/such/path");
  const std::string text = metrics.to_text();
  for (
      const char* series :
      {R"(api_server_http_request_duration_seconds_count{code="200",handler="/meshes/{name}",method="GET",service=""} 1)",
       R"(api_server_http_request_duration_seconds_count{code="404",handler="/meshes/{name}",method="GET",service=""} 1)",
       R"(api_server_http_request_duration_seconds_count{code="404",handler="",method="GET",service=""} 1)",
       R"(api_server_http_requests_inflight{handler="/meshes/{name}",service=""} 0)"}) {
    EXPECT_NE(text.find(series), std::string::npos) << series << "\n" << text;
  }
}

}  // namespace
}  // namespace kuma::api
