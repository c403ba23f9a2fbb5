#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/rest.h"

namespace kuma::model::testing {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What from_rest says to a resource in YAML: `field: message` for each violation, `! message` for any other error, nothing
// when it is accepted.
inline std::vector<std::string> refusals(const Registry& registry, std::string_view yaml) {
  const auto document = parse_yaml(yaml);
  EXPECT_TRUE(document.ok()) << document.status();
  if (!document.ok()) {
    return {"! no YAML"};
  }
  const auto read = from_rest(registry, *document);
  std::vector<std::string> out;
  if (!read.ok()) {
    const Violations violations = violations_of(read.status());
    for (const Violation& violation : violations.list()) {
      out.push_back(fmt::format("{}: {}", violation.field, violation.message));
    }
    if (out.empty()) {
      out.push_back(fmt::format("! {}", message_of(read.status())));
    }
  }
  return out;
}

// The REST form of an accepted resource, on one line and without its times.
inline std::string rest_of(const Registry& registry, std::string_view yaml) {
  const auto document = parse_yaml(yaml);
  const absl::StatusOr<RestDocument> read = document.ok() ? from_rest(registry, *document) : document.status();
  if (!read.ok()) {
    return std::string(message_of(read.status()));
  }
  json::object rest;
  for (auto& [key, value] : to_rest(read->resource)) {
    if (key != "creationTime" && key != "modificationTime") {
      rest.emplace(key, value);
    }
  }
  return to_json(rest);
}

}  // namespace kuma::model::testing
