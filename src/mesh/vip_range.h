#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "mesh/vips.h"

namespace kuma::mesh {

// The addresses that VIPs are taken from: KUMA_DNS_SERVER_CIDR, IPv4 or IPv6.
class VipRange {
 public:
  // InvalidArgument for what is no `address/bits`.
  static absl::StatusOr<VipRange> parse(std::string_view cidr);

  // The position of an address in the range; nothing: it is not in it, or is no address.
  std::optional<absl::uint128> find(std::string_view address) const;
  std::string at(absl::uint128 position) const;
  absl::uint128 size() const { return size_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool is_ipv6_ = false;
  absl::uint128 first_ = 0;
  absl::uint128 size_ = 0;
};

struct VipAllocation {
  VipTable table;  // those that got an address
  std::vector<std::string> problems;
};

// Gives every entry of `wanted` without an address the one it has in `previous`, else the lowest that is free. An old
// address that lies outside of the range, or that another entry has too, is given up. What is in `avoided` (in use by
// something else, or in a client's memory for another name) is not newly given to anybody.
VipAllocation allocate_vips(VipTable wanted, const VipTable& previous, const VipRange& range,
                            const absl::flat_hash_set<std::string>& avoided);

}  // namespace kuma::mesh
