#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

constexpr char kMesh[] = R"({"type": "Mesh", "name": "m"})";
constexpr char kSecret[] = R"({"type": "Secret", "mesh": "m", "name": "s", "data": "eA=="})";
constexpr char kTimeout[] = R"({"type": "MeshTimeout", "mesh": "m", "name": "t", "spec": {"targetRef": {"kind": "Mesh"},
  "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "2s"}}]}})";
constexpr char kDataplane[] =
    R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
  "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})";

struct Resources : ::testing::Test, ApiHarness {};

// ---- refused writes

TEST_F(Resources, Refuses_a_body_that_contradicts_the_path) {
  const std::string title = "Could not process a resource";
  EXPECT_EQ(
      put("/meshes/other", kMesh).body,
      error_body(400, title, "Resource is not valid", {{"name", "name from the URL has to be the same as in body"}}));
  EXPECT_EQ(
      put("/meshes/m", R"({"type": "Zone", "name": "m"})").body,
      error_body(400, title, "Resource is not valid", {{"type", "type from the URL has to be the same as in body"}}));
  EXPECT_EQ(
      put("/meshes/x/secrets/s", kSecret).body,
      error_body(400, title, "Resource is not valid", {{"mesh", "mesh from the URL has to be the same as in body"}}));
  EXPECT_EQ(put("/meshes/m", "{}").body, error_body(400, title, "Resource is not valid",
                                                    {{"name", "name from the URL has to be the same as in body"},
                                                     {"type", "type from the URL has to be the same as in body"},
                                                     {"name", "cannot be empty"}}));
}

TEST_F(Resources, Refuses_another_type_of_policy_by_its_schema) {
  EXPECT_EQ(put("/meshes/m/meshretries/t", kTimeout).body,
            error_body(400, "Could not process a resource", "Resource is not valid",
                       {{"", "type in body should be one of [MeshRetry]"}}));
}

TEST_F(Resources, Refuses_a_policy_whose_spec_is_no_object) {
  for (const auto& [spec, kind] :
       {std::pair("null", "null"), {"\"x\"", "string"}, {"[]", "array"}, {"1", "number"}, {"true", "boolean"}}) {
    const std::string body = fmt::format(R"({{"type": "MeshTimeout", "mesh": "m", "name": "t", "spec": {}}})", spec);
    EXPECT_EQ(put("/meshes/m/meshtimeouts/t", body).body,
              error_body(400, "Could not process a resource", "Resource is not valid",
                         {{"", fmt::format("spec in body must be of type object: \"{}\"", kind)}}));
  }
}

TEST_F(Resources, Reports_the_spec_before_the_names) {
  const Answer answer = put("/meshes/m/dataplanes/x", R"({"type": "Dataplane", "mesh": "other", "name": "y"})");
  EXPECT_EQ(answer.body, error_body(400, "Could not process a resource", "Resource is not valid",
                                    {{"networking", "must be defined"}}));
}

TEST_F(Resources, Refuses_what_belongs_to_no_mesh) {
  EXPECT_EQ(
      put("/meshes/m/meshtimeouts/t", kTimeout).body,
      error_body(400, "Could not create a resource", "Mesh is not found", {{"mesh", "mesh of name m is not found"}}));
}

TEST_F(Resources, Reports_conflicts_with_a_write_in_between) {
  stored(kMesh);
  deps_hook = [](ApiDeps& deps) {
    deps.writer.update = [](const model::Resource&) { return absl::AbortedError("resource conflict: type=\"Mesh\""); };
  };
  const Answer answer = put("/meshes/m", kMesh);
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, error_body(409, "Conflict", "resource conflict: type=\"Mesh\""));
}

TEST_F(Resources, Refuses_to_delete_what_is_not_there) {
  EXPECT_EQ(remove("/meshes/m").body, error_body(404, "Could not delete a resource", "Not found"));
  EXPECT_EQ(remove("/meshes/m/dataplanes/d").status, 404);
}

TEST_F(Resources, Hides_causes_of_failed_writes) {
  deps_hook = [](ApiDeps& deps) {
    deps.writer.create = [](const model::Resource&) { return absl::InternalError("the cause"); };
  };
  EXPECT_EQ(put("/meshes/m", kMesh).body, error_body(500, "Could not create a resource", "Internal Server Error"));
}

TEST_F(Resources, Refuses_writes_of_insights_even_of_absent_ones) {
  const std::string refused = error_body(405, "Method not Allowed", "Method not allowed");
  for (const char* path : {"/meshes/m/dataplane-insights/d", "/mesh-insights/m", "/zone-insights/z",
                           "/zone-ingress-insights/z", "/zoneegressinsights/z", "/meshes/m/service-insights/web"}) {
    EXPECT_EQ(put(path, "{").body, refused) << path;
    EXPECT_EQ(remove(path).body, refused) << path;
    EXPECT_EQ(remove(path).status, 405) << path;
  }
}

TEST_F(Resources, Refuses_all_writes_when_the_API_is_read_only) {
  config.api_server.read_only = true;
  stored(kMesh);
  const std::string refused = error_body(405, "Method not Allowed", "Method not allowed");
  EXPECT_EQ(put("/meshes/m", "{").body, refused);
  EXPECT_EQ(remove("/meshes/none").body, refused);
  EXPECT_EQ(put("/zones/z", "{}").status, 405);
  EXPECT_EQ(get("/meshes/m").status, 200);
}

TEST_F(Resources, Refuses_on_a_global_control_plane_what_zones_provide) {
  config.mode = "global";
  stored(kMesh);
  EXPECT_EQ(put("/meshes/m/dataplanes/web-1", kDataplane).status, 405);
  EXPECT_EQ(put("/zoneegresses/e", "{}").status, 405);
  EXPECT_EQ(put("/meshes/m/meshtimeouts/t", kTimeout).status, 201);
  EXPECT_EQ(put("/zone-ingresses/i", R"({"type": "ZoneIngress", "name": "i", "networking": {"port": 1}})").status, 201);
  EXPECT_EQ(put("/zones/z", R"({"type": "Zone", "name": "z"})").status, 201);
}

TEST_F(Resources, Refuses_on_a_zone_control_plane_what_the_global_one_provides) {
  config.mode = "zone";
  config.multizone.zone.name = "east";
  stored(kMesh);
  for (const char* path :
       {"/meshes/m", "/meshes/m/meshtimeouts/t", "/meshes/m/timeouts/t", "/meshes/m/external-services/e",
        "/meshes/m/meshgateways/g", "/meshes/m/virtual-outbounds/v", "/meshes/m/secrets/s", "/global-secrets/s"}) {
    EXPECT_EQ(put(path, "{}").status, 405) << path;
  }
  EXPECT_EQ(put("/meshes/m/dataplanes/web-1", kDataplane).status, 201);
  EXPECT_EQ(put("/zones/z", R"({"type": "Zone", "name": "z"})").status, 201);
}

TEST_F(Resources, Refuses_names_that_get_too_long_with_the_zone_s_name) {
  config.mode = "zone";
  config.multizone.zone.name = "east";
  const std::string name(249, 'a');
  EXPECT_EQ(put("/zones/" + name, fmt::format(R"({{"type": "Zone", "name": "{}"}})", name)).body,
            error_body(400, "Could not process a resource", "Resource is not valid",
                       {{"name", "the length of the name must be shorter"}}));
}

// ---- writes

TEST_F(Resources, Creates_then_updates_with_an_empty_answer) {
  const Answer created = put("/meshes/m", kMesh);
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.body, "");
  EXPECT_EQ(created.header("Content-Type"), std::nullopt);
  clock.advance(std::chrono::seconds(1));
  const Answer updated =
      put("/meshes/m", R"({"type": "Mesh", "name": "m", "routing": {"localityAwareLoadBalancing": true}})");
  EXPECT_EQ(updated.status, 200);
  EXPECT_EQ(updated.body, "");
  EXPECT_EQ(get("/meshes/m").body, R"({
 "type": "Mesh",
 "name": "m",
 "creationTime": "2023-11-14T22:13:20Z",
 "modificationTime": "2023-11-14T22:13:21Z",
 "routing": {
  "localityAwareLoadBalancing": true
 }
}
)");
}

TEST_F(Resources, Puts_a_policy_s_spec_under_spec) {
  stored(kMesh);
  EXPECT_EQ(put("/meshes/m/meshtimeouts/t", kTimeout).status, 201);
  EXPECT_EQ(get("/meshes/m/meshtimeouts/t").body, R"({
 "type": "MeshTimeout",
 "mesh": "m",
 "name": "t",
 "creationTime": "2023-11-14T22:13:20Z",
 "modificationTime": "2023-11-14T22:13:20Z",
 "spec": {
  "targetRef": {
   "kind": "Mesh"
  },
  "to": [
   {
    "targetRef": {
     "kind": "Mesh"
    },
    "default": {
     "connectionTimeout": "2s"
    }
   }
  ]
 }
}
)");
}

TEST_F(Resources, Deletes_with_an_empty_answer) {
  stored(kMesh);
  const Answer answer = remove("/meshes/m");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("Content-Type"), std::nullopt);
  EXPECT_EQ(get("/meshes/m").body, error_body(404, "Could not retrieve a resource", "Not found"));
}

// ---- access

TEST_F(Resources, Keeps_secrets_from_everybody_but_administrators) {
  stored(kMesh);
  stored(kSecret);
  const std::string refused = error_body(
      403, "Access Denied",
      "user \"mesh-system:anonymous/mesh-system:unauthenticated\" cannot access the resource of type \"Secret\"");
  const auto from_elsewhere = [&](std::string method, std::string target, std::string body = {}) {
    return call(
        {.method = std::move(method), .target = std::move(target), .body = std::move(body), .from = "127.0.0.2"});
  };
  EXPECT_EQ(from_elsewhere("GET", "/secrets").body, refused);
  EXPECT_EQ(from_elsewhere("GET", "/meshes/m/secrets").body, refused);
  EXPECT_EQ(from_elsewhere("GET", "/meshes/m/secrets/s").body, refused);
  EXPECT_EQ(from_elsewhere("GET", "/meshes/m/secrets/none").body, refused);
  EXPECT_EQ(from_elsewhere("PUT", "/meshes/m/secrets/s", kSecret).body, refused);
  EXPECT_EQ(from_elsewhere("DELETE", "/meshes/m/secrets/s").body, refused);
  EXPECT_EQ(from_elsewhere("DELETE", "/meshes/m/secrets/none").status, 404);
  EXPECT_EQ(from_elsewhere("PUT", "/meshes/m/secrets/t", kSecret).status, 400);
  EXPECT_EQ(get("/meshes/m/secrets/s").status, 200);
  EXPECT_EQ(from_elsewhere("GET", "/meshes/m").status, 200);
}

TEST_F(Resources, Waits_for_secrets_that_are_on_their_way_for_those_who_may_see_them) {
  std::vector<std::string> waits;
  deps_hook = [&](ApiDeps& deps) {
    deps.wait_for_secrets = [&](const std::string& mesh, std::string_view prefix) {
      waits.push_back(fmt::format("{}/{}", mesh, prefix));
    };
  };
  stored(kMesh);
  call({.target = "/secrets", .from = "10.0.0.1"});
  get("/meshes/m");
  EXPECT_TRUE(waits.empty());
  get("/meshes/m/secrets/s");
  get("/meshes/m/secrets");
  get("/secrets");
  get("/global-secrets/admin-user-token");
  get("/global-secrets");
  EXPECT_EQ(waits, (std::vector<std::string>{"m/s", "m/", "m/", "/admin-user-token", "/"}));
  EXPECT_EQ(worker.done, 6);
}

// ---- as Kubernetes objects

TEST_F(Resources, Refuses_unknown_formats) {
  stored(kMesh);
  EXPECT_EQ(get("/meshes/m?format=zz").body,
            error_body(400, "invalid format", "Resource is not valid",
                       {{"", "\"format\" must be one of [\"k8s\", \"kubernetes\", \"universal\"]"}}));
  EXPECT_EQ(get("/meshes/none?format=k8s").status, 404);
  EXPECT_EQ(get("/meshes/m?format=universal").status, 200);
}

TEST_F(Resources, Shows_resources_as_Kubernetes_objects) {
  clock.advance(std::chrono::milliseconds(5));
  stored(kMesh);
  stored(kTimeout);
  stored(kDataplane);
  EXPECT_EQ(get("/meshes/m?format=k8s").body, R"({
 "kind": "Mesh",
 "apiVersion": "kuma.io/v1alpha1",
 "metadata": {
  "name": "m",
  "creationTimestamp": "2023-11-14T22:13:20Z"
 },
 "spec": {}
}
)");
  const json::value policy = parse_json(get("/meshes/m/meshtimeouts/t?format=kubernetes").body).value();
  EXPECT_EQ(
      to_json(*find(policy, "metadata")),
      R"({"name":"t","namespace":"kuma-system","creationTimestamp":"2023-11-14T22:13:20Z","labels":{"kuma.io/mesh":"m"}})");
  EXPECT_EQ(find(policy, "mesh"), nullptr);
  const json::value dataplane = parse_json(get("/meshes/m/dataplanes/web-1?format=k8s&namespace=apps").body).value();
  EXPECT_EQ(to_json(*find(*find(dataplane, "metadata"), "namespace")), "\"apps\"");
  EXPECT_EQ(to_json(*find(dataplane, "mesh")), "\"m\"");
}

}  // namespace
}  // namespace kuma::api
