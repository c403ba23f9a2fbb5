#include "model/envoy_types.h"

#include <string>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/api.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/descriptor_database.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/source_context.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/type.pb.h"
#include "google/protobuf/wrappers.pb.h"

// The bytes of the descriptor set, put into the program by cmake/Kuma.cmake.
extern "C" {
extern const char _binary_envoy_all_pb_start[];
extern const char _binary_envoy_all_pb_end[];
}

namespace kuma::model {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;

// The files of the set, and the well-known ones, which the set leaves to the library.
class AllTypes {
 public:
  AllTypes() : pool_(&files_) {
    google::protobuf::FileDescriptorSet set;
    set.ParseFromArray(_binary_envoy_all_pb_start, static_cast<int>(_binary_envoy_all_pb_end - _binary_envoy_all_pb_start));
    for (const FileDescriptorProto& file : set.file()) {
      add(file);
    }
    for (const Descriptor* known :
         {google::protobuf::Any::descriptor(), google::protobuf::Api::descriptor(), FileDescriptorProto::descriptor(),
          google::protobuf::Duration::descriptor(), google::protobuf::Empty::descriptor(),
          google::protobuf::FieldMask::descriptor(), google::protobuf::SourceContext::descriptor(),
          google::protobuf::Struct::descriptor(), google::protobuf::Timestamp::descriptor(),
          google::protobuf::Type::descriptor(), google::protobuf::BoolValue::descriptor()}) {
      FileDescriptorProto file;
      known->file()->CopyTo(&file);
      add(file);
    }
  }

  const google::protobuf::DescriptorPool& pool() const { return pool_; }

 private:
  void add(const FileDescriptorProto& file) {
    std::string bytes = file.SerializeAsString();
    files_.AddCopy(bytes.data(), static_cast<int>(bytes.size()));
  }

  google::protobuf::EncodedDescriptorDatabase files_;
  google::protobuf::DescriptorPool pool_;
};

}  // namespace

const google::protobuf::DescriptorPool& envoy_types() {
  static const AllTypes kTypes;
  return kTypes.pool();
}

const Descriptor* find_envoy_type(std::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  return envoy_types().FindMessageTypeByName(std::string(type_url.substr(slash == std::string_view::npos ? 0 : slash + 1)));
}

}  // namespace kuma::model
