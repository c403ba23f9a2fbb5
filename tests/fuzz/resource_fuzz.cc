// Any bytes as a resource: YAML or JSON, decoded, validated, printed, read back. Nothing may crash, and what was accepted
// must be read back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "base/mustache.h"
#include "model/rest.h"
#include "policy/policy.h"

namespace {

const kuma::model::Registry& registry() {
  static const kuma::model::Registry kRegistry = [] {
    auto types = kuma::model::core_types();
    for (auto& type : kuma::policy::policy_types()) {
      types.push_back(std::move(type));
    }
    return kuma::model::Registry(std::move(types));
  }();
  return kRegistry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kuma::render_mustache(text, {{"name", "x"}});
  const auto document = kuma::parse_yaml(text);
  if (!document.ok()) {
    return 0;
  }
  const auto parsed = kuma::model::from_rest(registry(), *document);
  if (!parsed.ok()) {
    return 0;
  }
  const auto printed = kuma::to_json(kuma::model::to_rest(parsed->resource));
  const auto again = kuma::model::from_rest(registry(), *kuma::parse_json(printed));
  if (!again.ok() || kuma::to_json(kuma::model::to_rest(again->resource)) != printed) {
    std::abort();
  }
  return 0;
}
