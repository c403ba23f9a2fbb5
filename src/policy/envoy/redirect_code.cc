#include "policy/envoy/redirect_code.h"

namespace kuma::policy::envoy {

using ::envoy::config::route::v3::RedirectAction;

RedirectAction::RedirectResponseCode redirect_code(int64_t status) {
  switch (status) {
    case 302:
      return RedirectAction::FOUND;
    case 303:
      return RedirectAction::SEE_OTHER;
    case 307:
      return RedirectAction::TEMPORARY_REDIRECT;
    case 308:
      return RedirectAction::PERMANENT_REDIRECT;
    default:
      return RedirectAction::MOVED_PERMANENTLY;
  }
}

}  // namespace kuma::policy::envoy
