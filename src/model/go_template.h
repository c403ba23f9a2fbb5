#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::model {

// The part of Go's text/template that names and ports need: text, `{{.name}}`, comments, trim markers (`{{-`, `-}}`),
// pipelines, parentheses, `if`/`else if`/`else`/`end`, and the functions and, or, not, eq, ne, lt, le, gt, ge, len, slice,
// print, println, printf (%s %v %d %q %%). Variables, `range`, `with`, `define` and the like are refused.
//
// Errors are worded as Go words them: `template: :1: unclosed action`. Immutable after parse(); any thread.
// Bounds: 4 KiB of text, 32 levels, 64 KiB of output.
class GoTemplate {
 public:
  static absl::StatusOr<GoTemplate> parse(std::string_view text);

  // What `{{.name}}` stands for is looked up in `data`; a missing name prints as `<no value>`, as in Go.
  absl::StatusOr<std::string> evaluate(const std::map<std::string, std::string>& data) const;

  struct Node;
  using Nodes = std::vector<Node>;

 private:
  std::shared_ptr<const Nodes> nodes_;
};

}  // namespace kuma::model
