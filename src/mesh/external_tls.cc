#include "mesh/external_tls.h"

#include "base/status.h"
#include "base/text.h"
#include "fmt/format.h"
#include "security/certificate.h"
#include "security/key.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::mesh {
namespace {

using kuma::system::v1alpha1::DataSource;
using v1alpha1::ExternalService;

// Reads what an ExternalService's TLS is made of.
class TlsReader {
 public:
  TlsReader(const MeshView& view, std::set<std::string>& data_secrets) : view_(view), data_secrets_(data_secrets) {}

  absl::StatusOr<ExternalTls> read(const ExternalService::Networking::TLS& from, const std::string& host) {
    ExternalTls tls;
    tls.host = host;
    tls.sni = from.has_server_name() ? from.server_name().value() : is_ip_address(host) ? "" : host;
    tls.allow_renegotiation = from.allowrenegotiation().value();
    if (from.has_ca_cert()) {
      KUMA_ASSIGN_OR_RETURN(tls.ca_pem, certificates(from.ca_cert(), "caCert"));
      if (!from.skiphostnameverification().value()) {
        tls.server_identity = tls.sni.empty() ? host : tls.sni;
      }
    }
    if (from.has_client_cert() != from.has_client_key()) {
      return absl::InvalidArgumentError(fmt::format("networking.tls has {} but no {}: both are needed",
                                                    from.has_client_cert() ? "a clientCert" : "a clientKey",
                                                    from.has_client_cert() ? "clientKey" : "clientCert"));
    }
    if (from.has_client_cert()) {
      KUMA_ASSIGN_OR_RETURN(tls.certificate_pem, certificates(from.client_cert(), "clientCert"));
      KUMA_ASSIGN_OR_RETURN(tls.key_pem, key(from.client_key(), tls.certificate_pem));
    }
    return tls;
  }

 private:
  absl::StatusOr<std::string> bytes(const DataSource& source, std::string_view field) {
    switch (source.type_case()) {
      case DataSource::kSecret: {
        data_secrets_.insert(source.secret());
        auto found = view_.secrets.find(source.secret());
        if (found == view_.secrets.end()) {
          return absl::NotFoundError(
              fmt::format("networking.tls.{}: the mesh {} has no secret \"{}\"", field, view_.name, source.secret()));
        }
        return found->second->as<kuma::system::v1alpha1::Secret>().data().value();
      }
      case DataSource::kInline:
        return source.inline_().value();
      case DataSource::kInlineString:
        return source.inlinestring();
      case DataSource::kFile:
        return absl::InvalidArgumentError(
            fmt::format("networking.tls.{}: files are not read for external services: use secret, inline or inlineString", field));
      case DataSource::TYPE_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError(fmt::format("networking.tls.{}: data source cannot be empty", field));
  }

  static std::string where(const DataSource& source) {
    return source.type_case() == DataSource::kSecret ? fmt::format("the secret \"{}\"", source.secret()) : "its data";
  }

  absl::StatusOr<std::string> certificates(const DataSource& source, std::string_view field) {
    KUMA_ASSIGN_OR_RETURN(std::string pem, bytes(source, field));
    if (auto parsed = security::Certificate::parse_pem(pem); !parsed.ok() || parsed->empty()) {
      return absl::InvalidArgumentError(fmt::format("networking.tls.{}: {} is no certificate in PEM{}", field, where(source),
                                                    parsed.ok() ? "" : fmt::format(": {}", message_of(parsed.status()))));
    }
    return pem;
  }

  absl::StatusOr<std::string> key(const DataSource& source, const std::string& certificate_pem) {
    KUMA_ASSIGN_OR_RETURN(std::string pem, bytes(source, "clientKey"));
    auto parsed = security::PrivateKey::parse_pem(pem);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(fmt::format("networking.tls.clientKey: {} is no private key in PEM: {}", where(source),
                                                    message_of(parsed.status())));
    }
    auto chain = security::Certificate::parse_pem(certificate_pem);
    if (chain.ok() && !chain->front().matches(*parsed)) {
      return absl::InvalidArgumentError(
          fmt::format("networking.tls.clientKey: {} is not the key of the clientCert", where(source)));
    }
    return pem;
  }

  const MeshView& view_;
  std::set<std::string>& data_secrets_;
};

}  // namespace

absl::StatusOr<ExternalTls> load_external_tls(const ExternalService::Networking::TLS& tls, const std::string& host,
                                              const MeshView& view, std::set<std::string>& data_secrets) {
  return TlsReader(view, data_secrets).read(tls, host);
}

}  // namespace kuma::mesh
