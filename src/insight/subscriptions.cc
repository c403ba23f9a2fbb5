#include "insight/subscriptions.h"

namespace kuma::insight {

google::protobuf::Timestamp to_timestamp(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  google::protobuf::Timestamp out;
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<int32_t>((time - seconds).count()));
  return out;
}

WallTime to_wall_time(const google::protobuf::Timestamp& timestamp) {
  return WallTime(std::chrono::seconds(timestamp.seconds()) + std::chrono::nanoseconds(timestamp.nanos()));
}

}  // namespace kuma::insight
