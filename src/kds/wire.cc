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

namespace {

using google::protobuf::io::CodedInputStream;

// Reads a field's tag, which must be this one, and the length that follows.
bool read_length(CodedInputStream& in, uint32_t tag, uint32_t& length) { return in.ReadTag() == tag && in.ReadVarint32(&length); }

// What a KumaResource says first: its key and the type of its spec. The type is empty for policies whose spec is JSON.
struct Beginning {
  model::ResourceKey key;
  std::string type;
};

constexpr uint32_t kFirstField = 0x0a, kSecondField = 0x12;  // both of a length

std::optional<Beginning> read_beginning(CodedInputStream& in) {
  Beginning beginning;
  uint32_t length = 0;
  std::string bytes;
  mesh::v1alpha1::KumaResource::Meta meta;
  if (!read_length(in, kFirstField, length) || !in.ReadString(&bytes, static_cast<int>(length)) || !meta.ParseFromString(bytes)) {
    return std::nullopt;
  }
  beginning.key = {meta.mesh(), meta.name()};
  if (read_length(in, kSecondField, length) && read_length(in, kFirstField, length) && in.ReadString(&bytes, static_cast<int>(length))) {
    beginning.type = bytes.substr(bytes.rfind('.') + 1);
  }
  return beginning;
}

}  // namespace

// A resource is an Any of its URL and the encoded KumaResource, in whatever message it travels: the URL shows where one begins.
std::string describe_largest(std::string_view beginning) {
  std::string largest;
  uint32_t largest_size = 0;
  for (size_t at = beginning.find(kKumaResourceUrl); at != std::string_view::npos; at = beginning.find(kKumaResourceUrl, at + 1)) {
    const std::string_view rest = beginning.substr(at + kKumaResourceUrl.size());
    CodedInputStream in(reinterpret_cast<const uint8_t*>(rest.data()), static_cast<int>(rest.size()));
    uint32_t size = 0;
    if (!read_length(in, kSecondField, size) || size <= largest_size) {
      continue;
    }
    if (const auto read = read_beginning(in)) {
      largest_size = size;
      largest = fmt::format("{} \"{}\"{} of {} bytes", read->type.empty() ? "the policy" : read->type, read->key.name,
                            read->key.mesh.empty() ? "" : fmt::format(" of mesh \"{}\"", read->key.mesh), size);
    }
  }
  return largest;
}

}  // namespace kuma::kds
