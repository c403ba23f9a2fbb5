#include "config/load.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/ascii.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/status.h"
#include "config/fields.h"
#include "config/names.h"
#include "config/validate.h"

namespace kuma::config {
namespace {

constexpr size_t kFileBytesMax = 1024 * 1024;

// KUMA_ variables of the other programs and those that Kubernetes sets for the Service `kuma-control-plane`.
constexpr std::string_view kOtherPrograms[] = {
    "KUMA_CONTROL_PLANE_", "KUMA_DATAPLANE_",         "KUMA_DNS_CONFIG_DIR",      "KUMA_DNS_CORE_DNS_",
    "KUMA_DNS_ENABLED",    "KUMA_DNS_ENVOY_DNS_PORT", "KUMA_DNS_PROMETHEUS_PORT", "KUMA_READINESS_PORT"};

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  if (!stream || !std::filesystem::is_regular_file(path)) {
    return absl::NotFoundError(fmt::format("Failed to access configuration file \"{}\"", path));
  }
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kFileBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("configuration file \"{}\" is larger than {} bytes", path, kFileBytesMax));
  }
  return text;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

// Lays a document over the settings. Unknown names only leave a warning, as old files name what no longer exists.
class DocumentReader {
 public:
  DocumentReader(const FieldList& fields, std::vector<std::string>& warnings) : warnings_(warnings) {
    for (const Field& field : fields.all()) {
      by_path_[absl::AsciiStrToLower(field.path)] = &field;
      names_.push_back(field.path);
      for (size_t dot = field.path.find('.'); dot != std::string::npos; dot = field.path.find('.', dot + 1)) {
        if (sections_.insert(absl::AsciiStrToLower(field.path.substr(0, dot))).second) {
          names_.push_back(field.path.substr(0, dot));
        }
      }
    }
  }

  absl::Status read(const json::value& document) { return read_section("", document); }

 private:
  absl::Status read_section(const std::string& path, const json::value& value) {
    if (value.is_null()) {
      return absl::OkStatus();
    }
    if (!value.is_object()) {
      return absl::InvalidArgumentError(path.empty() ? "expected settings such as `mode: standalone`"
                                                     : fmt::format("{}: expected a map of settings", path));
    }
    for (const auto& [name, member] : value.get_object()) {
      KUMA_RETURN_IF_ERROR(
          read_member(path.empty() ? std::string(name) : fmt::format("{}.{}", path, std::string_view(name)), member));
    }
    return absl::OkStatus();
  }

  // Names match without regard to case, as in the reference.
  absl::Status read_member(const std::string& path, const json::value& value) {
    const std::string lower = absl::AsciiStrToLower(path);
    if (const auto field = by_path_.find(lower); field != by_path_.end()) {
      return annotate(field->second->set_from_json(value), "{}", field->second->path);
    }
    if (sections_.contains(lower)) {
      return read_section(path, value);
    }
    warnings_.push_back(fmt::format("the setting {} in the configuration file is unknown and has no effect{}", path,
                                    did_you_mean(path, names_)));
    return absl::OkStatus();
  }

  std::map<std::string, const Field*> by_path_;  // by path in lower case, as are sections_
  std::set<std::string> sections_;
  std::vector<std::string> names_;
  std::vector<std::string>& warnings_;
};

absl::Status read_document(const std::string& file, const FieldList& fields, std::vector<std::string>& warnings) {
  KUMA_ASSIGN_OR_RETURN(const std::string text, read_file(file));
  const absl::StatusOr<json::value> document = parse_yaml(text);
  const absl::Status status = document.ok() ? DocumentReader(fields, warnings).read(*document) : document.status();
  return annotate(status, "Failed to parse configuration file \"{}\"", file);
}

absl::Status read_environment(const Environment& environment, const FieldList& fields,
                              std::vector<std::string>& warnings) {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const Field& field : fields.all()) {
    if (field.variable.empty()) {
      continue;
    }
    names.push_back(field.variable);
    known.insert(field.variable);
    if (const auto variable = environment.find(field.variable); variable != environment.end()) {
      KUMA_RETURN_IF_ERROR(annotate(field.set_from_text(variable->second), "environment variable {}", field.variable));
    }
  }
  for (const auto& [name, value] : environment) {
    const auto is_prefix = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (name.starts_with("KUMA_") && !known.contains(name) &&
        std::none_of(std::begin(kOtherPrograms), std::end(kOtherPrograms), is_prefix)) {
      warnings.push_back(
          fmt::format("the environment variable {} is unknown and has no effect{}", name, did_you_mean(name, names)));
    }
  }
  return absl::OkStatus();
}

void complete_tls(TlsServer& tls, const TlsServer& general, bool with_files) {
  if (with_files && tls.cert_file.empty() && tls.key_file.empty()) {
    tls.cert_file = general.cert_file;
    tls.key_file = general.key_file;
  }
  if (!general.min_version.empty()) {
    tls.min_version = general.min_version;
  }
  if (!general.max_version.empty()) {
    tls.max_version = general.max_version;
  }
  if (!general.cipher_suites.empty()) {
    tls.cipher_suites = general.cipher_suites;
  }
}

void complete_auth(DpServer& dp_server, bool is_kubernetes) {
  const std::string type = dp_server.auth.type;
  const auto fill = [&](std::string& target, const char* universal) {
    if (!target.empty()) {
      return;
    }
    if (type == "none" || type == "serviceAccountToken") {
      target = type;
    } else {
      target = is_kubernetes && type.empty() ? "serviceAccountToken" : universal;
    }
  };
  fill(dp_server.authn.dp_proxy.type, "dpToken");
  fill(dp_server.authn.zone_proxy.type, "zoneToken");
  fill(dp_server.auth.type, "dpToken");
  if (dp_server.auth.use_token_path) {
    dp_server.authn.enable_reloadable_tokens = true;
  }
}

// Settings that the reference acts on and this control plane does not: better said than missed.
void warn_of_settings_without_effect(const Config& config, std::vector<std::string>& warnings) {
  const auto warn_if = [&](bool is_set, std::string_view setting, std::string_view why) {
    if (is_set) {
      warnings.push_back(fmt::format("the setting {} has no effect: {}", setting, why));
    }
  };
  warn_if(!config.tracing.open_telemetry_endpoint.empty(), "tracing.openTelemetry.endpoint", "the control plane itself is not traced");
  warn_if(config.diagnostics.debug_endpoints, "diagnostics.debugEndpoints", "there are no profiles to serve; use perf");
  warn_if(config.reports_enabled, "reports.enabled", "no usage statistics are sent");
  const ApiServer& api = config.api_server;
  warn_if(!api.auth_client_certs_dir.empty() && api.authn.type != "adminClientCerts" && !api.https.require_client_cert,
          "apiServer.auth.clientCertsDir", "clients are asked for certificates only with apiServer.authn.type adminClientCerts or apiServer.https.requireClientCert");
}

// A global and the zones of one machine may share a work dir, but never a store.
std::string store_file_name(const Config& config) {
  if (config.is_global()) {
    return "kuma-global.db";
  }
  return config.is_zone() ? fmt::format("kuma-zone-{}.db", config.multizone.zone.name) : "kuma.db";
}

// {"a.b": 1} into {"a": {"b": 1}}. Fields come sorted, so members of each object do as well.
void insert_at(json::object& root, std::string_view path, json::value value) {
  json::object* section = &root;
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    json::value& next = (*section)[path.substr(0, dot)];
    section = next.is_object() ? &next.get_object() : &next.emplace_object();
    path.remove_prefix(dot + 1);
  }
  (*section)[path] = std::move(value);
}

}  // namespace

Environment process_environment() {
  Environment result;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const size_t equals = text.find('='); equals != std::string_view::npos) {
      result.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return result;
}

void complete_config(Config& config, const std::string& home) {
  General& general = config.general;
  if (general.work_dir.empty()) {
    general.work_dir = (std::filesystem::path(home.empty() ? "/" : home) / ".kuma").string();
  }
  const std::filesystem::path work_dir = general.work_dir;
  if (general.tls.cert_file.empty() && general.tls.key_file.empty()) {
    general.tls.cert_file = (work_dir / "kuma-cp.crt").string();
    general.tls.key_file = (work_dir / "kuma-cp.key").string();
  }
  for (TlsServer* tls : {&config.api_server.https.tls, &config.dp_server.tls, &config.multizone.global.tls,
                         &config.diagnostics.tls, &config.monitoring_assignment_server.tls}) {
    complete_tls(*tls, general.tls, true);
  }
  complete_tls(config.inter_cp.tls, general.tls, false);
  if (config.store.type == "sqlite" && config.store.sqlite.path.empty()) {
    config.store.sqlite.path = (work_dir / store_file_name(config)).string();
  }
  if (config.bootstrap_server.xds_port == 0) {
    config.bootstrap_server.xds_port = config.dp_server.port;
  }
  complete_auth(config.dp_server, config.is_kubernetes());
  MetricsSettings::Mesh& mesh = config.metrics.mesh;
  if (mesh.min_resync_timeout.count() != 0) {
    mesh.min_resync_interval = mesh.min_resync_timeout;
  }
  if (mesh.max_resync_timeout.count() != 0) {
    mesh.full_resync_interval = mesh.max_resync_timeout;
  }
}

absl::StatusOr<LoadedConfig> load_config(const std::string& file, const Environment& environment) {
  LoadedConfig loaded;
  const FieldList fields = fields_of(loaded.config);
  if (!file.empty()) {
    KUMA_RETURN_IF_ERROR(read_document(file, fields, loaded.warnings));
  }
  KUMA_RETURN_IF_ERROR(read_environment(environment, fields, loaded.warnings));
  const auto home = environment.find("HOME");
  complete_config(loaded.config, home == environment.end() ? "" : home->second);
  KUMA_RETURN_IF_ERROR(annotate(validate_config(loaded.config), "Invalid configuration"));
  warn_of_settings_without_effect(loaded.config, loaded.warnings);
  return loaded;
}

std::string to_sanitized_json(Config config) {
  const FieldList fields = fields_of(config);
  std::vector<const Field*> sorted;
  for (const Field& field : fields.all()) {
    sorted.push_back(&field);
  }

  std::sort(sorted.begin(), sorted.end(), [](const Field* a, const Field* b) { return a->path < b->path; });
  json::object root;
  for (const Field* field : sorted) {
    json::value value = field->to_json_value();
    if (field->path == "multizone.zone.name" && value == "") {
      continue;  // as the reference shows what is no zone
    }
    insert_at(root, field->path, std::move(value));
  }
  return to_json(root);
}

}  // namespace kuma::config
