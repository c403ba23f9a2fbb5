#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "model/gateways.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "policy/proxy_template.h"
#include "xds/gen/generator.h"
#include "xds/gen/outbounds.h"
#include "xds/gen/proxy_context.h"
#include "xds/gen/shared_pieces.h"
#include "xds/gen/take_piece.h"
#include "xds/gen/zone_proxy.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::Dataplane;
using policy::ProxyResources;

absl::Status run_generators(ProxyContext& context) {
  resolve_outbounds(context);
  KUMA_RETURN_IF_ERROR(generate_admin(context));
  KUMA_RETURN_IF_ERROR(generate_prometheus(context));
  KUMA_RETURN_IF_ERROR(generate_transparent(context));
  if (model::is_builtin_gateway(context.spec)) {
    KUMA_RETURN_IF_ERROR(generate_dns(context));
    return generate_gateway(context);
  }
  KUMA_RETURN_IF_ERROR(generate_inbounds(context));
  KUMA_RETURN_IF_ERROR(generate_outbounds(context));
  KUMA_RETURN_IF_ERROR(generate_direct_access(context));
  KUMA_RETURN_IF_ERROR(generate_probes(context));
  return generate_dns(context);
}

// Makes what is drafted, or takes what another proxy had made.
class Finisher {
 public:
  Finisher(const GeneratorContext& context, Generation& generation) : context_(context), generation_(generation) {}

  template <typename Message>
  void finish(XdsType type, const std::map<std::string, policy::Draft<Message>>& drafts) {
    auto& resources = generation_.resources[static_cast<size_t>(type)];
    resources.reserve(drafts.size());
    for (const auto& [name, draft] : drafts) {
      Piece piece = take_piece(context_, type, draft);
      for (Problem& problem : problems_of(piece, draft)) {
        generation_.problems.push_back(std::move(problem));
      }
      resources.push_back({std::move(piece.wire), refs_of(draft.shaped_by)});
      if (type == XdsType::Endpoint) {
        generation_.endpoint_recipes.push_back(std::move(piece.recipe));
      }
    }
  }

 private:
  // Most resources of a proxy come from the same few policies: each combination is looked up once.
  PolicyRefs refs_of(std::vector<const model::Resource*> policies) {
    std::ranges::sort(policies);
    policies.erase(std::unique(policies.begin(), policies.end()), policies.end());
    auto [entry, is_new] = refs_.try_emplace(policies);
    if (is_new && !policies.empty()) {
      std::vector<PolicyRef> refs;
      for (const model::Resource* policy : policies) {
        refs.push_back(policy::ref_of(*policy));
      }
      std::ranges::sort(refs);
      entry->second = PolicyRefs(context_.pieces == nullptr ? std::make_shared<const std::vector<PolicyRef>>(std::move(refs))
                                                            : context_.pieces->share(std::move(refs)));
    }
    return entry->second;
  }

  const GeneratorContext& context_;
  Generation& generation_;
  std::map<std::vector<const model::Resource*>, PolicyRefs> refs_;
};

// What is wrong with a policy shows in each resource that it is for; it is told once.
void drop_repeated(std::vector<Problem>& problems) {
  std::set<std::pair<PolicyRef, std::string>> seen;
  std::erase_if(problems, [&](const Problem& problem) { return !seen.emplace(problem.policy, problem.message).second; });
}

// What only gateways have.
struct GatewayDrafts {
  std::map<std::string, SecretDraft> certificates;
  std::map<std::string, RuntimeDraft> runtimes;
};

absl::StatusOr<Generation> finish(ProxyResources& resources, const GatewayDrafts& of_gateway, std::vector<Problem> problems,
                                  const GeneratorContext& context) {
  Generation generation;
  generation.problems = std::move(problems);
  generation.problems.insert(generation.problems.end(), resources.problems.begin(), resources.problems.end());
  Finisher finisher(context, generation);
  finisher.finish(XdsType::Cluster, resources.clusters);
  finisher.finish(XdsType::Endpoint, resources.endpoints);
  finisher.finish(XdsType::Listener, resources.listeners);
  finisher.finish(XdsType::Route, resources.routes);
  finisher.finish(XdsType::Secret, of_gateway.certificates);
  finisher.finish(XdsType::Runtime, of_gateway.runtimes);
  drop_repeated(generation.problems);
  generation.secrets.assign(resources.secrets.begin(), resources.secrets.end());
  generation.services = context.pieces == nullptr
                            ? std::make_shared<const std::set<std::string>>(std::move(resources.services))
                            : context.pieces->share(std::move(resources.services));
  generation.data_secrets = std::move(resources.data_secrets);
  generation.other_meshes = std::move(resources.other_meshes);
  return generation;
}

absl::StatusOr<ProxyResources> zone_proxy_resources(const mesh::ZoneView& zone, const model::Resource& resource,
                                                   const ProxyInput& proxy, std::map<std::string, MeshInputs>& inputs) {
  ProxyResources resources;
  ZoneProxyContext context{.zone = zone, .resource = resource, .proxy = proxy, .resources = resources, .inputs = inputs};
  const bool is_ingress = proxy.metadata.proxy_type == ProxyType::ZoneIngress;
  const std::string& address = is_ingress ? resource.as<mesh::v1alpha1::ZoneIngress>().networking().address()
                                          : resource.as<mesh::v1alpha1::ZoneEgress>().networking().address();
  if (!is_ip_address(address)) {
    return absl::FailedPreconditionError(
        address.empty() ? fmt::format("the {} \"{}\" has no networking.address to listen on", resource.type->name, resource.meta.name)
                        : fmt::format("networking.address of the {} \"{}\" has to be an IP address to listen on, {} is none",
                                      resource.type->name, resource.meta.name, address));
  }
  KUMA_RETURN_IF_ERROR(generate_admin(proxy, address, resources));
  KUMA_RETURN_IF_ERROR(is_ingress ? generate_ingress(context) : generate_egress(context));
  return resources;
}

}  // namespace

absl::StatusOr<Generation> generate(const mesh::MeshView& view, const ProxyInput& proxy, const GeneratorContext& context) {
  if (proxy.metadata.proxy_type != ProxyType::Dataplane) {
    return absl::InvalidArgumentError("a zone proxy belongs to no mesh");
  }
  const mesh::DataplaneView* dataplane = view.find_dataplane(proxy.key);
  if (dataplane == nullptr) {
    return absl::NotFoundError(
        fmt::format("the mesh \"{}\" has no dataplane \"{}\" with a usable address", proxy.key.mesh, proxy.key.name));
  }
  ProxyResources resources;
  resources.dataplane = dataplane;
  policy::ProxyPolicies policies(view, *dataplane, context.pieces == nullptr ? nullptr : &context.pieces->rules());
  ProxyContext proxy_context{.view = view,
                             .dataplane = *dataplane,
                             .spec = dataplane->resource->as<Dataplane>(),
                             .proxy = proxy,
                             .resources = resources,
                             .policies = policies,
                             .pieces = context.pieces};
  const model::ResourcePtr proxy_template = policy::select_proxy_template(view, *dataplane);
  if (policy::imports_default_proxy(proxy_template)) {
    if (absl::Status status = run_generators(proxy_context); !status.ok()) {
      return annotate(status, R"(imports[0]{{name="default-proxy"}})");
    }
    generate_logs_and_traces(proxy_context);
  }
  policy::add_raw_resources(proxy_template, resources);
  if (!resources.secrets.empty() && view.trust != nullptr && !view.trust->problem.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("failed to generate dataplane identity cert and CAs: {}", view.trust->problem));
  }
  for (const policy::Policy& one : policy::policies()) {
    if (one.apply != nullptr) {
      one.apply(policies, resources);
    }
  }
  policy::apply_template_modifications(proxy_template, resources);
  auto generation = finish(resources, {std::move(proxy_context.certificates), std::move(proxy_context.runtimes)}, policies.problems(), context);
  if (generation.ok()) {
    generation->vips = vip_fingerprint(view, *dataplane, context.pieces);
  }
  return generation;
}

absl::StatusOr<Generation> generate(const mesh::ZoneView& zone, const ProxyInput& proxy, const GeneratorContext& context) {
  const bool is_ingress = proxy.metadata.proxy_type == ProxyType::ZoneIngress;
  const model::ResourcePtr resource = is_ingress ? zone.find_ingress(proxy.key.name) : zone.find_egress(proxy.key.name);
  if (resource == nullptr) {
    return absl::NotFoundError(fmt::format("there is no {} \"{}\"", is_ingress ? "ZoneIngress" : "ZoneEgress", proxy.key.name));
  }
  std::map<std::string, MeshInputs> inputs;
  auto resources = zone_proxy_resources(zone, *resource, proxy, inputs);
  if (!resources.ok()) {
    return annotate(resources.status(), R"(imports[0]{{name="{}-proxy"}})", is_ingress ? "ingress" : "egress");
  }
  KUMA_ASSIGN_OR_RETURN(Generation generation, finish(*resources, {}, {}, context));
  generation.by_mesh = std::move(inputs);
  generation.zone_proxy = resource;
  return generation;
}

}  // namespace kuma::xds
