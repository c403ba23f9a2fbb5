#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/go_template.h"

namespace kuma::model {

// How a parsed template looks: shared by the parser and the evaluator, nobody else's business.

struct Pipeline;

struct TemplateField {
  std::string name;
};
using TemplateOperand = std::variant<TemplateField, std::string, int64_t, double, bool, std::shared_ptr<const Pipeline>>;

// One stage of a pipeline: a function with its arguments, or one operand alone (no function).
struct Command {
  std::string function;
  std::vector<TemplateOperand> arguments;
};

struct Pipeline {
  std::vector<Command> commands;  // each gets the result of the one before as its last argument
};

struct GoTemplate::Node {
  std::string text;                // of a text node
  std::optional<Pipeline> action;  // printed; the condition of an `if`
  bool is_if = false;
  Nodes then;
  Nodes otherwise;
};

// How a number of arguments fits a function; nothing: no such function.
struct FunctionArity {
  size_t min, max;
};
std::optional<FunctionArity> find_template_function(std::string_view name);

}  // namespace kuma::model
