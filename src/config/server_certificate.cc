#include "config/server_certificate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>

#include "base/status.h"
#include "base/text.h"

namespace kuma::config {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr long kValiditySeconds = 10L * 365 * 24 * 3600;
constexpr long kClockSkewSeconds = 10;
constexpr size_t kSerialBytes = 16;

struct Pair {
  std::string certificate_pem;
  std::string key_pem;
};

std::string error_text(int error) { return std::generic_category().message(error); }

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

std::set<std::string> interface_addresses() {
  std::set<std::string> result{"127.0.0.1", "::1"};
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return result;
  }
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    char text[INET6_ADDRSTRLEN] = {};
    if (entry->ifa_addr == nullptr) {
      continue;
    }
    if (entry->ifa_addr->sa_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof(text));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr, text, sizeof(text));
    }
    if (text[0] != '\0') {
      result.insert(text);
    }
  }
  ::freeifaddrs(list);
  return result;
}

std::string alternative_names() {
  std::set<std::string> names{"localhost"};
  if (const std::string host = host_name(); !host.empty()) {
    names.insert(host);
  }
  std::string result;
  for (const std::string& name : names) {
    result += fmt::format("{}DNS:{}", result.empty() ? "" : ",", name);
  }
  for (const std::string& address : interface_addresses()) {
    result += fmt::format(",IP:{}", address);
  }
  return result;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), &X509_EXTENSION_free);
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_serial(X509* certificate) {
  std::string bytes = random_bytes(kSerialBytes);
  bytes[0] = static_cast<char>(bytes[0] & 0x7f);
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr),
      &BN_free);
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509* certificate, const Clock& clock) {
  const time_t now = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(clock.wall_now()));
  return ASN1_TIME_set(X509_getm_notBefore(certificate), now - kClockSkewSeconds) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), now + kValiditySeconds) != nullptr;
}

// Subject and issuer stay empty, as those of the certificates that the reference makes for itself.
bool fill(X509* certificate, EVP_PKEY* key, const Clock& clock) {
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_times(certificate, clock) && X509_set_pubkey(certificate, key) == 1 &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, NID_subject_alt_name, alternative_names()) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

std::string text_of(const BioPtr& bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, size > 0 ? static_cast<size_t>(size) : 0);
}

absl::StatusOr<Pair> make_self_signed(const Clock& clock) {
  const KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const CertificatePtr certificate(X509_new(), &X509_free);
  const BioPtr key_bio(BIO_new(BIO_s_mem()), &BIO_free);
  const BioPtr certificate_bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (key == nullptr || certificate == nullptr || key_bio == nullptr || certificate_bio == nullptr ||
      !fill(certificate.get(), key.get(), clock) || PEM_write_bio_X509(certificate_bio.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return absl::InternalError("could not make a self-signed server certificate");
  }
  return Pair{.certificate_pem = text_of(certificate_bio), .key_pem = text_of(key_bio)};
}

// Under a temporary name first: nobody ever sees half a file, whenever the process dies.
absl::Status write_private_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  written = written && ::rename(temporary.c_str(), path.c_str()) == 0;
  const int error = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  return written ? absl::OkStatus()
                 : absl::UnavailableError(fmt::format("cannot write {}: {}", path, error_text(error)));
}

absl::Status create_work_dir(const std::string& path) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure)) {
    return absl::OkStatus();
  }
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) {
    std::filesystem::create_directories(parent, failure);
  }
  if (failure || (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)) {
    return absl::UnavailableError(fmt::format("cannot create the work dir {} (KUMA_GENERAL_WORK_DIR): {}", path,
                                              failure ? failure.message() : error_text(errno)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status prepare_work_dir(const Config& config, const Clock& clock) {
  const General& general = config.general;
  KUMA_RETURN_IF_ERROR(create_work_dir(general.work_dir));
  const std::filesystem::path work_dir = general.work_dir;
  if (general.tls.cert_file != (work_dir / "kuma-cp.crt").string() ||
      general.tls.key_file != (work_dir / "kuma-cp.key").string()) {
    return absl::OkStatus();
  }
  const bool has_certificate = std::filesystem::exists(general.tls.cert_file);
  const bool has_key = std::filesystem::exists(general.tls.key_file);
  if (has_certificate && has_key) {
    return absl::OkStatus();
  }
  if (has_certificate) {
    return absl::FailedPreconditionError(
        fmt::format("{} exists without its key {}: put the key back, or delete the certificate to have a new pair made",
                    general.tls.cert_file, general.tls.key_file));
  }
  KUMA_ASSIGN_OR_RETURN(const Pair pair, make_self_signed(clock));
  // The key first: a key without a certificate, after a crash in between, is replaced at the next start.
  KUMA_RETURN_IF_ERROR(write_private_file(general.tls.key_file, pair.key_pem));
  return write_private_file(general.tls.cert_file, pair.certificate_pem);
}

}  // namespace kuma::config
