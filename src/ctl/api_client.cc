#include "ctl/api_client.h"

#include <fstream>
#include <sstream>

#include "base/status.h"
#include "base/text.h"

namespace kuma::ctl {
namespace {

constexpr const char* kServerForm = "kumactl/server-form";
constexpr const char* kHttpStatus = "kumactl/http-status";

absl::Status with_http_status(absl::StatusCode code, const std::string& message, int http_status, bool server_form) {
  absl::Status status(code, message);
  status.SetPayload(kHttpStatus, absl::Cord(std::to_string(http_status)));
  if (server_form) {
    status.SetPayload(kServerForm, absl::Cord("1"));
  }
  return status;
}

std::string text_member(const json::value& value, std::string_view name) {
  const json::value* member = find(value, name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : "";
}

// The words of an error in the server's form, or empty if the body is no such error.
std::string server_error_text(std::string_view body) {
  const auto document = parse_json(body);
  if (!document.ok()) {
    return "";
  }
  const std::string title = text_member(*document, "title");
  if (title.empty()) {
    return "";
  }
  std::string detail = text_member(*document, "detail");
  if (detail.empty()) {
    detail = text_member(*document, "details");
  }
  std::string text = fmt::format("{} ({})", title, detail);
  const json::value* parameters = find(*document, "invalid_parameters");
  std::string_view reason = "reason";
  if (parameters == nullptr) {
    parameters = find(*document, "causes");
    reason = "message";
  }
  if (parameters != nullptr && parameters->is_array()) {
    for (const json::value& parameter : parameters->get_array()) {
      text += fmt::format("\n* {}: {}", text_member(parameter, "field"), text_member(parameter, reason));
    }
  }
  return text;
}

// A body that is no error in the server's form, for a line of ours: without the newline at its end, and not a whole page.
std::string_view shown_body(std::string_view body) {
  constexpr size_t kShownMax = 1000;
  body = body.substr(0, kShownMax);
  return body.substr(0, body.find_last_not_of(" \t\r\n") + 1);
}

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) {
    return absl::NotFoundError(fmt::format("could not read {}", path));
  }
  return text.str();
}

}  // namespace

absl::StatusOr<ApiClient> ApiClient::make(const Environment& environment, ControlPlane control_plane,
                                          std::chrono::nanoseconds timeout) {
  std::shared_ptr<const net::TlsContext> tls;
  if (control_plane.url.starts_with("https://")) {
    net::TlsClientConfig config;
    // Without a CA the server is not verified: that is what users of this command line rely on.
    config.verify = !control_plane.ca_cert_file.empty();
    if (config.verify) {
      KUMA_ASSIGN_OR_RETURN(config.ca_pem, read_file(control_plane.ca_cert_file));
    }
    if (!control_plane.client_cert_file.empty()) {
      KUMA_ASSIGN_OR_RETURN(config.certificate_pem, read_file(control_plane.client_cert_file));
      KUMA_ASSIGN_OR_RETURN(config.key_pem, read_file(control_plane.client_key_file));
    }
    KUMA_ASSIGN_OR_RETURN(tls, net::make_tls_client(config));
  }
  return ApiClient(environment, std::move(control_plane), std::move(tls), timeout);
}

absl::StatusOr<std::string> ApiClient::call(std::string method, const std::string& path, std::string body) const {
  net::HttpCall call;
  call.method = std::move(method);
  call.url = control_plane_.url;
  while (call.url.ends_with('/')) {
    call.url.pop_back();
  }
  call.url += path;
  call.tls = tls_;
  call.timeout = timeout_.count() == 0 ? std::chrono::nanoseconds(std::chrono::hours(24)) : timeout_;
  call.headers.add("user-agent", fmt::format("kumactl/{} (linux; amd64; Kuma/unknown)", kVersion));
  call.headers.add("accept", "application/json");
  call.headers.add("content-type", "application/json");
  for (const auto& [key, value] : control_plane_.headers) {
    call.headers.add(key, value);
  }
  if (control_plane_.auth_type == "tokens") {
    for (const auto& [key, value] : control_plane_.auth_conf) {
      if (key == "token") {
        call.headers.add("authorization", "Bearer " + value);
      }
    }
  }
  call.body = std::move(body);
  KUMA_ASSIGN_OR_RETURN(net::HttpResponse response, environment_->http(std::move(call)));
  if (response.status >= 400) {
    const auto code = response.status == 404 ? absl::StatusCode::kNotFound : absl::StatusCode::kUnknown;
    std::string text = server_error_text(response.body);
    if (const std::string_view hint = response.headers.get("kuma-hint"); !text.empty() && !hint.empty()) {
      text += fmt::format("\n{}", hint);
    }
    return text.empty() ? with_http_status(code, fmt::format("({}): {}", response.status, shown_body(response.body)), response.status, false)
                        : with_http_status(code, text, response.status, true);
  }
  return std::move(response.body);
}

absl::StatusOr<json::value> ApiClient::get(const std::string& path) const {
  KUMA_ASSIGN_OR_RETURN(const std::string body, call("GET", path, ""));
  auto value = parse_json(body);
  return value.ok() ? value : annotate(value.status(), "the answer of {} is not JSON", path);
}

absl::StatusOr<std::string> ApiClient::get_raw(const std::string& path) const { return call("GET", path, ""); }

absl::Status ApiClient::put(const std::string& path, const json::value& body) const {
  return call("PUT", path, to_json(body)).status();
}

absl::Status ApiClient::remove(const std::string& path) const { return call("DELETE", path, "").status(); }

absl::StatusOr<json::value> ApiClient::post(const std::string& path, const json::value& body) const {
  KUMA_ASSIGN_OR_RETURN(const std::string answer, call("POST", path, to_json(body)));
  return parse_json(answer);
}

absl::StatusOr<std::string> ApiClient::post_for_text(const std::string& path, const json::value& body) const {
  return call("POST", path, to_json(body));
}

void ApiClient::warn_about_version() const {
  const auto index = get("/");
  if (!index.ok()) {
    environment_->err << "WARNING: Unable to confirm the server supports this kumactl version\n";
    return;
  }
  const std::string version = text_member(*index, "version");
  const std::string tagline = text_member(*index, "tagline");
  const bool preview = version.find("preview") != std::string::npos;
  if (!preview && (version != kVersion || tagline != kProduct)) {
    environment_->err << fmt::format(
        "WARNING: You are using kumactl version {} for {}, but the server returned version: {} {}\n", kVersion, kProduct,
        tagline, version);
  }
}

absl::Status wrap(const absl::Status& status, std::string_view prefix) {
  if (status.ok() || status.GetPayload(kServerForm)) {
    return status;
  }
  return absl::Status(status.code(), fmt::format("{}: {}", prefix, message_of(status)));
}

bool is_not_found(const absl::Status& status) {
  const auto payload = status.GetPayload(kHttpStatus);
  return payload && *payload == "404";
}

std::string path_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace kuma::ctl
