#include "policy/modifications.h"

#include <algorithm>

#include "base/status.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "model/envoy_text.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/envoy/overlay.h"

namespace kuma::policy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::config::route::v3::VirtualHost;
using ::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
using NetworkFilter = ::envoy::config::listener::v3::Filter;
using google::protobuf::RepeatedPtrField;
using Operation = Modification::Operation;
using Target = Modification::Target;

// A modification in use. Its text is read when the first resource wants it, once for all resources of the proxy.
class Shared {
 public:
  explicit Shared(const Modification& modification) : modification_(modification) {}

  const Modification& of() const { return modification_; }
  const Modification* operator->() const { return &modification_; }

  template <typename Message>
  absl::StatusOr<const Message*> value() {
    if (!read_) {
      auto message = std::make_shared<Message>();
      status_ = model::read_envoy_text(modification_.value, model::UnknownFields::Ignore, *message);
      message_ = std::move(message);
      read_ = true;
    }
    KUMA_RETURN_IF_ERROR(status_);
    return static_cast<const Message*>(message_.get());
  }

 private:
  Modification modification_;
  bool read_ = false;
  absl::Status status_;
  std::shared_ptr<const google::protobuf::Message> message_;
};
using SharedPtr = std::shared_ptr<Shared>;

bool matches(const std::optional<std::string>& wanted, std::string_view given) { return !wanted || *wanted == given; }

bool has_tags(const Listener& listener, const mesh::Tags& wanted) {
  if (wanted.empty()) {
    return true;
  }
  const auto& filters = listener.metadata().filter_metadata();
  const auto tags = filters.find("io.kuma.tags");
  return tags != filters.end() && std::ranges::all_of(wanted, [&](const auto& one) {
    const auto found = tags->second.fields().find(one.first);
    return found != tags->second.fields().end() && (one.second == "*" || one.second == found->second.string_value());
  });
}

// Everything that an edit depends on beside the message, and what its problem would name.
PieceKey fingerprint_of(const Modification& modification, const model::Resource& policy, size_t index) {
  PieceKey key(policy.type->name);
  key.add(std::string_view(policy.meta.name)).add(index);
  key.add(modification.target).add(modification.operation).add(std::string_view(modification.value));
  key.add(std::string_view(to_json(modification.json_patches))).add(modification.listener_tags);
  for (const auto& given : {modification.name, modification.route_config}) {
    key.add(given.has_value()).add(std::string_view(given.value_or("")));
  }
  return key;
}

template <typename Message>
absl::Status patch_message(Shared& modification, Message& message) {
  if (!modification->json_patches.empty()) {
    return envoy::patch_json(modification->json_patches, message);
  }
  KUMA_ASSIGN_OR_RETURN(const Message* value, modification.value<Message>());
  envoy::merge_over(*value, message);
  return absl::OkStatus();
}

// Filters are patched in what configures them; their names stay.
template <typename Filter>
absl::Status patch_filter(Shared& modification, Filter& filter) {
  if (!modification->json_patches.empty()) {
    return filter.has_typed_config() ? envoy::patch_json(modification->json_patches, *filter.mutable_typed_config())
                                     : absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(const Filter* value, modification.value<Filter>());
  return value->has_typed_config() ? envoy::merge_over(value->typed_config(), *filter.mutable_typed_config()) : absl::OkStatus();
}

template <typename Message>
void insert_at(const Message& value, int position, RepeatedPtrField<Message>& list) {
  *list.Add() = value;
  for (int i = list.size() - 1; i > position; --i) {
    list.SwapElements(i, i - 1);
  }
}

// Where a new filter goes; negative: nowhere.
template <typename Filter>
int place_of(const Modification& modification, const RepeatedPtrField<Filter>& filters) {
  if (modification.operation == Operation::AddFirst) {
    return 0;
  }
  if (modification.operation == Operation::AddLast) {
    return filters.size();
  }
  for (int i = 0; i < filters.size(); ++i) {
    if (matches(modification.name, filters[i].name())) {
      return modification.operation == Operation::AddBefore ? i : i + 1;
    }
  }
  return -1;
}

template <typename Filter>
absl::Status edit_filters(Shared& modification, RepeatedPtrField<Filter>& filters) {
  if (modification->operation == Operation::Remove) {
    auto kept = std::remove_if(filters.begin(), filters.end(),
                               [&](const Filter& filter) { return matches(modification->name, filter.name()); });
    filters.erase(kept, filters.end());
    return absl::OkStatus();
  }
  if (modification->operation == Operation::Patch) {
    for (Filter& filter : filters) {
      if (matches(modification->name, filter.name())) {
        KUMA_RETURN_IF_ERROR(patch_filter(modification, filter));
      }
    }
    return absl::OkStatus();
  }
  if (const int place = place_of(modification.of(), filters); place >= 0) {
    KUMA_ASSIGN_OR_RETURN(const Filter* value, modification.value<Filter>());
    insert_at(*value, place, filters);
  }
  return absl::OkStatus();
}

absl::Status edit_hosts(Shared& modification, RouteConfiguration& config) {
  if (!matches(modification->route_config, config.name())) {
    return absl::OkStatus();
  }
  auto& hosts = *config.mutable_virtual_hosts();
  if (modification->operation == Operation::Add) {
    KUMA_ASSIGN_OR_RETURN(const VirtualHost* value, modification.value<VirtualHost>());
    *hosts.Add() = *value;
    return absl::OkStatus();
  }
  if (modification->operation == Operation::Remove) {
    auto kept = std::remove_if(hosts.begin(), hosts.end(),
                               [&](const VirtualHost& host) { return matches(modification->name, host.name()); });
    hosts.erase(kept, hosts.end());
    return absl::OkStatus();
  }
  for (VirtualHost& host : hosts) {
    if (matches(modification->name, host.name())) {
      KUMA_RETURN_IF_ERROR(patch_message(modification, host));
    }
  }
  return absl::OkStatus();
}

// What a modification of a listener or of something within it does.
absl::Status edit_listener(Shared& modification, Listener& listener) {
  if (!has_tags(listener, modification->listener_tags)) {
    return absl::OkStatus();
  }
  switch (modification->target) {
    case Target::Cluster:
      return absl::OkStatus();
    case Target::Listener:
      return patch_message(modification, listener);
    case Target::NetworkFilter:
      for (auto& chain : *listener.mutable_filter_chains()) {
        KUMA_RETURN_IF_ERROR(edit_filters(modification, *chain.mutable_filters()));
      }
      return absl::OkStatus();
    case Target::HttpFilter:
      return envoy::edit_hcms(
          listener, [&](envoy::Hcm& hcm) { return edit_filters(modification, *hcm.mutable_http_filters()); });
    case Target::VirtualHost:
      return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) {
        return hcm.has_route_config() ? edit_hosts(modification, *hcm.mutable_route_config()) : absl::OkStatus();
      });
  }
  return absl::OkStatus();
}

// A draft's message as it is by now: seldom needed, since nothing of it is shared.
template <typename Message>
Message made(const Draft<Message>& draft) {
  Message message;
  draft.make(message);
  for (const auto& change : draft.changes) {
    Message before = message;
    if (!change.edit(message).ok()) {
      message = std::move(before);
    }
  }
  return message;
}

class Modifier {
 public:
  Modifier(const model::ResourcePtr& policy, Origin added, ProxyResources& resources)
      : policy_(policy), added_(added), resources_(resources) {}

  void apply(size_t index, const Modification& modification) {
    auto shared = std::make_shared<Shared>(modification);
    index_ = index;
    if (modification.target == Target::Cluster) {
      apply_to_drafts<Cluster>(shared, resources_.clusters);
    } else if (modification.target == Target::Listener) {
      apply_to_drafts<Listener>(shared, resources_.listeners);
    } else {
      apply_within_listeners(shared);
    }
  }

 private:
  template <typename Message>
  static bool concerns(const Modification& modification, const Draft<Message>& draft) {
    return matches(modification.origin, origin_name(draft.origin)) && matches(modification.name, draft.name);
  }

  template <typename Message>
  void apply_to_drafts(const SharedPtr& shared, std::map<std::string, Draft<Message>>& drafts) {
    const Modification& modification = shared->of();
    if (modification.operation == Operation::Add) {
      add(shared, drafts);
    } else if (modification.operation == Operation::Remove) {
      std::erase_if(drafts, [&](const auto& entry) {
        if (!concerns(modification, entry.second)) {
          return false;
        }
        if constexpr (std::is_same_v<Message, Listener>) {
          return modification.listener_tags.empty() || has_tags(made(entry.second), modification.listener_tags);
        }
        return true;
      });
    } else {
      for (auto& [name, draft] : drafts) {
        if (concerns(modification, draft)) {
          change(shared, draft);
        }
      }
    }
  }

  void apply_within_listeners(const SharedPtr& shared) {
    const Modification& modification = shared->of();
    for (auto& [name, draft] : resources_.listeners) {
      if (matches(modification.origin, origin_name(draft.origin)) && matches(modification.listener_name, name)) {
        change(shared, draft);
      }
    }
  }

  template <typename Message>
  void change(const SharedPtr& shared, Draft<Message>& draft) {
    const PieceKey fingerprint = fingerprint_of(shared->of(), *policy_, index_);
    draft.change(fingerprint, {policy_}, [shared, index = index_](Message& message) -> absl::Status {
      absl::Status status;
      if constexpr (std::is_same_v<Message, Listener>) {
        status = edit_listener(*shared, message);
      } else {
        status = patch_message(*shared, message);
      }
      return status.ok() ? status : annotate(status, "could not apply {} modification", index);
    });
  }

  template <typename Message>
  void add(const SharedPtr& shared, std::map<std::string, Draft<Message>>& drafts) {
    const auto value = shared->template value<Message>();
    if (!value.ok()) {
      resources_.problems.push_back(
          {ref_of(*policy_), fmt::format("could not apply {} modification: {}", index_, message_of(value.status()))});
      return;
    }
    Draft<Message> draft;
    draft.name = (*value)->name();
    draft.origin = added_;
    draft.subject = std::make_shared<Subject>();
    draft.key = PieceKey("added");
    draft.key.add(std::string_view(shared->of().value));
    draft.shaped(&policy_);
    draft.make = [shared](Message& message) { message = **shared->template value<Message>(); };
    ProxyResources::put(drafts, std::move(draft));
  }

  const model::ResourcePtr& policy_;
  Origin added_;
  ProxyResources& resources_;
  size_t index_ = 0;
};

}  // namespace

void apply_modifications(const std::vector<Modification>& modifications, const model::ResourcePtr& policy, Origin added,
                         ProxyResources& resources) {
  Modifier modifier(policy, added, resources);
  for (size_t i = 0; i < modifications.size(); ++i) {
    modifier.apply(i, modifications[i]);
  }
}

}  // namespace kuma::policy
