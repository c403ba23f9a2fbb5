#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "policy/proxy_resources.h"
#include "xds/gen/generator.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::xds {

// Makes what is drafted. A change that fails is left out and told.
template <typename Message>
Piece make_piece(Interner& interner, XdsType type, const policy::Draft<Message>& draft) {
  Piece piece;
  Message message;
  draft.make(message);
  for (const auto& change : draft.changes) {
    Message before = message;
    if (absl::Status status = change.edit(message); !status.ok()) {
      message = std::move(before);
      piece.problems.push_back({policy::ref_of(*change.blame), std::string(message_of(status))});
    }
  }
  piece.wire = interner.intern(type, draft.name, message);
  if constexpr (std::is_same_v<policy::Draft<Message>, policy::EndpointsDraft>) {
    if (draft.is_of_service) {
      piece.recipe = std::make_shared<const EndpointsRecipe>(EndpointsRecipe{draft.subject, draft.changes});
    }
  }
  return piece;
}

// The same, or what another proxy had made of an equal draft.
template <typename Message>
Piece take_piece(const GeneratorContext& context, XdsType type, const policy::Draft<Message>& draft) {
  if (context.pieces == nullptr) {
    return make_piece(context.interner, type, draft);
  }
  if (auto known = context.pieces->find(type, draft.key)) {
    return *std::move(known);
  }
  Piece piece = make_piece(context.interner, type, draft);
  context.pieces->put(type, draft.key, piece);
  return piece;
}

}  // namespace kuma::xds
