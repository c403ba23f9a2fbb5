#include "ctl/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/errno_text.h"
#include "base/json.h"
#include "base/status.h"

namespace kuma::ctl {
namespace {

constexpr const char* kNoneActive =
    "active Control Plane is not set. Use `kumactl config control-planes add` to add a Control Plane and make it active";
constexpr const char* kBroken =
    "apparently, configuration is broken. Use `kumactl config control-planes add` to add a Control Plane and make it active";

// Reads the members of one object and remembers the first thing that is wrong with it.
class ObjectReader {
 public:
  ObjectReader(const json::value& value, std::string where) : where_(std::move(where)) {
    object_ = value.if_object();
    if (object_ == nullptr && !value.is_null()) {
      fail("expected an object");
    }
  }

  std::string text(std::string_view member) {
    known_.push_back(member);
    const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(member);
    if (value == nullptr || value->is_null()) {
      return "";
    }
    if (!value->is_string()) {
      fail(fmt::format("\"{}\" has to be a string", member));
      return "";
    }
    return std::string(value->get_string());
  }

  json::value member(std::string_view name) {
    known_.push_back(name);
    const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(name);
    return value == nullptr ? json::value(nullptr) : *value;
  }

  json::array list(std::string_view name) {
    json::value value = member(name);
    if (value.is_null()) {
      return {};
    }
    if (!value.is_array()) {
      fail(fmt::format("\"{}\" has to be a list", name));
      return {};
    }
    return value.get_array();
  }

  absl::Status done() {
    for (const auto& entry : object_ == nullptr ? json::object() : *object_) {
      const std::string_view name(entry.key().data(), entry.key().size());
      if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
        fail(fmt::format("unknown field \"{}\"", name));
      }
    }
    return status_;
  }

 private:
  void fail(std::string_view what) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(where_.empty() ? std::string(what) : fmt::format("{}: {}", where_, what));
    }
  }

  std::string where_;
  const json::object* object_ = nullptr;
  std::vector<std::string_view> known_;
  absl::Status status_;
};

absl::StatusOr<ControlPlane> read_control_plane(const json::value& value, const std::string& where) {
  ControlPlane cp;
  ObjectReader reader(value, where);
  cp.name = reader.text("name");
  const json::value coordinates = reader.member("coordinates");
  KUMA_RETURN_IF_ERROR(reader.done());
  ObjectReader coordinates_reader(coordinates, where + ".coordinates");
  const json::value api = coordinates_reader.member("apiServer");
  KUMA_RETURN_IF_ERROR(coordinates_reader.done());
  ObjectReader api_reader(api, where + ".coordinates.apiServer");
  cp.url = api_reader.text("url");
  cp.ca_cert_file = api_reader.text("caCertFile");
  cp.client_cert_file = api_reader.text("clientCertFile");
  cp.client_key_file = api_reader.text("clientKeyFile");
  cp.auth_type = api_reader.text("authType");
  const json::array headers = api_reader.list("headers");
  const json::value auth_conf = api_reader.member("authConf");
  KUMA_RETURN_IF_ERROR(api_reader.done());
  for (const json::value& header : headers) {
    ObjectReader header_reader(header, where + ".coordinates.apiServer.headers");
    std::string key = header_reader.text("key");
    std::string text = header_reader.text("value");
    KUMA_RETURN_IF_ERROR(header_reader.done());
    cp.headers.emplace_back(std::move(key), std::move(text));
  }
  if (const json::object* object = auth_conf.if_object()) {
    for (const auto& [key, text] : *object) {
      cp.auth_conf.emplace_back(std::string(key), text.is_string() ? std::string(text.get_string()) : to_json(text));
    }
  }
  return cp;
}

absl::StatusOr<Context> read_context(const json::value& value, const std::string& where) {
  Context context;
  ObjectReader reader(value, where);
  context.name = reader.text("name");
  context.control_plane = reader.text("controlPlane");
  const json::value defaults = reader.member("defaults");
  KUMA_RETURN_IF_ERROR(reader.done());
  ObjectReader defaults_reader(defaults, where + ".defaults");
  context.default_mesh = defaults_reader.text("mesh");
  KUMA_RETURN_IF_ERROR(defaults_reader.done());
  return context;
}

void put(json::object& object, std::string_view name, const std::string& text) {
  if (!text.empty()) {
    object[name] = text;
  }
}

}  // namespace

Configuration Configuration::default_configuration() {
  Configuration configuration;
  ControlPlane local;
  local.name = "local";
  local.url = "http://localhost:5681";
  configuration.control_planes.push_back(std::move(local));
  configuration.contexts.push_back({.name = "local", .control_plane = "local", .default_mesh = ""});
  configuration.current_context = "local";
  return configuration;
}

ControlPlane* Configuration::find_control_plane(std::string_view name) {
  const auto found = std::find_if(control_planes.begin(), control_planes.end(), [&](const auto& cp) { return cp.name == name; });
  return found == control_planes.end() ? nullptr : &*found;
}

absl::StatusOr<ControlPlane> Configuration::current() const {
  if (current_context.empty()) {
    return absl::FailedPreconditionError(kNoneActive);
  }
  for (const Context& context : contexts) {
    if (context.name != current_context) {
      continue;
    }
    for (const ControlPlane& cp : control_planes) {
      if (cp.name == context.control_plane) {
        return cp;
      }
    }
  }
  return absl::FailedPreconditionError(kBroken);
}

absl::Status Configuration::add(ControlPlane control_plane, bool overwrite) {
  const std::string name = control_plane.name;
  const auto context = std::find_if(contexts.begin(), contexts.end(), [&](const auto& c) { return c.name == name; });
  if (ControlPlane* existing = find_control_plane(name)) {
    if (!overwrite) {
      return absl::AlreadyExistsError(fmt::format(
          "Control Plane with name \"{}\" already exists. Use --overwrite to replace an existing one.", name));
    }
    *existing = std::move(control_plane);
  } else {
    control_planes.push_back(std::move(control_plane));
  }
  if (context == contexts.end()) {
    contexts.push_back({.name = name, .control_plane = name, .default_mesh = ""});
  } else if (overwrite) {
    context->control_plane = name;
  } else {
    return absl::AlreadyExistsError(fmt::format("Context with name \"{}\" already exists", name));
  }
  current_context = name;
  return absl::OkStatus();
}

absl::Status Configuration::remove(std::string_view name) {
  if (find_control_plane(name) == nullptr) {
    return absl::NotFoundError(fmt::format("there is no Control Plane with name \"{}\"", name));
  }
  std::erase_if(control_planes, [&](const auto& cp) { return cp.name == name; });
  std::string gone;
  std::erase_if(contexts, [&](const auto& context) {
    if (context.control_plane != name) {
      return false;
    }
    gone = context.name == current_context ? context.name : gone;
    return true;
  });
  if (!gone.empty()) {
    current_context = contexts.empty() ? "" : contexts.front().name;
  }
  return absl::OkStatus();
}

absl::Status Configuration::switch_to(std::string_view name) {
  for (const Context& context : contexts) {
    if (context.name == name) {
      current_context = context.name;
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(fmt::format("there is no Control Plane with name \"{}\"", name));
}

std::string to_yaml(const Configuration& configuration) {
  json::array contexts;
  for (const Context& context : configuration.contexts) {
    json::object object;
    put(object, "controlPlane", context.control_plane);
    if (!context.default_mesh.empty()) {
      object["defaults"] = json::object{{"mesh", context.default_mesh}};
    }
    put(object, "name", context.name);
    contexts.push_back(std::move(object));
  }
  json::array control_planes;
  for (const ControlPlane& cp : configuration.control_planes) {
    json::object api;
    if (!cp.auth_conf.empty()) {
      json::object auth_conf;
      for (const auto& [key, value] : cp.auth_conf) {
        auth_conf[key] = value;
      }
      api["authConf"] = std::move(auth_conf);
    }
    put(api, "authType", cp.auth_type);
    put(api, "caCertFile", cp.ca_cert_file);
    put(api, "clientCertFile", cp.client_cert_file);
    put(api, "clientKeyFile", cp.client_key_file);
    if (!cp.headers.empty()) {
      json::array headers;
      for (const auto& [key, value] : cp.headers) {
        headers.push_back(json::object{{"key", key}, {"value", value}});
      }
      api["headers"] = std::move(headers);
    }
    put(api, "url", cp.url);
    control_planes.push_back(json::object{{"coordinates", json::object{{"apiServer", std::move(api)}}}, {"name", cp.name}});
  }
  json::object out;
  if (!contexts.empty()) {
    out["contexts"] = std::move(contexts);
  }
  if (!control_planes.empty()) {
    out["controlPlanes"] = std::move(control_planes);
  }
  put(out, "currentContext", configuration.current_context);
  return kuma::to_yaml(sorted(out));
}

absl::StatusOr<Configuration> parse_configuration(std::string_view yaml) {
  KUMA_ASSIGN_OR_RETURN(const json::value document, parse_yaml(yaml));
  Configuration configuration;
  ObjectReader reader(document, "");
  configuration.current_context = reader.text("currentContext");
  const json::array control_planes = reader.list("controlPlanes");
  const json::array contexts = reader.list("contexts");
  KUMA_RETURN_IF_ERROR(reader.done());
  for (size_t i = 0; i < control_planes.size(); ++i) {
    KUMA_ASSIGN_OR_RETURN(ControlPlane cp, read_control_plane(control_planes[i], fmt::format("controlPlanes[{}]", i)));
    configuration.control_planes.push_back(std::move(cp));
  }
  for (size_t i = 0; i < contexts.size(); ++i) {
    KUMA_ASSIGN_OR_RETURN(Context context, read_context(contexts[i], fmt::format("contexts[{}]", i)));
    configuration.contexts.push_back(std::move(context));
  }
  return configuration;
}

absl::StatusOr<Configuration> load_or_create(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    Configuration configuration = Configuration::default_configuration();
    KUMA_RETURN_IF_ERROR(save(configuration, file));
    return configuration;
  }
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) {
    return absl::UnavailableError(fmt::format("Failed to read configuration from file \"{}\": {}", file.string(), errno_text(errno)));
  }
  auto configuration = parse_configuration(text.str());
  if (!configuration.ok()) {
    return annotate(configuration.status(), "Failed to parse configuration from file \"{}\"", file.string());
  }
  return configuration;
}

absl::Status save(const Configuration& configuration, const std::filesystem::path& file) {
  const auto failed = [&](const std::string& cause) {
    return absl::UnavailableError(fmt::format("Failed to write configuration into file \"{}\": {}", file.string(), cause));
  };
  std::error_code error;
  if (file.has_parent_path()) {
    std::filesystem::create_directories(file.parent_path(), error);
    if (error) {
      return failed(error.message());
    }
  }
  // Written beside the file and renamed, so that a full disk does not leave half a configuration. It may hold a token.
  const std::string temporary = file.string() + ".new";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return failed(errno_text(errno));
  }
  const std::string text = to_yaml(configuration);
  const bool written = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const std::string cause = written ? "" : errno_text(errno);
  ::close(descriptor);
  if (!written) {
    ::unlink(temporary.c_str());
    return failed(cause);
  }
  std::filesystem::rename(temporary, file, error);
  return error ? failed(error.message()) : absl::OkStatus();
}

}  // namespace kuma::ctl
