#pragma once

// For tests only: the effect of a policy on drafts that the test made.

#include <string>
#include <vector>

#include "google/protobuf/util/json_util.h"
#include "mesh/view_testing.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::testing {

inline std::vector<model::ResourceType> all_types() {
  auto all = model::core_types();
  for (auto& type : policy_types()) {
    all.push_back(std::move(type));
  }
  return all;
}

// A mesh of YAML documents.
class Mesh {
 public:
  Mesh() : store_(all_types()), builder_(store_.registry(), mesh::ViewOptions{}) {}

  void put(const std::string& yaml) { builder_.apply(store_.put(yaml)); }
  // One that validation would refuse, as an older peer may send it.
  void put_unchecked(std::string_view type, const std::string& name, const std::string& spec) {
    builder_.apply(store_.put_unchecked(type, {"default", name}, spec));
  }
  void remove(std::string_view type, const std::string& name) { builder_.apply(store_.remove(type, "default", name)); }
  mesh::MeshViewPtr view() const { return builder_.find("default"); }
  const model::Registry& registry() const { return store_.registry(); }

  // What a policy makes of the drafts of a dataplane.
  std::vector<Problem> apply(void (*policy)(const ProxyPolicies&, ProxyResources&), const std::string& dataplane,
                             ProxyResources& resources) const {
    const auto current = view();
    const ProxyPolicies policies(*current, *current->find_dataplane({"default", dataplane}), nullptr);
    policy(policies, resources);
    return policies.problems();
  }

  // What is wrong with a resource, a `path: message` each; empty: nothing.
  std::vector<std::string> violations_of(const std::string& yaml) const {
    const auto document = parse_yaml(yaml);
    if (!document.ok()) {
      return {std::string(message_of(document.status()))};
    }
    const auto read = model::from_rest(store_.registry(), *document);
    std::vector<std::string> lines;
    if (read.ok()) {
      return lines;
    }
    const Violations found = kuma::violations_of(read.status());
    for (const Violation& one : found.list()) {
      lines.push_back(one.field + ": " + one.message);
    }
    return lines.empty() ? std::vector<std::string>{std::string(message_of(read.status()))} : lines;
  }

 private:
  mesh::testing::TestStore store_;
  mesh::ViewBuilder builder_;
};

inline Subject subject(std::string service, mesh::Protocol protocol = mesh::Protocol::Unknown) {
  Subject made;
  made.service = std::move(service);
  made.protocol = protocol;
  return made;
}

// A draft that makes `message`.
template <typename Message>
Draft<Message> draft_of(std::string name, Origin origin, Subject subject, Message message) {
  Draft<Message> draft;
  draft.name = std::move(name);
  draft.origin = origin;
  draft.subject = std::make_shared<Subject>(std::move(subject));
  draft.make = [message = std::move(message)](Message& made) { made = message; };
  return draft;
}

// The resource with all changes; an error of one is thrown: a mistake of the test.
template <typename Message>
Message made(const Draft<Message>& draft) {
  Message message;
  draft.make(message);
  for (const auto& change : draft.changes) {
    if (absl::Status status = change.edit(message); !status.ok()) {
      throw std::runtime_error(std::string(message_of(status)));
    }
  }
  return message;
}

template <typename Message>
std::vector<std::string> shaped_by(const Draft<Message>& draft) {
  std::vector<std::string> names;
  for (const model::Resource* policy : draft.shaped_by) {
    names.push_back(policy->meta.name);
  }
  return names;
}

inline std::string json_of(const google::protobuf::Message& message) {
  std::string text;
  return google::protobuf::util::MessageToJsonString(message, &text).ok() ? text : "not printable";
}

}  // namespace kuma::policy::testing
