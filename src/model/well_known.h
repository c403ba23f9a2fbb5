#pragma once

#include "google/protobuf/descriptor.h"

namespace kuma::model {

// Messages that JSON shows in a form of their own; Wrapper: Int32Value and the like.
enum class WellKnown { None, Duration, Timestamp, Wrapper, Struct, Value, ListValue, Any };

WellKnown well_known(const google::protobuf::Descriptor& descriptor);

}  // namespace kuma::model
