#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "base/mustache.h"
#include "base/status.h"
#include "ctl/command.h"
#include "ctl/plan.h"
#include "ctl/resource_commands.h"
#include "model/rest.h"

namespace kuma::ctl {
namespace {

struct ApplyFlags {
  std::vector<std::string> files;
  std::vector<std::string> variables;
  bool dry_run = false;
  bool plan = false;
};

absl::StatusOr<std::string> read_url(const Environment& environment, const std::string& url) {
  net::HttpCall call;
  call.url = url;
  call.timeout = std::chrono::seconds(10);
  auto response = environment.http(std::move(call));
  if (!response.ok()) {
    return annotate(response.status(), "error while retrieving URL");
  }
  if (response->status != 200) {
    return absl::UnavailableError(fmt::format("error while retrieving URL: {} answered {}", url, response->status));
  }
  return std::move(response->body);
}

absl::StatusOr<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(fmt::format("error while reading provided file: open {}: {}", path.string(), std::strerror(errno)));
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The text of a file, a URL, standard input, or of all *.yaml, *.yml and *.json files of a folder in order of name.
absl::StatusOr<std::string> read_source(const Environment& environment, const std::string& source) {
  if (source == "-") {
    return std::string(std::istreambuf_iterator<char>(environment.in), {});
  }
  if (source.starts_with("http://") || source.starts_with("https://")) {
    return read_url(environment, source);
  }
  std::error_code error;
  if (!std::filesystem::is_directory(source, error)) {
    return read_file(source);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(source, error)) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() && (extension == ".yaml" || extension == ".yml" || extension == ".json")) {
      files.push_back(entry.path());
    }
  }
  if (error) {
    return absl::UnavailableError(fmt::format("error while reading provided folder {}: {}", source, error.message()));
  }
  if (files.empty()) {
    return absl::NotFoundError(fmt::format("no *.yaml, *.yml or *.json file in the folder {}", source));
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const std::filesystem::path& file : files) {
    KUMA_ASSIGN_OR_RETURN(const std::string text, read_file(file));
    all += text + "\n---\n";
  }
  return all;
}

std::vector<std::string> split_documents(const std::string& text) {
  std::vector<std::string> documents(1);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || (line.back() == ' ' && line.starts_with("---")))) {
      line.pop_back();
    }
    if (line == "---") {
      documents.emplace_back();
    } else {
      documents.back() += line + "\n";
    }
  }
  std::erase_if(documents, [](const std::string& document) {
    return document.find_first_not_of(" \t\r\n") == std::string::npos;
  });
  return documents;
}

absl::StatusOr<model::Resource> parse_resource(const Environment& environment, const std::string& text) {
  auto document = parse_yaml(text);
  if (!document.ok()) {
    return annotate(document.status(), "YAML contains invalid resource");
  }
  auto parsed = model::from_rest(environment.registry, *document);
  if (!parsed.ok()) {
    return annotate(parsed.status(), "YAML contains invalid resource");
  }
  model::Resource& resource = parsed->resource;
  Violations violations;
  model::validate_meta(*resource.type, resource.meta, {.existing = true, .zone_name = ""}, violations);
  KUMA_RETURN_IF_ERROR(violations.to_status());
  Violations strict;
  model::validate_meta(*resource.type, resource.meta, {}, strict);
  if (!strict.empty()) {
    environment.err << fmt::format(
        "[WARNING] the name \"{}\" is of the older form, which is only accepted for resources that exist: {}\n",
        resource.meta.name, strict.list()[0].message);
  }
  return std::move(resource);
}

absl::Status upsert(const ApiClient& client, const model::Resource& resource) {
  const std::string path = item_path(*resource.type, resource.meta.mesh, resource.meta.name);
  const auto existing = client.get(path);
  if (!existing.ok() && !is_not_found(existing.status())) {
    return wrap(existing.status(), fmt::format("failed to get {}", resource.meta.name));
  }
  return wrap(client.put(path, model::to_rest(resource)),
              fmt::format("failed to apply {} \"{}\"", resource.type->name, resource.meta.name));
}

std::string dry_run_text(const model::Resource& resource) {
  json::object document = model::to_rest(resource);
  for (const char* member : {"creationTime", "modificationTime"}) {
    document[member] = "0001-01-01T00:00:00Z";
  }
  return resource_yaml(document);
}

absl::Status apply(const Invocation& invocation, const ApplyFlags& flags) {
  const Environment& environment = invocation.environment;
  KUMA_ASSIGN_OR_RETURN(const auto pairs, parse_pairs("var", flags.variables));
  const std::map<std::string, std::string> variables(pairs.begin(), pairs.end());

  std::vector<model::Resource> resources;
  for (const std::string& source : flags.files) {
    KUMA_ASSIGN_OR_RETURN(const std::string text, read_source(environment, source));
    if (text.empty()) {
      return absl::InvalidArgumentError("no resource(s) passed to apply");
    }
    for (const std::string& document : split_documents(text)) {
      std::string rendered = document;
      if (!variables.empty()) {
        KUMA_ASSIGN_OR_RETURN(rendered, render_mustache(document, variables));
      }
      KUMA_ASSIGN_OR_RETURN(model::Resource resource, parse_resource(environment, rendered));
      resources.push_back(std::move(resource));
    }
  }
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  if (flags.dry_run) {
    for (size_t i = 0; i < resources.size(); ++i) {
      environment.out << (i == 0 ? "" : "---\n") << dry_run_text(resources[i]);
    }
    return absl::OkStatus();
  }
  if (flags.plan) {
    KUMA_ASSIGN_OR_RETURN(const std::vector<json::value> answers, plan(client, resources));
    for (const json::value& answer : answers) {
      environment.out << plan_text(answer);
    }
    return absl::OkStatus();
  }
  for (const model::Resource& resource : resources) {
    KUMA_RETURN_IF_ERROR(upsert(client, resource));
  }
  return absl::OkStatus();
}

}  // namespace

void add_apply(CommandTree& tree) {
  Command& command = tree.leaf(tree.root(), "apply", "Create or update resources");
  auto flags = std::make_shared<ApplyFlags>();
  command.app->add_option("-f,--file", flags->files, "file, folder, URL or - for standard input (required)")->allow_extra_args(false);
  command.app->add_option("-v,--var", flags->variables, "values for {{ name }} in the files, as name=value")->allow_extra_args(false);
  command.app->add_flag("--dry-run", flags->dry_run, "print what would be sent instead of sending it");
  command.app->add_flag("--plan", flags->plan, "say what would change for proxies and policies instead of changing it");
  command.required = {"file"};
  command.action = [&invocation = tree.invocation(), flags] { return apply(invocation, *flags); };
}

}  // namespace kuma::ctl
