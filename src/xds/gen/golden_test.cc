// Golden cases: tests/golden/xds/<case>/input.yaml says which resources there are and which proxies ask, expected.yaml what
// each is sent. KUMA_GOLDEN_UPDATE=1 rewrites the expectations; the difference is then for git to show.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "security/certificate.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

namespace fs = std::filesystem;
using testing::text_of;

constexpr char kCases[] = "tests/golden/xds";
constexpr char kEnvoy[] = "build/envoy/bin/envoy";

std::string read_file(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> all_cases() {
  std::set<fs::path> found;
  for (const auto& entry : fs::directory_iterator(kCases)) {
    found.insert(entry.path());
  }
  return {found.begin(), found.end()};
}

// `web-1`, {name: in-1, type: ingress}, or {name: web-1, mesh: other, readinessPort: …, dnsPort: …, dnsEmptyPort: …, metricsCertPath: …}.
ProxyInput input_of(const json::value& proxy) {
  if (proxy.is_string()) {
    return testing::Rig::input(std::string(proxy.get_string()));
  }
  if (std::string type = text_of(proxy, "type"); !type.empty()) {
    return testing::Rig::zone_input(type == "ingress" ? ProxyType::ZoneIngress : ProxyType::ZoneEgress, text_of(proxy, "name"));
  }
  std::string mesh = text_of(proxy, "mesh");
  ProxyInput input = testing::Rig::input(text_of(proxy, "name"), mesh.empty() ? "default" : mesh);
  for (const auto& [member, setting] : {std::pair("readinessPort", &input.metadata.readiness_port),
                                        std::pair("dnsPort", &input.metadata.dns_port),
                                        std::pair("dnsEmptyPort", &input.metadata.dns_empty_port)}) {
    if (const json::value* port = find(proxy, member)) {
      *setting = port->to_number<uint32_t>();
    }
  }
  if (const json::value* features = find(proxy, "features")) {
    input.metadata.features.clear();
    for (const json::value& feature : features->get_array()) {
      input.metadata.features.emplace_back(feature.get_string());
    }
  }
  input.metadata.metrics_cert_path = text_of(proxy, "metricsCertPath");
  input.metadata.metrics_key_path = text_of(proxy, "metricsKeyPath");
  return input;
}

std::vector<ProxyInput> inputs_of(const json::value& spec, std::string_view member) {
  std::vector<ProxyInput> inputs;
  if (const json::value* list = find(spec, member)) {
    for (const json::value& proxy : list->get_array()) {
      inputs.push_back(input_of(proxy));
    }
  }
  return inputs;
}

// Certificates that Envoy reads when it gets them.
struct RealCertificates {
  AdminTls admin_tls;
  fs::path certificate_path;
  fs::path key_path;
};

// The configurations of a case's proxies as the control plane of one zone makes them.
void run_in_zone(const json::value& spec, const std::string& zone, const RealCertificates* real, bool shared,
                 json::object& configs) {
  testing::Rig rig(
      mesh::ViewOptions{.zone = zone, .read_file = nullptr, .auto_reachable = find(spec, "autoReachable") != nullptr});
  for (const json::value& resource : find(spec, "resources")->get_array()) {
    rig.put_one(resource);
  }
  rig.issue_certificates(inputs_of(spec, "certificates"));
  const bool of_several_zones = find(spec, "zones") != nullptr;
  for (ProxyInput& proxy : inputs_of(spec, "proxies")) {
    if (real != nullptr) {
      proxy.admin_tls = real->admin_tls;
      if (!proxy.metadata.metrics_cert_path.empty()) {
        proxy.metadata.metrics_cert_path = real->certificate_path;
        proxy.metadata.metrics_key_path = real->key_path;
      }
    }
    if (proxy.metadata.proxy_type == ProxyType::ZoneIngress) {
      rig.offer_services(proxy.key.name);
    }
    auto generation = rig.generate(proxy, shared);
    configs[of_several_zones ? proxy.key.name + " in " + zone : proxy.key.name] =
        generation.ok() ? testing::to_json_object(*generation)
                        : json::object{{"error", std::string(message_of(generation.status()))}};
  }
}

// The configuration of each proxy of a case, by name. `zones` instead of `zone` runs the case in each of them.
json::object run_case(const fs::path& folder, const RealCertificates* real = nullptr, bool shared = true) {
  auto spec = parse_yaml(read_file(folder / "input.yaml"));
  if (!spec.ok()) {
    throw std::invalid_argument(std::string(message_of(spec.status())));
  }
  json::object configs;
  if (const json::value* zones = find(*spec, "zones")) {
    for (const json::value& zone : zones->get_array()) {
      run_in_zone(*spec, std::string(zone.get_string()), real, shared, configs);
    }
  } else {
    run_in_zone(*spec, text_of(*spec, "zone"), real, shared, configs);
  }
  return configs;
}

TEST(Golden, Configurations_are_as_written_down) {
  bool update = std::getenv("KUMA_GOLDEN_UPDATE") != nullptr;
  for (const fs::path& folder : all_cases()) {
    std::string got = to_yaml(run_case(folder));
    fs::path expected = folder / "expected.yaml";
    if (update) {
      std::ofstream(expected) << got;
    } else {
      EXPECT_EQ(read_file(expected), got) << folder << ": KUMA_GOLDEN_UPDATE=1 rewrites it, if that is what you meant";
    }
  }
}

TEST(Golden, What_is_written_down_reads_back_as_it_was_written) {
  for (const fs::path& folder : all_cases()) {
    auto expected = parse_yaml(read_file(folder / "expected.yaml"));
    ASSERT_TRUE(expected.ok()) << folder << expected.status();
    EXPECT_EQ(*expected, json::value(run_case(folder))) << folder;
  }
}

TEST(Golden, Sharing_pieces_among_proxies_changes_nothing) {
  for (const fs::path& folder : all_cases()) {
    EXPECT_EQ(run_case(folder, nullptr, true), run_case(folder, nullptr, false)) << folder;
  }
}

// With real Envoy.

RealCertificates make_certificates(const fs::path& work) {
  auto key = security::PrivateKey::generate_ec();
  security::CertificateSpec spec;
  spec.common_name = "test";
  spec.is_ca = true;
  spec.not_before = WallTime(std::chrono::seconds(1'600'000'000));
  spec.not_after = WallTime(std::chrono::seconds(4'000'000'000));
  std::string certificate = *security::build_certificate(spec, *key);
  std::ofstream(work / "cert.pem") << certificate;
  std::ofstream(work / "key.pem") << key->to_pem();
  return {{certificate, certificate, key->to_pem()}, work / "cert.pem", work / "key.pem"};
}

json::array values_of(const json::value& object) {
  json::array values;
  for (const auto& member : object.get_object()) {
    values.push_back(member.value());
  }
  return values;
}

// PyPI's Envoy has no contrib extensions.
bool has_kafka(const json::value& listener) { return to_json(listener).find("kafka_broker") != std::string::npos; }

// Clusters that don't wait for endpoints come up before ADS does, so Envoy ends when one that is static has secrets from there
// (one from CDS may). Here they have them from the same server by a stream of their own.
void replace_ads(json::value& cluster) {
  const json::value* type = find(cluster, "type");
  std::string text = to_json(cluster);
  constexpr std::string_view kAds = R"("ads":{})";
  constexpr std::string_view kStream = R"("apiConfigSource":{"apiType":"GRPC","transportApiVersion":"V3","grpcServices":[{"envoyGrpc":{"clusterName":"ads_cluster"}}]})";
  for (size_t at = text.find(kAds); at != std::string::npos; at = text.find(kAds, at + kStream.size())) {
    text.replace(at, kAds.size(), kStream);
  }
  if (type != nullptr && type->is_string() && std::string_view(type->get_string()) != "EDS") {
    cluster = *parse_json(text);
  }
}

json::value bootstrap_of(const json::value& config) {
  json::array listeners;
  for (json::value& listener : values_of(*find(config, "listeners"))) {
    if (!has_kafka(listener)) {
      listeners.push_back(std::move(listener));
    }
  }
  json::array clusters = values_of(*find(config, "clusters"));
  for (json::value& cluster : clusters) {
    replace_ads(cluster);
  }
  clusters.push_back(*parse_json(
      R"({"name": "ads_cluster", "type": "STATIC", "connectTimeout": "1s", "loadAssignment": {"clusterName": "ads_cluster"}})"));
  json::value bootstrap = *parse_json(
      R"({"node": {"id": "default.test", "cluster": "test"}, "dynamicResources": {"adsConfig": {"apiType": "GRPC",
          "transportApiVersion": "V3", "grpcServices": [{"envoyGrpc": {"clusterName": "ads_cluster"}}]}}})");
  bootstrap.get_object()["staticResources"] = json::object{{"clusters", std::move(clusters)}, {"listeners", std::move(listeners)}};
  return bootstrap;
}

TEST(Golden, Envoy_accepts_every_configuration) {
  if (!fs::exists(kEnvoy)) {
    GTEST_SKIP() << "left out: no Envoy at " << kEnvoy;
  }
  fs::path work = fs::path(::testing::TempDir()) / fmt::format("golden-{}", random_uuid());
  fs::create_directories(work);
  RealCertificates certificates = make_certificates(work);
  for (const fs::path& folder : all_cases()) {
    for (const auto& proxy : run_case(folder, &certificates)) {
      if (find(proxy.value(), "error") != nullptr) {
        continue;
      }
      fs::path bootstrap = work / "bootstrap.json", log = work / "log.txt";
      std::ofstream(bootstrap) << to_json(bootstrap_of(proxy.value()));
      std::string command = fmt::format("{} --mode validate -l error --base-id-path {} -c {} > {} 2>&1", kEnvoy,
                                        (work / "id").string(), bootstrap.string(), log.string());
      EXPECT_EQ(std::system(command.c_str()), 0) << folder << " " << std::string_view(proxy.key()) << "\n" << read_file(log);
    }
  }
  fs::remove_all(work);
}

}  // namespace
}  // namespace kuma::xds
