#include "config/client_authorities.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"

namespace kuma::config {
namespace {

absl::StatusOr<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) {
    return absl::NotFoundError(fmt::format("could not read {}", path.string()));
  }
  return text;
}

absl::StatusOr<std::vector<std::filesystem::path>> certificates_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".pem" || extension == ".crt") {
      files.push_back(entry.path());
    }
  }
  if (error) {
    return absl::NotFoundError(fmt::format("could not read the directory {} (KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR): {}", folder, error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<std::string> client_authorities(const ApiServer& api) {
  const bool asks = api.https.require_client_cert || api.authn.type == "adminClientCerts";
  std::string all;
  if (!api.auth_client_certs_dir.empty()) {
    KUMA_ASSIGN_OR_RETURN(const auto files, certificates_in(api.auth_client_certs_dir));
    for (const std::filesystem::path& file : files) {
      KUMA_ASSIGN_OR_RETURN(const std::string pem, read_file(file));
      all += pem + "\n";
    }
  }
  if (!api.https.tls_ca_file.empty()) {
    KUMA_ASSIGN_OR_RETURN(const std::string pem, read_file(api.https.tls_ca_file));
    all += pem;
  }
  if (asks && all.empty()) {
    return absl::InvalidArgumentError(
        "the API server asks clients for certificates, but has none to verify them against: set "
        "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR or KUMA_API_SERVER_HTTPS_TLS_CA_FILE");
  }
  return asks ? all : std::string();
}

}  // namespace kuma::config
