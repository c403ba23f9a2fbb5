#include "mesh/vip_range.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "base/status.h"
#include "base/text.h"

namespace kuma::mesh {
namespace {

using absl::uint128;

constexpr uint128 kBroadcast = 0xffffffffU;  // 255.255.255.255 is nobody's address

std::optional<uint128> to_number(std::string_view text, bool is_ipv6) {
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, std::string(text).c_str(), bytes.data()) != 1) {
    return std::nullopt;
  }
  uint128 number = 0;
  for (size_t i = 0; i < (is_ipv6 ? 16U : 4U); ++i) {
    number = number << 8 | bytes[i];
  }
  return number;
}

std::string to_text(uint128 number, bool is_ipv6) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = is_ipv6 ? 16 : 4; i > 0; --i) {
    bytes[i - 1] = static_cast<uint8_t>(absl::Uint128Low64(number) & 0xff);
    number >>= 8;
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

absl::StatusOr<VipRange> VipRange::parse(std::string_view cidr) {
  auto refuse = [&] {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no range of addresses such as 240.0.0.0/4 or fd00::/64", cidr));
  };
  const size_t slash = cidr.find('/');
  if (slash == std::string_view::npos) {
    return refuse();
  }
  std::string_view address = cidr.substr(0, slash), length = cidr.substr(slash + 1);
  VipRange range;
  range.text_ = std::string(cidr);
  range.is_ipv6_ = is_ipv6_address(address);
  int width = range.is_ipv6_ ? 128 : 32, bits = 0;
  const auto [end, failure] = std::from_chars(length.data(), length.data() + length.size(), bits);
  auto number = to_number(address, range.is_ipv6_);
  if (!number || length.empty() || failure != std::errc() || end != length.data() + length.size() || bits < 0 || bits > width) {
    return refuse();
  }
  // All of IPv6 is one less than there are, which nobody will miss.
  range.size_ = bits == 0 && range.is_ipv6_ ? absl::Uint128Max() : uint128(1) << (width - bits);
  range.first_ = *number - (bits == 0 ? *number : *number % range.size_);
  return range;
}

std::optional<uint128> VipRange::find(std::string_view address) const {
  auto number = to_number(address, is_ipv6_);
  if (!number || *number < first_ || *number - first_ >= size_ || (!is_ipv6_ && *number == kBroadcast)) {
    return std::nullopt;
  }
  return *number - first_;
}

std::string VipRange::at(uint128 position) const { return to_text(first_ + position, is_ipv6_); }

VipAllocation allocate_vips(VipTable wanted, const VipTable& previous, const VipRange& range,
                            const absl::flat_hash_set<std::string>& avoided) {
  VipAllocation allocation;
  absl::flat_hash_set<std::string> taken;
  for (auto& [key, entry] : wanted) {
    if (!entry.address.empty()) {
      continue;  // an address of its own
    }
    auto before = previous.find(key);
    if (before != previous.end() && range.find(before->second.address) && taken.insert(before->second.address).second) {
      entry.address = before->second.address;
    }
  }
  uint128 next = 0;
  size_t without = 0;
  const VipKey* first_without = nullptr;
  for (auto& [key, entry] : wanted) {
    while (entry.address.empty() && next < range.size()) {
      std::string candidate = range.at(next++);
      if (!taken.contains(candidate) && !avoided.contains(candidate) && range.find(candidate)) {
        entry.address = std::move(candidate);
      }
    }
    if (entry.address.empty() && ++without == 1) {
      first_without = &key;
    }
  }
  if (without > 0) {
    allocation.problems.push_back(fmt::format(
        "{} name(s) have no address, \"{}\" is the first: all of {} is in use; a larger KUMA_DNS_SERVER_CIDR is needed", without,
        first_without->name, range.text()));
    std::erase_if(wanted, [](const auto& one) { return one.second.address.empty(); });
  }
  allocation.table = std::move(wanted);
  return allocation;
}

}  // namespace kuma::mesh
