#include <algorithm>
#include <array>

#include "base/status.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "xds/gen/generator.h"
#include "xds/gen/outbounds.h"
#include "xds/gen/proxy_context.h"
#include "xds/gen/shared_pieces.h"
#include "xds/gen/take_piece.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::Dataplane;
using policy::ProxyResources;

bool is_builtin_gateway(const Dataplane& dataplane) {
  const auto& networking = dataplane.networking();
  return networking.has_gateway() && networking.gateway().type() == Dataplane::Networking::Gateway::BUILTIN;
}

absl::Status run_generators(ProxyContext& context) {
  resolve_outbounds(context);
  KUMA_RETURN_IF_ERROR(generate_admin(context));
  KUMA_RETURN_IF_ERROR(generate_prometheus(context));
  KUMA_RETURN_IF_ERROR(generate_transparent(context));
  if (is_builtin_gateway(context.spec)) {
    return generate_dns(context);  // what else it gets comes from its MeshGateway
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
      generation_.problems.insert(generation_.problems.end(), piece.problems.begin(), piece.problems.end());
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

absl::StatusOr<Generation> finish(ProxyResources& resources, std::vector<Problem> problems, const GeneratorContext& context) {
  Generation generation;
  generation.problems = std::move(problems);
  generation.problems.insert(generation.problems.end(), resources.problems.begin(), resources.problems.end());
  Finisher finisher(context, generation);
  finisher.finish(XdsType::Cluster, resources.clusters);
  finisher.finish(XdsType::Endpoint, resources.endpoints);
  finisher.finish(XdsType::Listener, resources.listeners);
  finisher.finish(XdsType::Route, resources.routes);
  generation.secrets.assign(resources.secrets.begin(), resources.secrets.end());
  generation.services = context.pieces == nullptr
                            ? std::make_shared<const std::set<std::string>>(std::move(resources.services))
                            : context.pieces->share(std::move(resources.services));
  generation.data_secrets = std::move(resources.data_secrets);
  generation.other_meshes = std::move(resources.other_meshes);
  return generation;
}

}  // namespace

absl::StatusOr<Generation> generate(const mesh::MeshView& view, const ProxyInput& proxy, const GeneratorContext& context) {
  if (proxy.metadata.proxy_type != ProxyType::Dataplane) {
    return absl::UnimplementedError("zone proxies are not configured by this version");
  }
  const mesh::DataplaneView* dataplane = view.find_dataplane(proxy.key);
  if (dataplane == nullptr) {
    return absl::NotFoundError(
        fmt::format("the mesh \"{}\" has no dataplane \"{}\" with a usable address", proxy.key.mesh, proxy.key.name));
  }
  ProxyResources resources;
  ProxyContext proxy_context{.view = view,
                             .dataplane = *dataplane,
                             .spec = dataplane->resource->as<Dataplane>(),
                             .proxy = proxy,
                             .resources = resources,
                             .pieces = context.pieces};
  if (absl::Status status = run_generators(proxy_context); !status.ok()) {
    return annotate(status, R"(imports[0]{{name="default-proxy"}})");
  }
  generate_logs_and_traces(proxy_context);
  if (!resources.secrets.empty() && view.trust != nullptr && !view.trust->problem.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("failed to generate dataplane identity cert and CAs: {}", view.trust->problem));
  }
  policy::ProxyPolicies policies(view, *dataplane, context.pieces == nullptr ? nullptr : &context.pieces->rules());
  for (const policy::Policy& one : policy::policies()) {
    if (one.apply != nullptr) {
      one.apply(policies, resources);
    }
  }
  auto generation = finish(resources, policies.problems(), context);
  if (generation.ok()) {
    generation->vips = vip_fingerprint(view, *dataplane, context.pieces);
  }
  return generation;
}

absl::StatusOr<Generation> generate(const mesh::ZoneView&, const ProxyInput&, const GeneratorContext&) {
  return absl::UnimplementedError("zone proxies are not configured by this version");
}

}  // namespace kuma::xds
