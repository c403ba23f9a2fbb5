#pragma once

#include <optional>
#include <string>

#include "api/deps.h"

namespace kuma::api {

// The web GUI below apiServer.gui.basePath: one page that finds its way itself.
class Gui {
 public:
  explicit Gui(const config::Config& config);
  // The answer to a request for the GUI; nothing for any other path. Needs no user.
  std::optional<net::HttpResponse> answer(const net::HttpRequest& request, std::string_view path) const;

 private:
  std::string base_path_;  // "/gui"
  std::string page_;
};

}  // namespace kuma::api
