#include "kds/wire.h"

#include "base/status.h"
#include "base/text.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "mesh/v1alpha1/kds.pb.h"
#include "model/rest.h"

namespace kuma::kds {
namespace {

constexpr std::string_view kTypePrefix = "type.googleapis.com/";

std::string serialize(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string spec_url(const google::protobuf::Message& message) {
  return std::string(kTypePrefix) + message.GetDescriptor()->full_name();
}

}  // namespace

std::string to_wire_key(const model::ResourceKey& key) { return fmt::format("{}.{}", key.name, key.mesh); }

model::ResourceKey parse_wire_key(std::string_view text) {
  const size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) {
    return {"", std::string(text)};
  }
  return {std::string(text.substr(dot + 1)), std::string(text.substr(0, dot))};
}

std::string encode_resource(const model::Resource& resource) {
  mesh::v1alpha1::KumaResource out;
  out.mutable_meta()->set_name(resource.meta.name);
  out.mutable_meta()->set_mesh(resource.meta.mesh);
  auto& spec = *out.mutable_spec();
  if (resource.type->is_target_ref) {
    spec.set_value(to_json(resource.spec));
  } else {
    spec.set_type_url(spec_url(*resource.message));
    spec.set_value(serialize(*resource.message));
  }
  return serialize(out);
}

std::string version_of(std::string_view encoded) { return sha256_hex(encoded); }

absl::StatusOr<model::Resource> decode_resource(const model::ResourceType& type, const google::protobuf::Any& any) {
  mesh::v1alpha1::KumaResource in;
  if (any.type_url() != kKumaResourceUrl || !in.ParseFromString(any.value())) {
    return absl::InvalidArgumentError(fmt::format("a resource of type {} is no {} but \"{}\"", type.name, kKumaResourceUrl, any.type_url()));
  }
  const model::ResourceKey key{in.meta().mesh(), in.meta().name()};
  const std::string what = model::describe(type, key);
  if (key.name.empty() || key.mesh.empty() != (type.scope == model::Scope::Global)) {
    return absl::InvalidArgumentError(fmt::format("{}: a resource needs a name, and a mesh exactly if its type has one", what));
  }
  if (type.is_target_ref) {
    const auto spec = parse_json(in.spec().value());
    if (!spec.ok()) {
      return annotate(absl::InvalidArgumentError(spec.status().message()), "{}: the spec is no JSON", what);
    }
    auto resource = model::from_spec_json(type, key, *spec);
    return resource.ok() ? std::move(resource) : absl::InvalidArgumentError(fmt::format("{}: {}", what, message_of(resource.status())));
  }
  auto message = std::unique_ptr<google::protobuf::Message>(type.prototype->New());
  if (in.spec().type_url() != spec_url(*message) || !message->ParseFromString(in.spec().value())) {
    return absl::InvalidArgumentError(fmt::format("{}: the spec is no {} but \"{}\"", what, spec_url(*message), in.spec().type_url()));
  }
  return model::make_resource(type, key, std::move(message));
}

}  // namespace kuma::kds
