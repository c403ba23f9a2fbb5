#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "model/json_schema.h"
#include "model/rest.h"
#include "store/memory_store.h"

namespace kuma::api::testing {

// A worker that does its work at once, on the caller's thread; none when it is told to be full.
struct InlineWorker {
  bool run(const std::function<void()>& work) {
    if (full) {
      return false;
    }
    ++done;
    work();
    return true;
  }
  bool full = false;
  int done = 0;
};

struct Answer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  // Of that name as we write it; nothing when it is absent.
  std::optional<std::string> header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) {
        return value;
      }
    }
    return std::nullopt;
  }
};

struct Call {
  std::string method = "GET";
  std::string target{};
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};  // names in lower case; besides the usual ones
  std::string from = "127.0.0.1";
  bool tls = false;
  bool client_certificate = false;
};

// A targetRef policy that takes any spec.
inline model::ResourceType policy_type(std::string_view name, std::string_view path) {
  static const model::JsonSchema kAnything = model::any();
  model::ResourceType type;
  type.name = name;
  type.path = path;
  type.is_policy = type.is_target_ref = true;
  type.kds = model::KdsDirection::GlobalToZone;
  type.schema = &kAnything;
  return type;
}

// The core types and two policies: what policies there really are is none of the API's business.
inline model::Registry all_types() {
  std::vector<model::ResourceType> types = model::core_types();
  types.push_back(policy_type("MeshRetry", "meshretries"));
  types.push_back(policy_type("MeshTimeout", "meshtimeouts"));
  return model::Registry(std::move(types));
}

// The API over a memory store, a clock that stands still and no sockets. Change `config` and `deps_hook` before the
// first call.
class ApiHarness {
 public:
  explicit ApiHarness(model::Registry types = all_types())
      : registry(std::move(types)), store(store::make_memory_store(registry, clock)) {}

  Answer call(Call request) {
    net::HttpRequest http;
    http.method = std::move(request.method);
    http.target = std::move(request.target);
    http.body = std::move(request.body);
    http.peer.address = std::move(request.from);
    http.peer.tls = request.tls;
    http.peer.verified_client_certificate = request.client_certificate;
    add_headers(http, request.headers);
    auto answer = std::make_shared<std::optional<Answer>>();
    handler()(std::move(http), net::HttpResponder(std::make_unique<Catch>(answer)));
    return answer->value_or(Answer{.status = -1, .body = {}, .headers = {}});
  }
  Answer get(std::string target) { return call({.target = std::move(target)}); }
  // The body of a page that is there, on one line and without the times of stored().
  std::string compact(std::string target) {
    const Answer answer = get(std::move(target));
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::string out = to_json(parse_json(answer.body).value());
    static constexpr std::string_view kTimes =
        R"(,"creationTime":"2023-11-14T22:13:20Z","modificationTime":"2023-11-14T22:13:20Z")";
    for (size_t at = out.find(kTimes); at != std::string::npos; at = out.find(kTimes)) {
      out.erase(at, kTimes.size());
    }
    return out;
  }
  Answer put(std::string target, std::string body) {
    return call({.method = "PUT", .target = std::move(target), .body = std::move(body)});
  }
  Answer remove(std::string target) { return call({.method = "DELETE", .target = std::move(target)}); }

  // Stores a resource in its REST form, without any checks.
  model::ResourcePtr stored(std::string_view document) {
    const json::value value = parse_json(document).value();
    const auto text = [&](std::string_view member) {
      const json::value* found = find(value, member);
      return found == nullptr ? std::string() : std::string(found->get_string());
    };
    const model::ResourceType& type = *registry.find(text("type"));
    const json::value& spec = type.is_target_ref ? *find(value, "spec") : value;
    return store->create(model::from_spec_json(type, {text("mesh"), text("name")}, spec).value()).value();
  }

  ManualClock clock;
  config::Config config;
  InlineWorker worker;
  model::Registry registry;
  std::unique_ptr<store::Store> store;
  std::function<void(ApiDeps&)> deps_hook;

 private:
  class Catch final : public net::HttpResponder::Impl {
   public:
    explicit Catch(std::shared_ptr<std::optional<Answer>> answer) : answer_(std::move(answer)) {}
    void send(net::HttpResponse response) override {
      *answer_ = Answer{response.status, std::move(response.body), response.headers.fields()};
    }

   private:
    std::shared_ptr<std::optional<Answer>> answer_;
  };

  // A header with an empty name's value takes nothing in; `-name` takes a usual one out.
  static void add_headers(net::HttpRequest& http, const std::vector<std::pair<std::string, std::string>>& headers) {
    std::vector<std::pair<std::string, std::string>> all = {{"host", "localhost:5681"},
                                                            {"content-type", "application/json"}};
    for (const auto& [name, value] : headers) {
      const std::string key = name.starts_with('-') ? name.substr(1) : name;
      std::erase_if(all, [&](const auto& header) { return header.first == key; });
      if (key == name) {
        all.emplace_back(name, value);
      }
    }
    for (auto& [name, value] : all) {
      http.headers.add(name, value);
    }
  }

  // A stand-in for the manager: only the check that the mesh exists.
  absl::Status check_mesh(const model::Resource& resource) const {
    const model::ResourceType& mesh = *registry.find("Mesh");
    if (resource.type->scope == model::Scope::Mesh && !store->get(mesh, {"", resource.meta.mesh}).ok()) {
      Violations violations;
      violations.add("mesh", fmt::format("mesh of name {} is not found", resource.meta.mesh));
      return violations.to_status();
    }
    return absl::OkStatus();
  }

  net::HttpHandler& handler() {
    if (!handler_) {
      ApiDeps deps{.config = config,
                   .registry = registry,
                   .store = *store,
                   .clock = clock,
                   .run_on_worker = [this](std::function<void()> work) { return worker.run(std::move(work)); },
                   .writer = {}};
      deps.writer.create = [this](model::Resource resource) {
        KUMA_RETURN_IF_ERROR(check_mesh(resource));
        return store->create(std::move(resource)).status();
      };
      deps.writer.update = [this](model::Resource resource) { return store->update(std::move(resource)).status(); };
      deps.writer.remove = [this](const model::ResourceType& type, const model::ResourceKey& key) {
        return store->remove(type, key);
      };
      deps.hostname = "host";
      deps.instance_id = "host-1a2b";
      deps.cluster_id = [] { return std::string("c1"); };
      if (deps_hook) {
        deps_hook(deps);
      }
      handler_ = make_api(std::move(deps));
    }
    return handler_;
  }

  net::HttpHandler handler_;
};

// The body of an error, for comparing.
inline std::string error_body(int status, std::string_view title, std::string_view detail,
                              std::vector<std::pair<std::string, std::string>> parameters = {}) {
  std::string reasons, messages;
  for (const auto& [field, text] : parameters) {
    const auto item = [&](std::string_view member) {
      return fmt::format("  {{\n   \"field\": {},\n   \"{}\": {}\n  }}", to_json(json::value(field)), member,
                         to_json(json::value(text)));
    };
    reasons += (reasons.empty() ? "" : ",\n") + item("reason");
    messages += (messages.empty() ? "" : ",\n") + item("message");
  }
  std::string out =
      fmt::format("{{\n \"type\": \"/std-errors\",\n \"status\": {},\n \"title\": {},\n \"detail\": {},\n", status,
                  to_json(json::value(title)), to_json(json::value(detail)));
  if (!parameters.empty()) {
    out += fmt::format(" \"invalid_parameters\": [\n{}\n ],\n", reasons);
  }
  out += fmt::format(" \"details\": {}", to_json(json::value(detail)));
  if (!parameters.empty()) {
    out += fmt::format(",\n \"causes\": [\n{}\n ]", messages);
  }
  return out + "\n}\n";
}

}  // namespace kuma::api::testing
