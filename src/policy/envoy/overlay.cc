#include "policy/envoy/overlay.h"

#include <memory>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"
#include "google/protobuf/dynamic_message.h"
#include "model/envoy_text.h"
#include "model/envoy_types.h"
#include "policy/envoy/json_patch.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Removes the durations of `target` that `value` has, too.
void clear_replaced(const Message& value, Message& target) {
  std::vector<const FieldDescriptor*> fields;
  value.GetReflection()->ListFields(value, &fields);
  for (const FieldDescriptor* field : fields) {
    const auto& reflection = *target.GetReflection();
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || !reflection.HasField(target, field)) {
      continue;
    }
    if (field->message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_DURATION) {
      reflection.ClearField(&target, field);
    } else {
      clear_replaced(value.GetReflection()->GetMessage(value, field), *reflection.MutableMessage(&target, field));
    }
  }
}

// What an Any holds, of any type that Envoy has.
class Unpacked {
 public:
  static absl::StatusOr<Unpacked> of(const Any& any) {
    const Descriptor* type = model::find_envoy_type(any.type_url());
    if (type == nullptr) {
      return absl::InvalidArgumentError(fmt::format("could not resolve Any message type: {}", any.type_url()));
    }
    Unpacked unpacked;
    unpacked.factory_ = std::make_unique<google::protobuf::DynamicMessageFactory>();
    unpacked.message_.reset(unpacked.factory_->GetPrototype(type)->New());
    if (!unpacked.message_->ParseFromString(any.value())) {
      return absl::InvalidArgumentError(fmt::format("is no {}", type->full_name()));
    }
    return unpacked;
  }
  Message& message() { return *message_; }
  // Another one of the same type.
  absl::StatusOr<std::unique_ptr<Message>> sibling(const Any& any) const {
    std::unique_ptr<Message> other(message_->New());
    if (!other->ParseFromString(any.value())) {
      return absl::InvalidArgumentError(fmt::format("is no {}", message_->GetDescriptor()->full_name()));
    }
    return other;
  }

 private:
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;  // outlives the message
  std::unique_ptr<Message> message_;
};

}  // namespace

void merge_over(const Message& value, Message& target) {
  clear_replaced(value, target);
  target.MergeFrom(value);
}

absl::Status merge_over(const Any& value, Any& target) {
  if (target.type_url().empty()) {
    target = value;
    return absl::OkStatus();
  }
  if (value.type_url() != target.type_url()) {
    return absl::InvalidArgumentError(
        fmt::format("type URL of dst \"{}\" is different than src \"{}\"", target.type_url(), value.type_url()));
  }
  KUMA_ASSIGN_OR_RETURN(Unpacked unpacked, Unpacked::of(target));
  KUMA_ASSIGN_OR_RETURN(const std::unique_ptr<Message> over, unpacked.sibling(value));
  merge_over(*over, unpacked.message());
  target.set_value(serialize(unpacked.message()));
  return absl::OkStatus();
}

absl::Status patch_json(const json::array& patches, Message& target) {
  KUMA_ASSIGN_OR_RETURN(json::value document, model::to_envoy_json(target));
  KUMA_RETURN_IF_ERROR(apply_json_patches(patches, document));
  return model::read_envoy_json(document, model::UnknownFields::Ignore, target);
}

absl::Status patch_json(const json::array& patches, Any& target) {
  KUMA_ASSIGN_OR_RETURN(Unpacked unpacked, Unpacked::of(target));
  KUMA_RETURN_IF_ERROR(patch_json(patches, unpacked.message()));
  target.set_value(serialize(unpacked.message()));
  return absl::OkStatus();
}

}  // namespace kuma::policy::envoy
