#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "base/version.h"
#include "ctl/config_file.h"
#include "ctl/environment.h"

namespace kuma::ctl {

// One control plane's REST API. Errors: what the server said in its error form, ready to print, is kept as it is by
// wrap(); NotFound for 404; anything else is `(<status>): <body>` or the transport's words.
class ApiClient {
 public:
  // Unavailable or InvalidArgument when a certificate file can't be read.
  static absl::StatusOr<ApiClient> make(const Environment& environment, ControlPlane control_plane,
                                        std::chrono::nanoseconds timeout);

  absl::StatusOr<json::value> get(const std::string& path) const;
  absl::StatusOr<std::string> get_raw(const std::string& path) const;
  absl::Status put(const std::string& path, const json::value& body) const;
  absl::Status remove(const std::string& path) const;
  absl::StatusOr<json::value> post(const std::string& path, const json::value& body) const;
  // Answers of the token endpoints are plain text.
  absl::StatusOr<std::string> post_for_text(const std::string& path, const json::value& body) const;

  // Prints a warning to Environment::err when the server is of another version or cannot say.
  void warn_about_version() const;

 private:
  ApiClient(const Environment& environment, ControlPlane control_plane, std::shared_ptr<const net::TlsContext> tls,
            std::chrono::nanoseconds timeout)
      : environment_(&environment), control_plane_(std::move(control_plane)), tls_(std::move(tls)), timeout_(timeout) {}
  absl::StatusOr<std::string> call(std::string method, const std::string& path, std::string body) const;

  const Environment* environment_;
  ControlPlane control_plane_;
  std::shared_ptr<const net::TlsContext> tls_;
  std::chrono::nanoseconds timeout_;
};

// `<prefix>: <message>`, but errors in the server's own form stay as they are.
absl::Status wrap(const absl::Status& status, std::string_view prefix);
// The server answered 404.
bool is_not_found(const absl::Status& status);
// A path segment with everything escaped that could be read as something else.
std::string path_segment(std::string_view text);

}  // namespace kuma::ctl
