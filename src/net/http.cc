#include "net/http.h"

#include "net/ascii.h"

namespace kuma::net {

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) {
      return value;
    }
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) {
      return true;
    }
  }
  return false;
}

HttpResponder::~HttpResponder() {
  if (impl_ != nullptr) {
    impl_->send(HttpResponse{.status = 500});
  }
}

}  // namespace kuma::net
