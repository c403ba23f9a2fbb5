#pragma once

#include <mutex>
#include <optional>

#include "api/deps.h"
#include "net/http.h"

namespace kuma::api {

// `/global-insight`: the sums of all meshes' insights. Computed when somebody asks, at most once in
// store.cache.expirationTime. Any thread.
class GlobalInsight {
 public:
  explicit GlobalInsight(const ApiDeps& deps) : deps_(deps) {}
  net::HttpResponse get();

 private:
  const ApiDeps& deps_;
  std::mutex mutex_;  // guards both
  std::optional<net::HttpResponse> last_;
  MonotonicTime computed_at_{};
};

}  // namespace kuma::api
