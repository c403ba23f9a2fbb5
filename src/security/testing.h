#pragma once

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "security/certificate.h"

// For the tests of this folder and of those above it.
namespace kuma::security::testing {

// Work waits until the test runs it.
class ManualExecutor final : public Executor {
 public:
  void post(std::function<void()> work) override { queue_.push_back(std::move(work)); }
  size_t size() const { return queue_.size(); }
  bool run_one() {
    if (queue_.empty()) {
      return false;
    }
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    work();
    return true;
  }
  void run_all() {
    for (int bound = 0; bound < 10'000 && run_one(); ++bound) {
    }
  }

 private:
  std::deque<std::function<void()>> queue_;
};

// Keys made once a program, as RSA keys are slow to find. Short ones, which OpenSSL takes all the same.
inline const PrivateKey& rsa_key() {
  static const PrivateKey key = *PrivateKey::generate_rsa(kRsaBitsMin);
  return key;
}
inline const PrivateKey& other_rsa_key() {
  static const PrivateKey key = *PrivateKey::generate_rsa(kRsaBitsMin);
  return key;
}

inline Certificate parse_one(const std::string& pem) { return Certificate::parse_pem(pem)->front(); }

// What `openssl verify -purpose …` says of a certificate at a time; empty when it is good.
inline std::string verify(const std::string& ca_pem, const std::string& pem, WallTime at, int purpose) {
  const Certificate ca = parse_one(ca_pem);
  const Certificate leaf = parse_one(pem);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, ca.native());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.native(), nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_VERIFY_PARAM_set_auth_level(parameters, 0);  // tests' keys are short
  X509_STORE_CTX_set_purpose(context, purpose);
  const bool good = X509_verify_cert(context) == 1;
  std::string error = good ? "" : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return error;
}

inline std::vector<std::string> texts(const std::vector<AltName>& names) {
  std::vector<std::string> out;
  for (const AltName& name : names) {
    out.push_back(name.value);
  }
  return out;
}

// `openssl x509 -text`.
inline std::string print(const Certificate& certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  X509_print_ex(bio, certificate.native(), XN_FLAG_RFC2253, 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace kuma::security::testing
