#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <optional>

#include "base/status.h"
#include "net/cipher_suites.h"
#include "net/tls_context.h"

namespace kuma::net {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

int openssl_version(TlsVersion version) {
  switch (version) {
    case TlsVersion::Tls10:
      return TLS1_VERSION;
    case TlsVersion::Tls11:
      return TLS1_1_VERSION;
    case TlsVersion::Tls12:
      return TLS1_2_VERSION;
    case TlsVersion::Tls13:
      return TLS1_3_VERSION;
  }
  return TLS1_2_VERSION;
}

// A key with a passphrase is an error instead of a question on the terminal.
int refuse_passphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<std::vector<std::unique_ptr<X509, Free>>> parse_certificates(const std::string& pem) {
  std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<std::unique_ptr<X509, Free>> certificates;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, refuse_passphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  // Running out of PEM blocks is how a good list ends; anything else is a damaged block.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return absl::InvalidArgumentError("a PEM block is no certificate: " + take_openssl_error());
  }
  ERR_clear_error();
  if (certificates.empty()) {
    return absl::InvalidArgumentError("no PEM block of a certificate");
  }
  return certificates;
}

absl::Status use_certificate(SSL_CTX* context, const std::string& certificate_pem, const std::string& key_pem) {
  auto chain = parse_certificates(certificate_pem);
  if (!chain.ok()) {
    return annotate(chain.status(), "TLS certificate");
  }
  for (size_t i = 0; i < chain->size(); ++i) {
    X509* certificate = (*chain)[i].get();
    const auto added = i == 0 ? SSL_CTX_use_certificate(context, certificate)
                              : SSL_CTX_add1_chain_cert(context, certificate);
    if (added != 1) {
      return absl::InvalidArgumentError("TLS certificate: " + take_openssl_error());
    }
  }
  std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr));
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError("TLS key: no PEM block of an unencrypted private key");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return absl::InvalidArgumentError("TLS key does not belong to the certificate: " + take_openssl_error());
  }
  return absl::OkStatus();
}

absl::Status trust(SSL_CTX* context, const std::string& ca_pem, bool name_to_clients) {
  auto roots = parse_certificates(ca_pem);
  if (!roots.ok()) {
    return annotate(roots.status(), "TLS CA");
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  // A trusted certificate need not be self-signed: users hand out intermediates too, and Go accepts them.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  for (const auto& root : *roots) {
    if (X509_STORE_add_cert(store, root.get()) != 1 || (name_to_clients && SSL_CTX_add_client_CA(context, root.get()) != 1)) {
      return absl::InvalidArgumentError("TLS CA: " + take_openssl_error());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<TlsContext>> make_context(const SSL_METHOD* method) {
  auto context = std::make_shared<TlsContext>();
  context->ssl_context.reset(SSL_CTX_new(method));
  context->bio_method = make_wire_bio_method();
  if (context->ssl_context == nullptr || context->bio_method == nullptr) {
    return absl::InternalError("cannot make a TLS context: " + take_openssl_error());
  }
  SSL_CTX* ctx = context->ssl_context.get();
  // An idle connection shall cost little: no buffers kept, no session cache, no tickets. Read-ahead takes what the
  // kernel has in one call.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_default_read_buffer_len(ctx, 32 * 1024);
  return context;
}

// HTTP/2 when the client offers it, HTTP/1.1 next. With nothing in common the connection goes on without: clients that
// offer a name of their own still speak one of the two.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, kOurs, sizeof(kOurs) - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

absl::Status set_versions_and_suites(SSL_CTX* ctx, const TlsServerConfig& config) {
  if (config.version_min > config.version_max) {
    return absl::InvalidArgumentError("TLS: the lowest version is above the highest one");
  }
  if (SSL_CTX_set_min_proto_version(ctx, openssl_version(config.version_min)) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, openssl_version(config.version_max)) != 1) {
    return absl::InvalidArgumentError("TLS versions: " + take_openssl_error());
  }
  if (config.version_min < TlsVersion::Tls12) {
    SSL_CTX_set_security_level(ctx, 0);  // TLS 1.0 and 1.1 sign with SHA-1, which the default level refuses
  }
  if (config.cipher_suites.empty()) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(const CipherSuites suites, translate_cipher_suites(config.cipher_suites));
  // TLS 1.3's suites cannot be chosen in Go; naming only older ones leaves TLS 1.3 as it is.
  if (!suites.tls13.empty() && SSL_CTX_set_ciphersuites(ctx, suites.tls13.c_str()) != 1) {
    return absl::InvalidArgumentError("TLS cipher suites: " + take_openssl_error());
  }
  if (!suites.up_to_tls12.empty() && SSL_CTX_set_cipher_list(ctx, suites.up_to_tls12.c_str()) != 1) {
    return absl::InvalidArgumentError("TLS cipher suites: " + take_openssl_error());
  }
  return absl::OkStatus();
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) {
    return "unknown error of the TLS library";
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:#x} of the TLS library", code);
}

absl::StatusOr<std::shared_ptr<const TlsContext>> make_tls_server(const TlsServerConfig& config) {
  KUMA_ASSIGN_OR_RETURN(auto context, make_context(TLS_server_method()));
  SSL_CTX* ctx = context->ssl_context.get();
  context->server = true;
  KUMA_RETURN_IF_ERROR(set_versions_and_suites(ctx, config));
  KUMA_RETURN_IF_ERROR(use_certificate(ctx, config.certificate_pem, config.key_pem));
  SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_alpn_select_cb(ctx, select_alpn, nullptr);
  if (!config.client_ca_pem.empty()) {
    KUMA_RETURN_IF_ERROR(trust(ctx, config.client_ca_pem, true));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (config.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
  } else if (config.require_client_certificate) {
    return absl::InvalidArgumentError("TLS: client certificates are required, but no CA is given to verify them");
  }
  return context;
}

absl::StatusOr<std::shared_ptr<const TlsContext>> make_tls_client(const TlsClientConfig& config) {
  KUMA_ASSIGN_OR_RETURN(auto context, make_context(TLS_client_method()));
  SSL_CTX* ctx = context->ssl_context.get();
  context->verify = config.verify;
  context->server_name = config.server_name;
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  if (!config.ca_pem.empty()) {
    KUMA_RETURN_IF_ERROR(trust(ctx, config.ca_pem, false));
  } else if (config.verify && SSL_CTX_set_default_verify_paths(ctx) != 1) {
    return absl::InternalError("TLS: cannot load the system's CAs: " + take_openssl_error());
  }
  SSL_CTX_set_verify(ctx, config.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!config.certificate_pem.empty() || !config.key_pem.empty()) {
    KUMA_RETURN_IF_ERROR(use_certificate(ctx, config.certificate_pem, config.key_pem));
  }
  return context;
}

}  // namespace kuma::net
