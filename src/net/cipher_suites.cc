#include "net/cipher_suites.h"

#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include "base/status.h"
#include "net/tls_context.h"

namespace kuma::net {
namespace {

// Go keeps the names of its first ChaCha20 suites without the hash; both forms mean the same suite.
std::string_view canonical_name(std::string_view name) {
  if (name == "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305") {
    return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
  }
  if (name == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305") {
    return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
  }
  return name;
}

}  // namespace

absl::StatusOr<CipherSuites> translate_cipher_suites(const std::vector<std::string>& names) {
  // OpenSSL knows the registry's names (which Go uses) of all suites that it can do: ask it instead of keeping a table.
  std::unique_ptr<SSL_CTX, OpensslFree> context(SSL_CTX_new(TLS_method()));
  if (context == nullptr || SSL_CTX_set_cipher_list(context.get(), "ALL:COMPLEMENTOFALL:@SECLEVEL=0") != 1) {
    return absl::InternalError("cannot ask the TLS library for its cipher suites: " + take_openssl_error());
  }
  const STACK_OF(SSL_CIPHER)* known = SSL_CTX_get_ciphers(context.get());
  CipherSuites result;
  for (const auto& name : names) {
    const SSL_CIPHER* found = nullptr;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && found == nullptr; ++i) {
      const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(known, i);
      const char* standard = SSL_CIPHER_standard_name(cipher);
      if (name == SSL_CIPHER_get_name(cipher) || (standard != nullptr && canonical_name(name) == standard)) {
        found = cipher;
      }
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(fmt::format("unknown or unsupported TLS cipher suite \"{}\"", name));
    }
    const bool tls13 = std::string_view(SSL_CIPHER_get_version(found)) == "TLSv1.3";
    std::string& list = tls13 ? result.tls13 : result.up_to_tls12;
    if (!list.empty()) {
      list += ':';
    }
    list += SSL_CIPHER_get_name(found);
  }
  return result;
}

}  // namespace kuma::net
