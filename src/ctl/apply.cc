#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "base/errno_text.h"
#include "base/mustache.h"
#include "base/status.h"
#include "ctl/command.h"
#include "ctl/plan.h"
#include "ctl/resource_commands.h"
#include "fmt/ranges.h"
#include "model/old_names.h"
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
    return absl::NotFoundError(fmt::format("error while reading provided file: open {}: {}", path.string(), errno_text(errno)));
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Source {
  std::string name;  // as users know it
  std::string text;
};

// A file, a URL, standard input, or all *.yaml, *.yml and *.json files of a folder in order of name.
absl::StatusOr<std::vector<Source>> read_sources(const Environment& environment, const std::string& source) {
  if (source == "-") {
    return std::vector<Source>{{"standard input", std::string(std::istreambuf_iterator<char>(environment.in), {})}};
  }
  if (source.starts_with("http://") || source.starts_with("https://")) {
    KUMA_ASSIGN_OR_RETURN(std::string text, read_url(environment, source));
    return std::vector<Source>{{source, std::move(text)}};
  }
  std::error_code error;
  if (!std::filesystem::is_directory(source, error)) {
    KUMA_ASSIGN_OR_RETURN(std::string text, read_file(source));
    return std::vector<Source>{{source, std::move(text)}};
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
  std::vector<Source> sources;
  for (const std::filesystem::path& file : files) {
    KUMA_ASSIGN_OR_RETURN(std::string text, read_file(file));
    sources.push_back({file.string(), std::move(text)});
  }
  return sources;
}

struct Document {
  std::string text;
  size_t line = 1;  // of its first line in the source
};

std::vector<Document> split_documents(const std::string& text) {
  std::vector<Document> documents(1);
  std::istringstream lines(text);
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || (line.back() == ' ' && line.starts_with("---")))) {
      line.pop_back();
    }
    if (line == "---") {
      documents.push_back({.text = "", .line = number + 1});
    } else {
      documents.back().text += line + "\n";
    }
  }
  std::erase_if(documents, [](const Document& document) {
    return document.text.find_first_not_of(" \t\r\n") == std::string::npos;
  });
  return documents;
}

// A resource with where it came from, for error messages.
struct Parsed {
  model::Resource resource;
  std::string where;  // `a.yaml, document 2 (from line 7)`; empty when there is only one document
};

// The error with a line that says which document it is about.
absl::Status located(const absl::Status& status, const std::string& where) {
  return status.ok() || where.empty() ? status : absl::Status(status.code(), fmt::format("{}\nin {}", message_of(status), where));
}

// Nothing for a document that has only comments.
absl::StatusOr<std::optional<model::Resource>> parse_resource(const Environment& environment, const std::string& text) {
  auto document = parse_yaml(text);
  if (!document.ok()) {
    return annotate(document.status(), "YAML contains invalid resource");
  }
  if (document->is_null()) {
    return std::nullopt;
  }
  auto parsed = model::from_rest(environment.registry, *document);
  if (!parsed.ok()) {
    const std::string hint = model::decode_hint_of(parsed.status());
    const absl::Status status = annotate(parsed.status(), "YAML contains invalid resource");
    return hint.empty() ? status : absl::Status(status.code(), fmt::format("{}\n{}", message_of(status), hint));
  }
  model::Resource& resource = parsed->resource;
  Violations violations;
  model::validate_meta(*resource.type, resource.meta, {.existing = true, .zone_name = ""}, violations);
  KUMA_RETURN_IF_ERROR(violations.to_status());
  Violations strict;
  model::validate_meta(*resource.type, resource.meta, {}, strict);
  if (!strict.empty()) {
    environment.err << model::kOldNameWarning << "\n";
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

absl::StatusOr<std::vector<Parsed>> read_resources(const Environment& environment, const ApplyFlags& flags,
                                                   const std::map<std::string, std::string>& variables) {
  std::vector<Parsed> all;
  for (const std::string& file : flags.files) {
    KUMA_ASSIGN_OR_RETURN(const std::vector<Source> sources, read_sources(environment, file));
    for (const Source& source : sources) {
      if (source.text.empty() && sources.size() == 1) {
        return absl::InvalidArgumentError("no resource(s) passed to apply");
      }
      const std::vector<Document> documents = split_documents(source.text);
      for (size_t i = 0; i < documents.size(); ++i) {
        std::string where = documents.size() > 1                                ? fmt::format("{}, document {} (from line {})", source.name, i + 1, documents[i].line)
                            : sources.size() > 1 || flags.files.size() > 1 ? source.name
                                                                                : "";
        std::set<std::string> without_value;
        auto rendered = variables.empty() ? documents[i].text : render_mustache(documents[i].text, variables, &without_value);
        if (!without_value.empty()) {
          environment.err << fmt::format("[WARNING] the file has variables without a value, give them with --var: {}\n", fmt::join(without_value, ", "));
        }
        if (!rendered.ok()) {
          return located(rendered.status(), where);
        }
        auto resource = parse_resource(environment, *rendered);
        if (!resource.ok()) {
          return located(resource.status(), where);
        }
        if (*resource) {
          all.push_back({**std::move(resource), std::move(where)});
        }
      }
    }
  }
  return all;
}

absl::Status apply(const Invocation& invocation, const ApplyFlags& flags) {
  const Environment& environment = invocation.environment;
  KUMA_ASSIGN_OR_RETURN(const auto pairs, parse_pairs("var", flags.variables));
  const std::map<std::string, std::string> variables(pairs.begin(), pairs.end());

  KUMA_ASSIGN_OR_RETURN(const std::vector<Parsed> parsed, read_resources(environment, flags, variables));
  KUMA_ASSIGN_OR_RETURN(const ApiClient client, invocation.client());
  if (flags.dry_run) {
    for (size_t i = 0; i < parsed.size(); ++i) {
      environment.out << (i == 0 ? "" : "---\n") << dry_run_text(parsed[i].resource);
    }
    return absl::OkStatus();
  }
  if (flags.plan) {
    std::vector<model::Resource> resources;
    for (const Parsed& one : parsed) {
      resources.push_back(one.resource);
    }
    KUMA_ASSIGN_OR_RETURN(const std::vector<json::value> answers, plan(client, resources));
    for (const json::value& answer : answers) {
      environment.out << plan_text(answer);
    }
    return absl::OkStatus();
  }
  for (const Parsed& one : parsed) {
    KUMA_RETURN_IF_ERROR(located(upsert(client, one.resource), one.where));
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
