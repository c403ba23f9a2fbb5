#include "policy/header_values.h"

#include <string>
#include <string_view>

#include "policy/envoy/deprecated.h"

namespace kuma::policy {
namespace {

void add(const ConfView& name, std::string_view value, bool append, HeaderOptions& headers) {
  auto& option = *headers.Add();
  option.mutable_header()->set_key(std::string(name.text()));
  option.mutable_header()->set_value(std::string(value));
  envoy::set_append(option, append);
}

}  // namespace

void add_header_values(const ConfView& list, bool append, Commas commas, HeaderOptions& headers) {
  for (const ConfView& item : list.items()) {
    std::string_view value = item["value"].text();
    while (commas == Commas::Separate && value.find(',') != std::string_view::npos) {
      const size_t comma = value.find(',');
      add(item["name"], value.substr(0, comma), append, headers);
      value.remove_prefix(comma + 1);
    }
    add(item["name"], value, append, headers);
  }
}

}  // namespace kuma::policy
