#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/tls.h"

namespace kuma::net {

struct OpensslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

// What make_tls_server/client build. Immutable once made, so that all loops share it.
class TlsContext {
 public:
  std::unique_ptr<SSL_CTX, OpensslFree> ssl_context;
  std::unique_ptr<BIO_METHOD, OpensslFree> bio_method;  // of Wire, see wire.cc
  bool server = false;
  bool verify = true;       // clients: the server's name too
  std::string server_name;  // clients: instead of the host dialled
};

// The method of the BIO between OpenSSL and a Wire; its data pointer is the Wire.
std::unique_ptr<BIO_METHOD, OpensslFree> make_wire_bio_method();

// Text of OpenSSL's oldest queued error, and the queue emptied: `certificate verify failed`.
std::string take_openssl_error();

}  // namespace kuma::net
