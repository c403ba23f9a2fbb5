#include "policy/envoy/any_of.h"

#include <memory>
#include <string>

#include "fmt/format.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/json_util.h"
#include "model/envoy_types.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {

absl::StatusOr<google::protobuf::Any> any_of(std::string_view type_name, const json::value& value) {
  const google::protobuf::Descriptor* type = model::find_envoy_type(type_name);
  if (type == nullptr) {
    return absl::NotFoundError(fmt::format("Envoy has no message {}", type_name));
  }
  google::protobuf::DynamicMessageFactory factory;
  std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(type)->New());
  if (auto status = google::protobuf::util::JsonStringToMessage(to_json(value), message.get()); !status.ok()) {
    return absl::InvalidArgumentError(fmt::format("not a {}: {}", type_name, status.ToString()));
  }
  return packed(*message);
}

}  // namespace kuma::policy::envoy
