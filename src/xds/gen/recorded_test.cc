// Compares with what the reference was recorded to send, where the recordings lie beside the checkout; a clone that stands
// alone has the golden cases (golden_test.cc) for the same ground. Here only resources go in and configurations come out:
// the cases run as a whole, over the network, in tests/.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

namespace fs = std::filesystem;
using testing::text_of;

constexpr char kCases[] = "../shared/conformance/cases";

std::string read_file(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// What differs from run to run becomes a word; lists without a meant order are sorted.
json::value normal(const json::value& value, std::string_view key = "") {
  if (const auto* object = value.if_object()) {
    if (object->contains("inlineBytes") || object->contains("certificates") || object->contains("privateKey")) {
      if (object->size() == 1) {
        return "PEM";
      }
    }
    std::map<std::string, json::value> sorted;
    for (const auto& member : *object) {
      sorted.emplace(std::string(member.key()), normal(member.value(), member.key()));
    }
    return json::object(sorted.begin(), sorted.end());
  }
  if (const auto* array = value.if_array()) {
    json::array items;
    for (const json::value& item : *array) {
      items.push_back(normal(item, key));
    }
    auto sort_key = [&](const json::value& item) {
      const json::value* priority = find(item, "priority");
      const json::value* locality = find(item, "locality");
      return key == "lbEndpoints"
                 ? to_json(item)
                 : fmt::format("{} {}", priority == nullptr ? "0" : to_json(*priority), locality == nullptr ? "" : to_json(*locality));
    };
    if (key == "lbEndpoints" || key == "endpoints") {
      std::stable_sort(items.begin(), items.end(),
                       [&](const json::value& a, const json::value& b) { return sort_key(a) < sort_key(b); });
    }
    return items;
  }
  return value;
}

// The cases are written with YAML's merge keys: `<<` brings in the members of another object.
json::value merged(const json::value& value) {
  if (const auto* object = value.if_object()) {
    json::object result;
    if (const json::value* base = object->if_contains("<<")) {
      result = merged(*base).get_object();
    }
    for (const auto& member : *object) {
      if (member.key() != "<<") {
        result[member.key()] = merged(member.value());
      }
    }
    return result;
  }
  if (const auto* array = value.if_array()) {
    json::array result;
    for (const json::value& item : *array) {
      result.push_back(merged(item));
    }
    return result;
  }
  return value;
}

// Plural of the type in the URL → type.
const model::ResourceType* type_of_path(const model::Registry& registry, const std::string& path, std::string& mesh,
                                        std::string& name) {
  std::vector<std::string> parts;
  std::stringstream in(path);
  for (std::string part; std::getline(in, part, '/');) {
    if (!part.empty()) {
      parts.push_back(part);
    }
  }
  mesh = parts.size() == 4 ? parts[1] : "";
  name = parts.back();
  return registry.find_by_path(parts[parts.size() - 2]);
}

class Recorded {
 public:
  Recorded(const json::value& spec, const json::value& wanted) : spec_(spec), wanted_(wanted), rig_(options(spec)) {}

  // Lines that say what differs.
  std::vector<std::string> run() {
    rig_.put("{type: Mesh, name: default}");
    const json::value* steps = find(spec_, "steps");
    json::array whole = {spec_};
    const json::array& blocks = steps == nullptr ? whole : steps->get_array();
    for (size_t i = 0; i < blocks.size(); ++i) {
      step(blocks[i], fmt::format("step {}", i + 1));
    }
    return std::move(differences_);
  }

 private:
  static mesh::ViewOptions options(const json::value& spec) {
    const json::value* env = find(spec, "env");
    return {.zone = env == nullptr ? "" : text_of(*env, "KUMA_MULTIZONE_ZONE_NAME"), .read_file = nullptr};
  }

  int64_t status_of(const json::value& step, const std::string& key) {
    const json::value* entry = find(step, key);
    const json::value* status = entry == nullptr ? nullptr : find(*entry, "status");
    return status == nullptr ? 0 : status->to_number<int64_t>();
  }

  void step(const json::value& block, const std::string& name) {
    const json::value& wanted = *find(wanted_, name);
    if (const json::value* resources = find(block, "resources")) {
      for (const json::value& resource : resources->get_array()) {
        if (find(resource, "raw") == nullptr) {  // a body that is no resource
          put(resource, wanted);
        }
      }
    }
    if (const json::value* deleted = find(block, "delete")) {
      for (const json::value& path : deleted->get_array()) {
        remove(std::string(path.get_string()), wanted);
      }
    }
    if (const json::value* proxies = find(block, "proxies")) {
      for (const json::value& proxy : proxies->get_array()) {
        connect(proxy);
      }
    }
    rig_.issue_certificates(inputs_);
    for (const ProxyInput& proxy : inputs_) {
      compare(proxy, block, wanted, name);
    }
  }

  void put(const json::value& resource, const json::value& wanted) {
    std::string type = text_of(resource, "type");
    const auto* known = rig_.store.registry().find(type);
    if (known == nullptr) {
      differences_.push_back("unknown type " + type);
      return;
    }
    std::string path = known->scope == model::Scope::Global
                           ? fmt::format("PUT /{}/{}", known->path, text_of(resource, "name"))
                           : fmt::format("PUT /meshes/{}/{}/{}", text_of(resource, "mesh"), known->path, text_of(resource, "name"));
    if (status_of(wanted, path) < 400) {
      rig_.put_one(resource);
    }
  }

  void remove(const std::string& path, const json::value& wanted) {
    std::string mesh, name;
    const auto* type = type_of_path(rig_.store.registry(), path, mesh, name);
    if (status_of(wanted, "DELETE " + path) < 400) {
      rig_.remove(type->name, mesh, name);
    }
  }

  void connect(const json::value& proxy) {
    std::string mesh = text_of(proxy, "mesh");
    if (std::string type = text_of(proxy, "type"); type == "ingress" || type == "egress") {
      inputs_.push_back(testing::Rig::zone_input(type == "ingress" ? ProxyType::ZoneIngress : ProxyType::ZoneEgress, text_of(proxy, "name")));
      return;
    }
    ProxyInput input = testing::Rig::input(text_of(proxy, "name"), mesh.empty() ? "default" : mesh);
    auto resource = rig_.store.find("Dataplane", input.key.mesh, input.key.name);
    if (resource == nullptr) {
      differences_.push_back("no dataplane " + input.key.name);
      return;
    }
    const auto& admin = resource->as<kuma::mesh::v1alpha1::Dataplane>().networking().admin();
    input.metadata.admin_port = admin.port() == 0 ? 9901 : admin.port();
    if (const json::value* bootstrap = find(proxy, "bootstrap")) {
      if (const json::value* port = find(*bootstrap, "readinessPort")) {
        input.metadata.readiness_port = port->to_number<uint32_t>();
      }
      if (const json::value* metrics = find(*bootstrap, "metricsResources")) {
        input.metadata.metrics_socket_path = text_of(*metrics, "socketPath");
        input.metadata.metrics_cert_path = text_of(*metrics, "certPath");
        input.metadata.metrics_key_path = text_of(*metrics, "keyPath");
      }
    }
    inputs_.push_back(std::move(input));
  }

  bool is_compared(const json::value& block, std::string_view kind) {
    const json::value* only = find(block, "only");
    only = only == nullptr ? find(spec_, "only") : only;
    return only == nullptr || std::ranges::any_of(only->get_array(), [&](const json::value& one) {
             return std::string_view(one.get_string()) == kind;
           });
  }

  void compare(const ProxyInput& proxy, const json::value& block, const json::value& wanted, const std::string& step) {
    if (proxy.metadata.proxy_type == ProxyType::ZoneIngress) {
      rig_.offer_services(proxy.key.name);
    }
    auto generation = rig_.generate(proxy);
    if (generation.ok()) {
      configs_[proxy.key.name] = testing::to_json_object(*generation);
    } else if (!absl::IsNotFound(generation.status())) {
      differences_.push_back(fmt::format("{} {}: {}", step, proxy.key.name, message_of(generation.status())));
    }
    const json::object& got = configs_[proxy.key.name];
    const json::value* expected = find(wanted, "xds " + proxy.key.name);
    if (expected == nullptr) {
      return;
    }
    for (std::string_view kind : {"clusters", "endpoints", "listeners", "routes"}) {
      if (is_compared(block, kind)) {
        compare_kind(fmt::format("{} {} {}", step, proxy.key.name, kind), *find(*expected, kind), got.at(kind));
      }
    }
    if (is_compared(block, "secrets")) {
      json::array names;
      for (const auto& secret : find(*expected, "secrets")->get_object()) {
        names.push_back(json::value(secret.key()));
      }
      if (normal(names) != normal(got.at("secrets"))) {
        differences_.push_back(fmt::format("{} {} secrets: {}, not {}", step, proxy.key.name, to_json(got.at("secrets")), to_json(names)));
      }
    }
  }

  void compare_kind(const std::string& where, const json::value& expected, const json::value& got) {
    for (const auto& resource : expected.get_object()) {
      const json::value* found = got.get_object().if_contains(resource.key());
      if (found == nullptr) {
        differences_.push_back(fmt::format("{} {}: missing", where, std::string_view(resource.key())));
      } else if (json::value a = normal(resource.value()), b = normal(*found); a != b) {
        differences_.push_back(
            fmt::format("{} {}:\n  want {}\n  got  {}", where, std::string_view(resource.key()), to_json(a), to_json(b)));
      }
    }
    for (const auto& resource : got.get_object()) {
      if (!expected.get_object().contains(resource.key())) {
        differences_.push_back(fmt::format("{} {}: too many", where, std::string_view(resource.key())));
      }
    }
  }

  const json::value& spec_;
  const json::value& wanted_;
  testing::Rig rig_;
  std::vector<ProxyInput> inputs_;
  std::map<std::string, json::object> configs_;
  std::vector<std::string> differences_;
};

// What this engine is asked for so far. KUMA_RECORDED=folder tries another.
std::vector<std::string> folders() {
  if (const char* wanted = std::getenv("KUMA_RECORDED")) {
    return {wanted};
  }
  return {"basics", "xds/inbounds-outbounds", "xds/protocols", "xds/mtls", "xds/changes", "policies/meshtrafficpermission"};
}

// Cases that need what comes with later issues.
bool waits(const std::string& name) {
  static const std::set<std::string> kWaiting = {
      "auto-reachable", "auto-reachable-grows", "auto-reachable-subsets", "auto-reachable-with-reachable-services",
      "egress-external-service"};
  return kWaiting.contains(name);
}

TEST(Recorded, Configurations_are_those_of_the_reference) {
  if (!fs::exists(kCases)) {
    GTEST_SKIP() << "left out: no recordings at " << kCases;
  }
  int compared = 0;
  for (const std::string& folder : folders()) {
    std::set<fs::path> cases;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(kCases) / folder)) {
      if (entry.path().extension() == ".yaml") {
        cases.insert(entry.path());
      }
    }
    for (const fs::path& path : cases) {
      auto spec = parse_yaml(read_file(path));
      auto wanted = parse_json(read_file(path.parent_path() / (path.stem().string() + ".expected.json")));
      ASSERT_TRUE(spec.ok() && wanted.ok()) << path << spec.status() << wanted.status();
      if (find(*spec, "controlPlanes") != nullptr || waits(path.stem().string())) {
        continue;
      }
      ++compared;
      try {
        json::value whole = merged(*spec);
        std::vector<std::string> differences = Recorded(whole, *wanted).run();
        EXPECT_TRUE(differences.empty()) << path << "\n" << fmt::format("{}", fmt::join(differences, "\n"));
      } catch (const std::exception& e) {
        ADD_FAILURE() << path << ": " << e.what();
      }
    }
  }
  RecordProperty("cases", compared);
}

}  // namespace
}  // namespace kuma::xds
