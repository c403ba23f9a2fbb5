#include <benchmark/benchmark.h>

#include "security/authority.h"
#include "security/tokens.h"

namespace kuma::security {
namespace {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1'700'000'000));

const IdentityTags& tags() {
  static const IdentityTags value{
      {"kuma.io/service", {"web"}}, {"kuma.io/protocol", {"http"}}, {"kuma.io/zone", {"east"}}, {"version", {"v1"}}};
  return value;
}

void Rsa_key(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(PrivateKey::generate_rsa());
  }
}
BENCHMARK(Rsa_key)->Unit(benchmark::kMillisecond)->Iterations(20);

void Ecdsa_key(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(PrivateKey::generate_ec());
  }
}
BENCHMARK(Ecdsa_key)->Unit(benchmark::kMicrosecond);

// What a proxy costs when it connects to a mesh with mTLS.
void Identity_from_rsa_authority(benchmark::State& state) {
  const PrivateKey key = *PrivateKey::generate_rsa();
  const AuthorityPtr ca = *Authority::load(*build_mesh_ca("shop", key, kCaLifetime, kNow), key.to_pem());
  for (auto _ : state) {
    benchmark::DoNotOptimize(issue_identity(*ca, "shop", tags(), kIdentityLifetime, kNow));
  }
}
BENCHMARK(Identity_from_rsa_authority)->Unit(benchmark::kMicrosecond);

void Identity_from_ecdsa_authority(benchmark::State& state) {
  const PrivateKey key = *PrivateKey::generate_ec();
  const AuthorityPtr ca = *Authority::load(*build_mesh_ca("shop", key, kCaLifetime, kNow), key.to_pem());
  for (auto _ : state) {
    benchmark::DoNotOptimize(issue_identity(*ca, "shop", tags(), kIdentityLifetime, kNow));
  }
}
BENCHMARK(Identity_from_ecdsa_authority)->Unit(benchmark::kMicrosecond);

void Load_authority(benchmark::State& state) {
  const PrivateKey key = *PrivateKey::generate_rsa();
  const std::string certificate = *build_mesh_ca("shop", key, kCaLifetime, kNow);
  const std::string key_pem = key.to_pem();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Authority::load(certificate, key_pem));
  }
}
BENCHMARK(Load_authority)->Unit(benchmark::kMicrosecond);

// The same token again and again, as a proxy's requests carry it; and new ones each time.
void Verify_token(benchmark::State& state) {
  const bool remembered = state.range(0) != 0;
  const PrivateKey key = *PrivateKey::generate_rsa();
  const std::string key_pem = key.to_pem();
  ManualClock clock(kNow);
  TokenVerifier verifier(clock, false, remembered ? 20'000 : 0);
  TokenKeys keys;
  keys.sources.push_back([&](const std::string&) -> absl::StatusOr<std::string> { return key_pem; });
  const std::string token =
      *sign_rs256(encode_claims(DataplaneClaims{.name = "web-1", .mesh = "default"}, {kNow, kYear, "id"}), "1", key);
  const std::string other =
      *sign_rs256(encode_claims(DataplaneClaims{.name = "web-2", .mesh = "default"}, {kNow, kYear, "id"}), "1", key);
  for (auto _ : state) {
    benchmark::DoNotOptimize(verifier.verify(token, keys));
    if (!remembered) {
      benchmark::DoNotOptimize(verifier.verify(other, keys));
    }
  }
  state.SetItemsProcessed(state.iterations() * (remembered ? 1 : 2));
}
BENCHMARK(Verify_token)->ArgName("remembered")->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);

void Sign_token(benchmark::State& state) {
  const PrivateKey key = *PrivateKey::generate_rsa();
  const auto claims = encode_claims(DataplaneClaims{.name = "web-1", .mesh = "default"}, {kNow, kYear, "id"});
  for (auto _ : state) {
    benchmark::DoNotOptimize(sign_rs256(claims, "1", key));
  }
}
BENCHMARK(Sign_token)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kuma::security
