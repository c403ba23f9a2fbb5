#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "policy/envoy/scratch.h"
#include "policy/proxy_resources.h"
#include "xds/gen/generator.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::xds {

// Makes the message that is drafted, without the changes in `left_out`. Should another one fail it is added there, and the
// message is not to be used: false.
template <typename Message>
bool try_make(const policy::Draft<Message>& draft, std::vector<LeftOut>& left_out, Message& message) {
  draft.make(message);
  size_t next_left_out = 0;
  for (size_t i = 0; i < draft.changes.size(); ++i) {
    if (next_left_out < left_out.size() && left_out[next_left_out].change == i) {
      ++next_left_out;
    } else if (absl::Status status = draft.changes[i].edit(message); !status.ok()) {
      left_out.push_back({i, std::string(message_of(status))});
      return false;
    }
  }
  return true;
}

// Makes what is drafted. A change that fails is left out and told; hardly any does, so all is made again without it rather
// than kept in a copy from before each change.
template <typename Message>
Piece make_piece(Interner& interner, XdsType type, const policy::Draft<Message>& draft) {
  Piece piece;
  policy::envoy::Scratch scratch;
  Message* made = &scratch.make<Message>();
  while (!try_make(draft, piece.left_out, *made)) {
    made = &scratch.make<Message>();
  }
  const Message& message = *made;
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

// What the piece lacks, put down to the policies of the draft at hand, whosever draft it was made for.
template <typename Message>
std::vector<Problem> problems_of(const Piece& piece, const policy::Draft<Message>& draft) {
  std::vector<Problem> problems;
  for (const LeftOut& left_out : piece.left_out) {
    problems.push_back({policy::ref_of(*draft.changes[left_out.change].blame), left_out.message});
  }
  return problems;
}

}  // namespace kuma::xds
