#include "policy/meshhealthcheck/schema.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "policy/policy.h"

namespace kuma::policy {
namespace {

std::string refusal_of(const std::string& threshold) {
  std::vector<model::ResourceType> types = policy_types();
  const model::Registry registry(std::move(types));
  const auto document = parse_yaml(
      "type: MeshHealthCheck\nmesh: default\nname: h\nspec:\n  targetRef: {kind: Mesh}\n  to:\n  - targetRef: {kind: Mesh}\n"
      "    default: {interval: 1s, timeout: 1s, unhealthyThreshold: 1, healthyThreshold: 1, healthyPanicThreshold: \"" +
      threshold + "\", tcp: {}}\n");
  return std::string(message_of(model::from_rest(registry, *document).status()));
}

TEST(MeshHealthCheckSchema, Refuses_panic_thresholds_that_are_no_numbers) {
  for (const char* wrong : {"nan", "inf", "-inf", "x", ""}) {
    EXPECT_EQ(refusal_of(wrong), "spec.to[0].default.healthyPanicThreshold: string has to be a valid number") << wrong;
  }
  EXPECT_EQ(refusal_of("101"), "spec.to[0].default.healthyPanicThreshold: has to be in [0.0 - 100.0] range");
  EXPECT_EQ(refusal_of("50.5"), "");
}

}  // namespace
}  // namespace kuma::policy
