#include "model/well_known.h"

namespace kuma::model {

using google::protobuf::Descriptor;

WellKnown well_known(const Descriptor& descriptor) {
  switch (descriptor.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return WellKnown::Duration;
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return WellKnown::Timestamp;
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return WellKnown::Struct;
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return WellKnown::Value;
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return WellKnown::ListValue;
    case Descriptor::WELLKNOWNTYPE_ANY:
      return WellKnown::Any;
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
      return WellKnown::Wrapper;
    default:
      return WellKnown::None;
  }
}

}  // namespace kuma::model
