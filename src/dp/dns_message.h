#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kuma::dp {

// As much of DNS messages (RFC 1035 §4) as passing them on needs.

inline constexpr size_t kDnsMessageBytesMax = 65'535;

enum class DnsCode { NoError = 0, FormatError = 1, ServerFailure = 2, NoSuchName = 3, NotImplemented = 4, Refused = 5 };

struct DnsHeader {
  uint16_t id = 0;
  bool is_answer = false;
  DnsCode code = DnsCode::NoError;  // of an answer; a larger one than those above is kept as it is
  size_t question_bytes = 0;        // of the header and the questions
};

// Nothing when the message has no whole header, or not exactly one question.
std::optional<DnsHeader> parse_dns_header(std::string_view message);

// Whether an answer belongs to a query: same id, same question.
bool answers(std::string_view answer, std::string_view query);

// What says to a query only how it went. The query must have a header that could be read.
std::string make_dns_answer(std::string_view query, DnsCode code);

void set_dns_id(std::string& message, uint16_t id);

// Whether other servers are asked as well: all that Envoy says of names that are not the mesh's.
bool asks_further(DnsCode code);

// The name servers of a resolv.conf that can be used, three at most, in order.
std::vector<std::string> parse_name_servers(std::string_view resolv_conf);

}  // namespace kuma::dp
