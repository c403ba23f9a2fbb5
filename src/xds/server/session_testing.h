#pragma once

#include <memory>
#include <string>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/server/session.h"

// For the tests of this folder: resources without content, and responses as an Envoy would read them.
namespace kuma::xds::testing {

// "name" or "name:version".
inline WireResourcePtr resource(XdsType type, const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string version = colon == std::string::npos ? "1" : text.substr(colon + 1);
  google::protobuf::Any any;
  any.set_type_url(std::string(type_url(type)));
  any.set_value(text);
  return std::make_shared<const WireResource>(WireResource{type, name, version, share_bytes(any.SerializeAsString())});
}

// A snapshot of these resources; equal texts have equal versions, as if interned.
struct Wanted {
  std::vector<std::string> clusters = {}, endpoints = {}, listeners = {}, routes = {}, secrets = {};

  SnapshotPtr snapshot() const {
    auto out = std::make_shared<Snapshot>();
    const auto put = [&](XdsType type, const std::vector<std::string>& texts) {
      std::vector<WireResourcePtr> resources;
      for (const std::string& text : texts) {
        resources.push_back(resource(type, text));
      }
      out->types[static_cast<size_t>(type)] = make_type_snapshot(std::move(resources));
    };
    put(XdsType::Cluster, clusters);
    put(XdsType::Endpoint, endpoints);
    put(XdsType::Listener, listeners);
    put(XdsType::Route, routes);
    put(XdsType::Secret, secrets);
    return out;
  }
};

inline std::string bytes_of(const net::GrpcMessage& message) {
  std::string bytes = message.head;
  for (const SharedBytes& piece : message.pieces) {
    bytes += *piece;
  }
  return bytes;
}

// "CDS", "EDS", …
inline std::string short_name(std::string_view url) {
  static constexpr const char* kNames[] = {"CDS", "EDS", "LDS", "RDS", "SDS", "RTDS"};
  const XdsType* type = find_xds_type(url);
  return type == nullptr ? std::string(url) : kNames[static_cast<size_t>(*type)];
}

// What one response says, as text: "CDS a b:2" and, in the delta protocol, "CDS a b:2 -c".
struct Answer {
  std::string text;
  std::string version;
  std::string nonce;
  std::string type_url;
};

inline Answer read_answer(const net::GrpcMessage& message, AdsSession::Protocol protocol) {
  Answer out;
  if (protocol == AdsSession::Protocol::Delta) {
    envoy::service::discovery::v3::DeltaDiscoveryResponse response;
    response.ParseFromString(bytes_of(message));
    out = {short_name(response.type_url()), response.system_version_info(), response.nonce(), response.type_url()};
    for (const auto& item : response.resources()) {
      out.text += " " + item.resource().value();
    }
    for (const std::string& name : response.removed_resources()) {
      out.text += " -" + name;
    }
    return out;
  }
  envoy::service::discovery::v3::DiscoveryResponse response;
  response.ParseFromString(bytes_of(message));
  out = {short_name(response.type_url()), response.version_info(), response.nonce(), response.type_url()};
  for (const auto& any : response.resources()) {
    out.text += " " + any.value();
  }
  return out;
}

}  // namespace kuma::xds::testing
