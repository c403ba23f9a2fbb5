#include "base/status.h"
#include "fmt/format.h"
#include "mesh/v1alpha1/fault_injection.pb.h"
#include "policy/envoy/client_tags.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/faults.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using mesh::v1alpha1::FaultInjection;

absl::StatusOr<envoy::HttpFault> fault_of(const FaultInjection& policy) {
  envoy::HttpFault fault;
  const auto& conf = policy.conf();
  if (conf.has_delay()) {
    envoy::set_delay(envoy::to_nanoseconds(conf.delay().value()), conf.delay().percentage().value(), fault);
  }
  if (conf.has_abort()) {
    envoy::set_abort(conf.abort().httpstatus().value(), conf.abort().percentage().value(), fault);
  }
  if (conf.has_response_bandwidth()) {
    const auto& bandwidth = conf.response_bandwidth();
    const auto kbps = envoy::parse_bandwidth(bandwidth.limit().value());
    if (!kbps) {
      return absl::InvalidArgumentError(
          fmt::format("conf.responseBandwidth.limit: '{}' has to be a number in kbps/mbps/gbps units", bandwidth.limit().value()));
    }
    envoy::set_bandwidth(*kbps, bandwidth.percentage().value(), fault);
  }
  envoy::match_any_client_tags(source_tags(policy.sources()), *fault.add_headers());
  return fault;
}

}  // namespace

std::vector<mesh::Tags> source_tags(const google::protobuf::RepeatedPtrField<mesh::v1alpha1::Selector>& sources) {
  std::vector<mesh::Tags> all;
  for (const auto& source : sources) {
    all.push_back(mesh::to_tags(source.match()));
  }
  return all;
}

absl::Status inject_faults(const model::Resource& fault_injection, envoy::Hcm& hcm) {
  KUMA_ASSIGN_OR_RETURN(const envoy::HttpFault fault, fault_of(fault_injection.as<FaultInjection>()));
  return envoy::insert_before_router(hcm, envoy::kFault, fault);
}

absl::Status inject_faults(const model::Resource& fault_injection, ::envoy::config::listener::v3::Listener& listener) {
  return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) { return inject_faults(fault_injection, hcm); });
}

}  // namespace kuma::policy
