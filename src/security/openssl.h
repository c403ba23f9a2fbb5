#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"

// Owners for OpenSSL's objects and its errors as text. For the .cc files of this folder; nothing else includes it.
namespace kuma::security::openssl {

template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free_function(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;

// What OpenSSL complained about first, and an empty error queue.
inline std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

inline absl::Status internal_error(std::string_view what) {
  return absl::InternalError(fmt::format("{}: {}", what, take_error()));
}

inline BioPtr reader(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

inline BioPtr writer() { return BioPtr(BIO_new(BIO_s_mem())); }

inline std::string text_of(BIO& bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace kuma::security::openssl
