#include "dp/dns_message.h"

#include "base/text.h"

namespace kuma::dp {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kNameBytesMax = 255;
constexpr size_t kServersMax = 3;

uint16_t read_u16(std::string_view message, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(message[at]) << 8 | static_cast<uint8_t>(message[at + 1]));
}

// Where the question that starts after the header ends; questions have no compressed names.
std::optional<size_t> question_end(std::string_view message) {
  size_t at = kHeaderBytes;
  while (at < message.size() && at - kHeaderBytes < kNameBytesMax) {
    const auto label = static_cast<uint8_t>(message[at]);
    if (label == 0) {
      const size_t end = at + 5;  // type and class
      return end <= message.size() ? std::optional(end) : std::nullopt;
    }
    if (label > 63) {
      return std::nullopt;
    }
    at += 1U + label;
  }
  return std::nullopt;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::optional<DnsHeader> parse_dns_header(std::string_view message) {
  if (message.size() < kHeaderBytes || read_u16(message, 4) != 1) {
    return std::nullopt;
  }
  const auto end = question_end(message);
  if (!end) {
    return std::nullopt;
  }
  return DnsHeader{.id = read_u16(message, 0),
                   .is_answer = (static_cast<uint8_t>(message[2]) & 0x80) != 0,
                   .code = static_cast<DnsCode>(static_cast<uint8_t>(message[3]) & 0x0f),
                   .question_bytes = *end};
}

bool answers(std::string_view answer, std::string_view query) {
  const auto from = parse_dns_header(answer), to = parse_dns_header(query);
  if (!from || !to || !from->is_answer || from->id != to->id || from->question_bytes != to->question_bytes) {
    return false;
  }
  for (size_t i = kHeaderBytes; i < to->question_bytes; ++i) {
    if (lower(answer[i]) != lower(query[i])) {
      return false;
    }
  }
  return true;
}

std::string make_dns_answer(std::string_view query, DnsCode code) {
  const auto header = parse_dns_header(query);
  std::string answer(query.substr(0, header ? header->question_bytes : kHeaderBytes));
  const auto asked = static_cast<uint8_t>(query[2]);
  answer[2] = static_cast<char>(0x80 | (asked & 0x79));               // an answer to the same kind of query
  answer[3] = static_cast<char>(0x80 | static_cast<uint8_t>(code));  // recursion is available
  for (size_t i = 6; i < kHeaderBytes; ++i) {
    answer[i] = 0;  // nothing but the question
  }
  if (!header) {
    answer[4] = answer[5] = 0;
  }
  return answer;
}

void set_dns_id(std::string& message, uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

bool asks_further(DnsCode code) {
  switch (code) {
    case DnsCode::FormatError:
    case DnsCode::ServerFailure:
    case DnsCode::NoSuchName:
    case DnsCode::NotImplemented:
    case DnsCode::Refused:
      return true;
    case DnsCode::NoError:
      return false;
  }
  return false;  // codes that nobody gave a name here
}

std::vector<std::string> parse_name_servers(std::string_view resolv_conf) {
  std::vector<std::string> servers;
  constexpr std::string_view kKeyword = "nameserver", kBlank = " \t\r";
  while (!resolv_conf.empty() && servers.size() < kServersMax) {
    const size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    std::string_view line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (!line.starts_with(kKeyword)) {
      continue;
    }
    line.remove_prefix(kKeyword.size());
    const size_t start = line.find_first_not_of(kBlank);
    if (start == 0 || start == std::string_view::npos) {
      continue;
    }
    line = line.substr(start, line.find_first_of(kBlank, start) - start);
    if (is_ip_address(line)) {
      servers.emplace_back(line);
    }
  }
  return servers;
}

}  // namespace kuma::dp
