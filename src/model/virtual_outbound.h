#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "mesh/v1alpha1/virtual_outbound.pb.h"

namespace kuma::model {

// A VirtualOutbound's host and port are Go templates over tags: `{{.service}}.{{.version}}.mesh`.

// The tag that a parameter stands for: its tagKey, else its name.
const std::string& tag_key_of(const ::kuma::mesh::v1alpha1::VirtualOutbound::Conf::TemplateParameter& parameter);

// The host and the port for parameters by name. InvalidArgument in the words that clients of the reference see:
// `evaluation of template with parameters didn't return a valid dns name result='<no value>.x'`.
absl::StatusOr<std::string> evaluate_host(const ::kuma::mesh::v1alpha1::VirtualOutbound::Conf& conf,
                                          const std::map<std::string, std::string>& parameters);
absl::StatusOr<uint32_t> evaluate_port(const ::kuma::mesh::v1alpha1::VirtualOutbound::Conf& conf,
                                       const std::map<std::string, std::string>& parameters);

}  // namespace kuma::model
