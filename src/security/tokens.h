#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "security/jwt.h"

namespace kuma::security {

// The claims of the kinds of tokens (spec/tokens-and-secrets.md §1). An empty claim restricts nothing.
struct DataplaneClaims {
  std::string name{};
  std::string mesh{};
  std::map<std::string, std::vector<std::string>> tags{};
  std::string type{};
};

struct ZoneClaims {
  std::string zone;
  std::vector<std::string> scope;  // of `ingress`, `egress`
};

struct UserClaims {
  std::string name;
  std::vector<std::string> groups;
};

// What every token says besides: when it may be used, and its id.
struct TokenLife {
  WallTime now{};
  std::chrono::nanoseconds valid_for{};
  std::string id;  // `jti`, a UUID
};

// Claims as they are issued: own ones, then exp, nbf, iat, jti.
json::object encode_claims(const DataplaneClaims& claims, const TokenLife& life);
json::object encode_claims(const ZoneClaims& claims, const TokenLife& life);
json::object encode_zone_ingress_claims(const std::string& zone, const TokenLife& life);
json::object encode_claims(const UserClaims& claims, const TokenLife& life);

// InvalidArgument for a claim of a wrong kind.
absl::StatusOr<DataplaneClaims> decode_dataplane_claims(const json::object& claims);
absl::StatusOr<ZoneClaims> decode_zone_claims(const json::object& claims);
absl::StatusOr<UserClaims> decode_user_claims(const json::object& claims);

// Every value that a proxy has for each of its tags.
using TagValues = std::map<std::string, std::vector<std::string>>;

// Whether a token is good for this dataplane; Unauthenticated with what differs.
absl::Status check_dataplane_claims(const DataplaneClaims& claims, std::string_view mesh, std::string_view name,
                                    const TagValues& tags);
// Whether it is good for a zone proxy that needs `scope` (`ingress`, `egress`) in the control plane of zone `zone`.
absl::Status check_zone_claims(const ZoneClaims& claims, std::string_view scope, std::string_view zone);

// Whether a revocation list (comma-separated ids, one newline at its end ignored) has the id.
bool is_revoked(std::string_view list, std::string_view id);

// Where the keys of one kind of tokens are found.
struct TokenKeys {
  // A key by its id: PEM of a private or public RSA key, or PKCS#1 DER. Its error, NotFound with the text for clients, is
  // passed on. Looked at in turn; the first that has the key counts.
  std::vector<std::function<absl::StatusOr<std::string>(const std::string& key_id)>> sources;
  // The secret of tokens signed by HS256, which old versions issued. Empty: they are not accepted.
  std::function<absl::StatusOr<std::string>()> legacy_secret;
  // Whether a token without a key id is taken as one of key 0.
  bool key_id_optional = false;
  std::function<bool(std::string_view id)> is_revoked;
};

// Decides whether tokens are genuine. Every request of a proxy carries its token, so a signature that was found good with
// a key is remembered; times and revocation are checked each time, and the key is looked up each time too, so a removed or
// replaced key ends its tokens at once.
//
// Remembers at most 2 × `remembered_max` tokens (0: none). Thread: any.
class TokenVerifier {
 public:
  // `in_memory_store` only changes error texts: with it a restart makes new keys, and the reader should know.
  TokenVerifier(const Clock& clock, bool in_memory_store, size_t remembered_max = 20'000);

  using Claims = std::shared_ptr<const json::object>;
  // The claims of a valid token. The error's message is what clients see.
  absl::StatusOr<Claims> verify(std::string_view token, const TokenKeys& keys);

  // A token's claims without any check, to decide which kind it is; the same error as verify's for what is no token.
  absl::StatusOr<Claims> peek(std::string_view token) const;

  size_t signatures_checked() const;  // for metrics and tests

 private:
  using Digest = std::string;
  absl::Status check_signature(const Jwt& jwt, const std::string& key);
  absl::StatusOr<PublicKey> parse_key(const std::string& text);
  Claims recall(const Digest& digest);
  void remember(Digest digest, Claims claims);
  void keep(Digest digest, Claims claims);  // with mutex_ held
  absl::Status parse_error(const absl::Status& reason) const;

  const Clock& clock_;
  const bool in_memory_store_;
  const size_t remembered_max_;
  mutable std::mutex mutex_;  // guards all below
  // Two generations: when the newer one is full it becomes the older one, which is forgotten.
  absl::flat_hash_map<Digest, Claims> newer_, older_;  // by token and key
  // Reading a key costs twenty times what verifying with it does.
  absl::flat_hash_map<Digest, PublicKey> parsed_keys_;
  size_t signatures_checked_ = 0;
};

}  // namespace kuma::security
