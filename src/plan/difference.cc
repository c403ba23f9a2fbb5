#include "plan/difference.h"

#include <algorithm>

#include "base/status.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/util/json_util.h"

namespace kuma::plan {
namespace {

class Comparer {
 public:
  explicit Comparer(size_t max) : max_(max) {}

  void compare(const std::string& path, const json::value& before, const json::value& after) {
    if (before == after) {
      return;
    }
    if (before.is_object() && after.is_object()) {
      objects(path, before.get_object(), after.get_object());
    } else if (before.is_array() && after.is_array()) {
      arrays(path, before.get_array(), after.get_array());
    } else {
      add(path, before, after);
    }
  }

  Lines take() { return std::move(lines_); }

 private:
  void add(const std::string& path, const json::value& before, const json::value& after) {
    if (lines_.list.size() >= max_) {
      lines_.more = true;
      return;
    }
    lines_.list.push_back({path, before, after});
  }

  void objects(const std::string& path, const json::object& before, const json::object& after) {
    const std::string prefix = path.empty() ? path : path + ".";
    for (const auto& member : before) {
      const std::string below = prefix + std::string(std::string_view(member.key()));
      if (const json::value* other = after.if_contains(member.key())) {
        compare(below, member.value(), *other);
      } else {
        add(below, member.value(), nullptr);
      }
    }
    for (const auto& member : after) {
      if (!before.contains(member.key())) {
        add(prefix + std::string(std::string_view(member.key())), nullptr, member.value());
      }
    }
  }

  // What is equal at both ends stays; of the rest, as many as both have are compared one by one when the lists are as long,
  // else they are taken out and put in.
  void arrays(const std::string& path, const json::array& before, const json::array& after) {
    size_t head = 0;
    const size_t shorter = std::min(before.size(), after.size());
    while (head < shorter && before[head] == after[head]) {
      ++head;
    }
    size_t tail = 0;
    while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
      ++tail;
    }
    const size_t removed = before.size() - head - tail;
    const size_t added = after.size() - head - tail;
    const auto place = [&](size_t i) { return fmt::format("{}[{}]", path, i); };
    if (removed == added) {
      for (size_t i = head; i < head + removed; ++i) {
        compare(place(i), before[i], after[i]);
      }
      return;
    }
    for (size_t i = head; i < head + removed; ++i) {
      add(place(i), before[i], nullptr);
    }
    for (size_t i = head; i < head + added; ++i) {
      add(place(i), nullptr, after[i]);
    }
  }

  size_t max_;
  Lines lines_;
};

}  // namespace

Lines difference(const json::value& before, const json::value& after, size_t max) {
  Comparer comparer(max);
  comparer.compare("", before, after);
  return comparer.take();
}

json::value to_json_value(const xds::WireResource* resource) {
  if (resource == nullptr) {
    return nullptr;
  }
  google::protobuf::Any any;
  std::string text;
  if (!any.ParseFromString(*resource->any) || !google::protobuf::util::MessageToJsonString(any, &text).ok()) {
    return json::object{{"version", resource->version}};  // it can be told apart, not shown
  }
  auto value = parse_json(text);
  if (!value.ok() || !value->is_object()) {
    return json::object{{"version", resource->version}};
  }
  value->get_object().erase("@type");
  return *std::move(value);
}

}  // namespace kuma::plan
