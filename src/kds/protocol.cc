#include "kds/protocol.h"

#include "kds/wire.h"

namespace kuma::kds {
namespace {

namespace core = envoy::config::core::v3;

std::string text_member(const google::protobuf::Struct& object, const std::string& name) {
  const auto member = object.fields().find(name);
  return member == object.fields().end() ? std::string() : member->second.string_value();
}

const google::protobuf::Struct* struct_member(const google::protobuf::Struct& object, const std::string& name) {
  const auto member = object.fields().find(name);
  return member == object.fields().end() || !member->second.has_struct_value() ? nullptr : &member->second.struct_value();
}

NodeInfo parse_node(const core::Node& node) {
  NodeInfo info{.id = node.id()};
  const google::protobuf::Struct& metadata = node.metadata();
  info.config = text_member(metadata, "config");
  if (const auto features = metadata.fields().find("features"); features != metadata.fields().end()) {
    for (const auto& feature : features->second.list_value().values()) {
      info.features.insert(feature.string_value());
    }
  }
  const google::protobuf::Struct* version = struct_member(metadata, "version");
  const google::protobuf::Struct* control_plane = version == nullptr ? nullptr : struct_member(*version, "kumaCp");
  if (control_plane != nullptr) {
    info.version = text_member(*control_plane, "version");
    info.git_tag = text_member(*control_plane, "gitTag");
    info.git_commit = text_member(*control_plane, "gitCommit");
    info.build_date = text_member(*control_plane, "buildDate");
  }
  return info;
}

// Acknowledgements carry the id alone.
void put_node(core::Node& node, const NodeInfo& info) {
  node.set_id(info.id);
  if (info.version.empty()) {
    return;
  }
  auto& metadata = *node.mutable_metadata()->mutable_fields();
  auto& version = *(*metadata["version"].mutable_struct_value()->mutable_fields())["kumaCp"].mutable_struct_value()->mutable_fields();
  version["version"].set_string_value(info.version);
  version["gitTag"].set_string_value(info.git_tag);
  version["gitCommit"].set_string_value(info.git_commit);
  version["buildDate"].set_string_value(info.build_date);
  metadata["config"].set_string_value(info.config);
  auto& features = *metadata["features"].mutable_list_value();
  for (const std::string& feature : info.features) {
    features.add_values()->set_string_value(feature);
  }
}

template <typename Message>
void put_common(Message& out, const Request& request) {
  out.set_type_url(request.type);
  out.set_response_nonce(request.nonce);
  if (request.node) {
    put_node(*out.mutable_node(), *request.node);
  }
  if (request.error) {
    out.mutable_error_detail()->set_message(*request.error);
  }
}

template <typename Message>
Request parse_common(const Message& message) {
  Request request{.type = message.type_url(), .nonce = message.response_nonce()};
  if (message.has_error_detail()) {
    request.error = message.error_detail().message();
  }
  if (message.has_node()) {
    request.node = parse_node(message.node());
  }
  return request;
}

void put_resource(google::protobuf::Any& any, const Offer& offer) {
  any.set_type_url(std::string(kKumaResourceUrl));
  any.set_value(*offer.bytes);
}

}  // namespace

Request parse(const discovery::DeltaDiscoveryRequest& message) {
  Request request = parse_common(message);
  const auto& names = message.resource_names_subscribe();
  const auto& left = message.resource_names_unsubscribe();
  request.wildcard = names.empty() || std::find(names.begin(), names.end(), "*") != names.end();
  if (std::find(left.begin(), left.end(), "*") != left.end()) {
    request.wildcard = false;
  }
  request.known.insert(message.initial_resource_versions().begin(), message.initial_resource_versions().end());
  return request;
}

Request parse(const discovery::DiscoveryRequest& message) {
  Request request = parse_common(message);
  request.version_info = message.version_info();
  return request;
}

ReceivedResponse parse(discovery::DeltaDiscoveryResponse message) {
  ReceivedResponse response{.type = message.type_url(), .nonce = message.nonce(), .version_info = {}, .identifier = message.control_plane().identifier(), .resources = {}, .removed = {}};
  response.resources.reserve(static_cast<size_t>(message.resources_size()));
  for (discovery::Resource& resource : *message.mutable_resources()) {
    response.resources.push_back({resource.version(), std::move(*resource.mutable_resource())});
  }
  response.removed.assign(message.removed_resources().begin(), message.removed_resources().end());
  return response;
}

ReceivedResponse parse(discovery::DiscoveryResponse message) {
  ReceivedResponse response{.type = message.type_url(), .nonce = message.nonce(), .version_info = message.version_info(), .identifier = message.control_plane().identifier(), .resources = {}, .removed = {}};
  response.resources.reserve(static_cast<size_t>(message.resources_size()));
  for (google::protobuf::Any& any : *message.mutable_resources()) {
    response.resources.push_back({"", std::move(any)});
  }
  return response;
}

discovery::DeltaDiscoveryRequest to_delta(const Request& request) {
  discovery::DeltaDiscoveryRequest out;
  put_common(out, request);
  // An ACK names nothing; a subscription and a NACK ask for everything.
  if (request.nonce.empty() || request.error) {
    out.add_resource_names_subscribe("*");
  }
  out.mutable_initial_resource_versions()->insert(request.known.begin(), request.known.end());
  return out;
}

discovery::DiscoveryRequest to_sotw(const Request& request) {
  discovery::DiscoveryRequest out;
  put_common(out, request);
  out.set_version_info(request.version_info);
  return out;
}

discovery::DeltaDiscoveryResponse to_delta(const Response& response) {
  discovery::DeltaDiscoveryResponse out;
  out.set_type_url(response.type);
  out.set_nonce(response.nonce);
  out.mutable_control_plane()->set_identifier(response.identifier);
  for (const Offer* offer : response.offers) {
    discovery::Resource& resource = *out.add_resources();
    resource.set_version(offer->version);
    put_resource(*resource.mutable_resource(), *offer);
  }
  for (const std::string& key : response.removed) {
    out.add_removed_resources(key);
  }
  return out;
}

discovery::DiscoveryResponse to_sotw(const Response& response) {
  discovery::DiscoveryResponse out;
  out.set_type_url(response.type);
  out.set_nonce(response.nonce);
  out.set_version_info(response.version_info);
  out.mutable_control_plane()->set_identifier(response.identifier);
  for (const Offer* offer : response.offers) {
    put_resource(*out.add_resources(), *offer);
  }
  return out;
}

}  // namespace kuma::kds
