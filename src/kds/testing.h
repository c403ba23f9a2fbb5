#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kds/catalog.h"
#include "kds/wire.h"
#include "manager/testing.h"
#include "model/rest.h"
#include "store/memory_store.h"

// For the tests of this folder.
namespace kuma::kds::testing {

inline model::Resource make(const model::Registry& registry, std::string_view yaml) {
  const auto document = parse_yaml(yaml);
  EXPECT_TRUE(document.ok()) << document.status();
  auto read = model::from_rest(registry, *document);
  EXPECT_TRUE(read.ok()) << read.status() << "\n" << yaml;
  return read->resource;
}

// A store and what is offered of it, in step.
struct Peer {
  explicit Peer(SenderRules rules) : catalog(registry, std::move(rules)), memory(store::make_memory_store(registry, clock)) {
    subscription = memory->subscribe([this](std::span<const model::Change> changes) { pending.insert(pending.end(), changes.begin(), changes.end()); });
    sync();
  }

  void put(std::string_view yaml) {
    model::Resource resource = make(registry, yaml);
    if (const auto stored = memory->get(*resource.type, resource.meta.key()); stored.ok()) {
      resource.meta.version = (*stored)->meta.version;
      EXPECT_TRUE(memory->update(resource).ok());
    } else {
      const auto created = memory->create(resource);
      EXPECT_TRUE(created.ok()) << created.status();
    }
    sync();
  }
  void remove(std::string_view type, const model::ResourceKey& key) {
    const absl::Status status = memory->remove(*registry.find(type), key);
    EXPECT_TRUE(status.ok()) << status;
    sync();
  }
  void sync() {
    const std::vector<model::Change> changes = std::exchange(pending, {});
    catalog.apply(changes);
  }
  const model::ResourceType& type(std::string_view name) const { return *registry.find(name); }
  // `mesh/name` of all that is stored of a type.
  std::vector<std::string> names(std::string_view type_name) const {
    std::vector<std::string> out;
    for (const auto& resource : memory->list({.type = &type(type_name)}).items) {
      out.push_back(resource->meta.mesh.empty() ? resource->meta.name : fmt::format("{}/{}", resource->meta.mesh, resource->meta.name));
    }
    return out;
  }

  ManualClock clock;
  model::Registry registry = manager::testing::all_types();
  Catalog catalog;
  std::unique_ptr<store::Store> memory;
  std::vector<model::Change> pending;
  std::unique_ptr<store::Subscription> subscription;
};

inline SenderRules global_rules() { return {.side = Side::Global}; }
inline SenderRules zone_rules(std::string zone = "east") { return {.side = Side::Zone, .zone = std::move(zone)}; }

// The clock of a host whose time of day is off.
class OffClock final : public Clock {
 public:
  OffClock(const Clock& clock, std::chrono::nanoseconds off) : clock_(clock), off_(off) {}
  WallTime wall_now() const override { return clock_.wall_now() + off_; }
  MonotonicTime monotonic_now() const override { return clock_.monotonic_now(); }

 private:
  const Clock& clock_;
  const std::chrono::nanoseconds off_;
};

// An entry of a recording of the reference; see the README beside the recordings.
struct Recorded {
  std::string method;
  std::string message;  // protobuf name
  bool to_zone = false;
  std::string raw;
};

// Empty when the recordings are not beside the checkout.
inline std::vector<Recorded> read_transcript(const std::string& name) {
  std::ifstream in(std::filesystem::path("../shared/spec/kds-transcripts") / (name + ".json"));
  const std::string text(std::istreambuf_iterator<char>(in), {});
  std::vector<Recorded> out;
  if (text.empty()) {
    return out;
  }
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  const json::value* entries = find(document, "entries");
  for (const json::value& entry : entries->as_array()) {
    const json::value* raw = find(entry, "raw_b64");
    if (raw == nullptr) {
      continue;
    }
    out.push_back({std::string(find(entry, "rpc")->as_string()), std::string(find(entry, "message")->as_string()),
                   find(entry, "dir")->as_string() == "global->zone", *base64_decode(std::string_view(raw->as_string()))});
  }
  return out;
}

}  // namespace kuma::kds::testing
