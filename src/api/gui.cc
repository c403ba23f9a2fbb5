#include "api/gui.h"

#include "api/response.h"
#include "base/status.h"
#include "base/version.h"

namespace kuma::api {
namespace {

// JSON that can stand inside a <script> element.
std::string script_json(const json::value& value) {
  std::string out;
  for (const char c : to_json(value)) {
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// The path of a URL, without a slash at its end.
std::string path_of_url(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
    url.remove_prefix(std::min(url.find('/'), url.size()));
  }
  while (url.ends_with('/')) {
    url.remove_suffix(1);
  }
  return std::string(url);
}

std::string index_page(const config::Config& config) {
  const config::ApiServer& api = config.api_server;
  const std::string base = path_of_url(api.gui.root_url.empty() ? api.gui.base_path : api.gui.root_url);
  const json::object settings = {{"apiUrl", api.root_url.empty() ? api.base_path : api.root_url},
                                 {"baseGuiPath", base},
                                 {"version", kVersion},
                                 {"product", kProduct},
                                 {"mode", config.mode},
                                 {"environment", config.environment},
                                 {"storeType", config.store.type},
                                 {"apiReadOnly", api.read_only}};
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<base "
      "href=\"{1}/\">\n"
      "</head>\n<body>\n<h1>{0}</h1>\n<p>The control plane is running. Its REST API tells everything: see "
      "<a href=\"/meshes\">/meshes</a>, <a href=\"/dataplanes/_overview\">/dataplanes/_overview</a> and "
      "<a href=\"/global-insight\">/global-insight</a>.</p>\n"
      "<script type=\"application/json\" id=\"kuma-config\">{2}</script>\n</body>\n</html>\n",
      kProduct, base, script_json(settings));
}

std::string disabled_page(bool zone) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{0}</title></head>\n<body>\n"
      "<p>The GUI is disabled on this control plane. {1}</p>\n</body>\n</html>\n",
      kProduct,
      zone ? "This is a zone control plane: look at the GUI of the global one."
           : "Set KUMA_API_SERVER_GUI_ENABLED=true to enable it.");
}

}  // namespace

Gui::Gui(const config::Config& config)
    : base_path_(path_of_url(config.api_server.gui.base_path)),
      page_(config.api_server.gui.enabled && !config.is_zone() ? index_page(config) : disabled_page(config.is_zone())) {
}

std::optional<net::HttpResponse> Gui::answer(const net::HttpRequest& request, std::string_view path) const {
  if (base_path_.empty() || !path.starts_with(base_path_)) {
    return std::nullopt;
  }
  const std::string_view rest = path.substr(base_path_.size());
  if (!rest.empty() && !rest.starts_with('/')) {
    return std::nullopt;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    net::HttpResponse response = text_response(405, "405: Method Not Allowed");
    response.headers.add("Allow", "GET, HEAD");
    return response;
  }
  if (rest.empty()) {
    net::HttpResponse response = text_response(
        307, fmt::format("<a href=\"{0}/\">Temporary Redirect</a>.\n\n", base_path_), "text/html; charset=utf-8");
    response.headers.add("Location", base_path_ + "/");
    return response;
  }
  return text_response(200, page_, "text/html; charset=utf-8");
}

}  // namespace kuma::api
