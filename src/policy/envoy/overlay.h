#pragma once

#include "absl/status/status.h"
#include "base/json.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

namespace kuma::policy::envoy {

// How users' patches are laid over Envoy resources (spec/policy-proxy-patch.md §3.3, §3.4). On an error the target may be
// partly changed.

// protobuf's merge (lists are appended, what has its default does not overwrite), but durations are replaced as a whole.
void merge_over(const google::protobuf::Message& value, google::protobuf::Message& target);
// The same for what is packed in Anys, which have to hold the same type.
absl::Status merge_over(const google::protobuf::Any& value, google::protobuf::Any& target);

// The message as JSON, changed and read back; members that it does not have are dropped.
absl::Status patch_json(const json::array& patches, google::protobuf::Message& target);
absl::Status patch_json(const json::array& patches, google::protobuf::Any& target);

}  // namespace kuma::policy::envoy
