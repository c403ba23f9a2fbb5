#include <algorithm>

#include "base/status.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "mesh/gateways.h"
#include "security/certificate.h"
#include "security/key.h"
#include "system/v1alpha1/secret.pb.h"
#include "xds/gen/gateway.h"

namespace kuma::xds::gateway {
namespace {

using ::envoy::extensions::transport_sockets::tls::v3::Secret;
using system::v1alpha1::DataSource;

constexpr unsigned kRsaBitsMin = 2048;

// A server's certificate with its chain, and its key, as PEM.
struct ServerPair {
  std::string chain;
  std::string key;
};

// Both come in one text, in any order.
absl::StatusOr<ServerPair> split_pem(std::string_view text) {
  static constexpr std::string_view kBegin = "-----BEGIN ", kDashes = "-----";
  if (text.size() > security::kPemLenMax) {
    return absl::InvalidArgumentError(fmt::format("it has {} bytes, more than {}", text.size(), security::kPemLenMax));
  }
  ServerPair pair;
  for (size_t begin = text.find(kBegin); begin != std::string_view::npos; begin = text.find(kBegin, begin)) {
    size_t type_end = text.find(kDashes, begin + kBegin.size());
    if (type_end == std::string_view::npos) {
      break;
    }
    std::string type(text.substr(begin + kBegin.size(), type_end - begin - kBegin.size()));
    std::string closing = fmt::format("-----END {}-----", type);
    size_t end = text.find(closing, type_end);
    if (end == std::string_view::npos) {
      return absl::InvalidArgumentError(fmt::format("a PEM block \"{}\" has no end", type));
    }
    end += closing.size();
    std::string block = std::string(text.substr(begin, end - begin)) + "\n";
    begin = end;
    if (type.ends_with("CERTIFICATE")) {
      pair.chain += block;
    } else if (!type.ends_with("PRIVATE KEY")) {
      return absl::InvalidArgumentError(fmt::format("unsupported PEM block \"{}\"", type));
    } else if (!pair.key.empty()) {
      return absl::InvalidArgumentError("secret contains multiple private keys");
    } else {
      pair.key = std::move(block);
    }
  }
  if (pair.chain.empty()) {
    return absl::InvalidArgumentError("missing server certificate");
  }
  if (pair.key.empty()) {
    return absl::InvalidArgumentError("missing private key");
  }
  return pair;
}

absl::StatusOr<std::string> load(ProxyContext& context, const DataSource& source) {
  switch (source.type_case()) {
    case DataSource::kSecret: {
      context.resources.data_secrets.insert(source.secret());
      auto found = context.view.secrets.find(source.secret());
      if (found == context.view.secrets.end()) {
        return absl::NotFoundError("there is no such secret in the mesh");
      }
      return found->second->as<system::v1alpha1::Secret>().data().value();
    }
    case DataSource::kInline:
      return source.inline_().value();
    case DataSource::kInlineString:
      return source.inlinestring();
    case DataSource::kFile: {
      const std::string name = mesh::secret_of_file(source.file());
      context.resources.data_secrets.insert(name);
      auto found = context.view.secrets.find(name);
      if (found == context.view.secrets.end()) {
        return absl::NotFoundError("the control plane can't read it: it has to be a regular file on its host, with an absolute path and none of "
                                   "its own keys");
      }
      return found->second->as<system::v1alpha1::Secret>().data().value();
    }
    case DataSource::TYPE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("it has none of secret, inline, inlineString");
}

// Whether Envoy takes the two, which would hold back the whole listener otherwise.
absl::Status check_pair(const ServerPair& pair, const security::PrivateKey& key) {
  KUMA_ASSIGN_OR_RETURN(const std::vector<security::Certificate> chain, security::Certificate::parse_pem(pair.chain));
  if (chain.empty()) {
    return absl::InvalidArgumentError("missing server certificate");
  }
  if (!chain.front().matches(key)) {
    return absl::InvalidArgumentError("the private key is not that of the first certificate");
  }
  if (key.is_rsa() ? key.bits() < kRsaBitsMin : !key.is_p256()) {
    return absl::InvalidArgumentError(fmt::format("Envoy takes RSA keys of at least {} bits and ECDSA keys on P-256", kRsaBitsMin));
  }
  return absl::OkStatus();
}

std::string hosts_of(const std::string& chain, const Host& host) {
  std::string hosts;
  auto certificates = security::Certificate::parse_pem(chain);
  if (certificates.ok() && !certificates->empty()) {
    for (const security::AltName& name : certificates->front().names()) {
      if (name.kind == security::AltName::Kind::Dns) {
        hosts += (hosts.empty() ? "" : ":") + name.value;
      }
    }
  }
  return hosts.empty() ? host.name : hosts;
}

absl::StatusOr<std::string> put_certificate(ProxyContext& context, const Host& host, const DataSource& source) {
  KUMA_ASSIGN_OR_RETURN(std::string text, load(context, source));
  KUMA_ASSIGN_OR_RETURN(ServerPair pair, split_pem(text));
  KUMA_ASSIGN_OR_RETURN(security::PrivateKey key, security::PrivateKey::parse_pem(pair.key));
  KUMA_RETURN_IF_ERROR(check_pair(pair, key));
  std::string name = fmt::format("cert.{}:", key.is_rsa() ? "rsa" : "ecdsa");
  name += source.has_secret() ? "secret:" + source.secret() : source.has_file() ? "file:" + source.file() : "inline:" + hosts_of(pair.chain, host);
  policy::PieceKey piece("gateway-certificate");
  piece.add(name).add(pair.chain).add(pair.key);
  policy::ProxyResources::put(context.certificates,
                              own_draft<SecretDraft>(name, policy::Origin::Secrets, std::move(piece), [name, pair](Secret& secret) {
                                secret.set_name(name);
                                auto& certificate = *secret.mutable_tls_certificate();
                                certificate.mutable_certificate_chain()->set_inline_string(pair.chain);
                                certificate.mutable_private_key()->set_inline_string(pair.key);
                              }));
  return name;
}

std::string title_of(const DataSource& source) {
  return source.has_secret() ? fmt::format("the certificate of secret \"{}\"", source.secret())
         : source.has_file() ? fmt::format("the certificate in the file {}", source.file())
                             : "a certificate that is given inline";
}

}  // namespace

absl::StatusOr<std::vector<std::string>> put_certificates(ProxyContext& context, const Host& host) {
  std::vector<std::string> names;
  for (const DataSource& source : host.listener->tls().certificates()) {
    auto name = put_certificate(context, host, source);
    if (!name.ok()) {
      return annotate(name.status(), "{}", title_of(source));
    }
    if (std::ranges::find(names, *name) != names.end()) {
      return absl::InvalidArgumentError(fmt::format("duplicate TLS certificate \"{}\"", *name));
    }
    names.push_back(*std::move(name));
  }
  return names;
}

}  // namespace kuma::xds::gateway
