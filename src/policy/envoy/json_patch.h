#pragma once

#include "absl/status/status.h"
#include "base/json.h"

namespace kuma::policy::envoy {

// RFC 6902's add, remove, replace, move and copy on a document, as the reference's library does them: `add` creates what is
// missing on the way, to `remove` what is not there is no error, an index may count from the end (-1), `-` is behind the end.
// InvalidArgument for what can't be done; the document is then partly changed.
absl::Status apply_json_patches(const json::array& patches, json::value& document);

// An index that `add` makes room for up to here, so that no text makes us allocate without bounds.
inline constexpr size_t kPatchIndexMax = 1024;
// Bytes of JSON that all `copy` of one list may copy together: a copy of copies doubles each time.
inline constexpr size_t kPatchCopiedBytesMax = 1 << 20;

}  // namespace kuma::policy::envoy
