#include "model/go_template.h"

#include <array>
#include <compare>

#include "base/json.h"
#include "base/status.h"
#include "model/go_template_ast.h"

namespace kuma::model {
namespace {

constexpr size_t kOutputSizeMax = 64 * 1024;
constexpr size_t kArgumentsMax = 64;

struct Missing {
  bool operator==(const Missing&) const = default;
};
using Value = std::variant<Missing, std::string, int64_t, double, bool>;
using Data = std::map<std::string, std::string>;
using Arguments = std::vector<Value>;

std::string text_of(const Value& value, std::string_view missing) {
  struct Printer {
    std::string_view missing;
    std::string operator()(const Missing&) const { return std::string(missing); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(int64_t number) const { return fmt::to_string(number); }
    std::string operator()(double number) const { return fmt::to_string(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  };
  return std::visit(Printer{missing}, value);
}

bool is_true(const Value& value) {
  struct Truth {
    bool operator()(const Missing&) const { return false; }
    bool operator()(const std::string& text) const { return !text.empty(); }
    bool operator()(int64_t number) const { return number != 0; }
    bool operator()(double number) const { return number != 0; }
    bool operator()(bool flag) const { return flag; }
  };
  return std::visit(Truth{}, value);
}

absl::Status failure(std::string_view function, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("template: :1: error calling {}: {}", function, what));
}

absl::StatusOr<std::partial_ordering> compare(std::string_view function, const Value& a, const Value& b) {
  if (a.index() != b.index() || std::holds_alternative<Missing>(a)) {
    return failure(function, "incompatible types for comparison");
  }
  if (const auto* text = std::get_if<std::string>(&a)) {
    return *text <=> std::get<std::string>(b);
  }
  if (const auto* whole = std::get_if<int64_t>(&a)) {
    return *whole <=> std::get<int64_t>(b);
  }
  if (const auto* number = std::get_if<double>(&a)) {
    return *number <=> std::get<double>(b);
  }
  return std::get<bool>(a) <=> std::get<bool>(b);
}

absl::StatusOr<Value> call_comparison(const std::string& name, const Arguments& arguments) {
  if (name == "eq") {  // the first with any of the others
    bool same = false;
    for (size_t i = 1; i < arguments.size() && !same; ++i) {
      KUMA_ASSIGN_OR_RETURN(const std::partial_ordering order, compare(name, arguments[0], arguments[i]));
      same = order == std::partial_ordering::equivalent;
    }
    return Value(same);
  }
  KUMA_ASSIGN_OR_RETURN(const std::partial_ordering order, compare(name, arguments[0], arguments[1]));
  if (name == "ne") {
    return Value(order != 0);
  }
  if (name == "lt") {
    return Value(order < 0);
  }
  if (name == "le") {
    return Value(order <= 0);
  }
  return Value(name == "gt" ? order > 0 : order >= 0);
}

absl::StatusOr<Value> call_slice(const Arguments& arguments) {
  const auto* text = std::get_if<std::string>(&arguments[0]);
  if (text == nullptr) {
    return failure("slice", "can't slice item that is no string");
  }
  std::array<int64_t, 2> bounds = {0, static_cast<int64_t>(text->size())};
  for (size_t i = 1; i < arguments.size(); ++i) {
    const auto* number = std::get_if<int64_t>(&arguments[i]);
    if (number == nullptr || *number < 0 || *number > static_cast<int64_t>(text->size())) {
      return failure("slice", fmt::format("index out of range: {}", text_of(arguments[i], "<nil>")));
    }
    bounds[i - 1] = *number;
  }
  if (bounds[0] > bounds[1]) {
    return failure("slice", fmt::format("invalid slice index: {} > {}", bounds[0], bounds[1]));
  }
  return Value(text->substr(static_cast<size_t>(bounds[0]), static_cast<size_t>(bounds[1] - bounds[0])));
}

std::string print_verb(char verb, const Value& value) {
  const bool number = std::holds_alternative<int64_t>(value);
  const std::string text = text_of(value, "<nil>");
  if (verb == 'v' || (verb == 's' && std::holds_alternative<std::string>(value)) || (verb == 'd' && number)) {
    return text;
  }
  if (verb == 'q' && std::holds_alternative<std::string>(value)) {
    return to_json(json::value(json::string(text)));
  }
  return fmt::format("%!{}({})", verb, text);  // as Go shows a verb that doesn't fit
}

absl::StatusOr<Value> call_printf(const Arguments& arguments) {
  const auto* format = std::get_if<std::string>(&arguments[0]);
  if (format == nullptr) {
    return failure("printf", "the format is no string");
  }
  std::string out;
  size_t next = 1;
  for (size_t at = 0; at < format->size(); ++at) {
    if ((*format)[at] != '%' || at + 1 == format->size()) {
      out += (*format)[at];
      continue;
    }
    const char verb = (*format)[++at];
    if (verb == '%') {
      out += '%';
    } else if (next < arguments.size()) {
      out += print_verb(verb, arguments[next++]);
    } else {
      out += fmt::format("%!{}(MISSING)", verb);
    }
  }
  return Value(std::move(out));
}

// As Go's print: a space between two arguments of which neither is a string; println: always one, and a line's end.
std::string print_all(const Arguments& arguments, bool line) {
  std::string out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool strings = i > 0 && (std::holds_alternative<std::string>(arguments[i]) || std::holds_alternative<std::string>(arguments[i - 1]));
    out += i > 0 && (line || !strings) ? " " : "";
    out += text_of(arguments[i], "<nil>");
  }
  return line ? out + "\n" : out;
}

absl::StatusOr<Value> call(const std::string& name, const Arguments& arguments) {
  if (name == "not") {
    return Value(!is_true(arguments[0]));
  }
  if (name == "and" || name == "or") {
    for (const Value& value : arguments) {
      if (is_true(value) == (name == "or")) {
        return value;
      }
    }
    return arguments.back();
  }
  if (name == "len") {
    const auto* text = std::get_if<std::string>(&arguments[0]);
    return text == nullptr ? absl::StatusOr<Value>(failure(name, "no string")) : Value(static_cast<int64_t>(text->size()));
  }
  if (name == "slice") {
    return call_slice(arguments);
  }
  if (name == "printf") {
    return call_printf(arguments);
  }
  if (name == "print" || name == "println") {
    return Value(print_all(arguments, name == "println"));
  }
  return call_comparison(name, arguments);
}

absl::StatusOr<Value> value_of(const Pipeline& pipeline, const Data& data);

absl::StatusOr<Value> value_of(const TemplateOperand& operand, const Data& data) {
  if (const auto* field = std::get_if<TemplateField>(&operand)) {
    const auto found = data.find(field->name);
    return found == data.end() ? Value(Missing{}) : Value(found->second);
  }
  if (const auto* text = std::get_if<std::string>(&operand)) {
    return Value(*text);
  }
  if (const auto* whole = std::get_if<int64_t>(&operand)) {
    return Value(*whole);
  }
  if (const auto* number = std::get_if<double>(&operand)) {
    return Value(*number);
  }
  if (const auto* flag = std::get_if<bool>(&operand)) {
    return Value(*flag);
  }
  return value_of(*std::get<std::shared_ptr<const Pipeline>>(operand), data);
}

absl::StatusOr<Value> value_of(const Pipeline& pipeline, const Data& data) {
  std::optional<Value> last;
  for (const Command& command : pipeline.commands) {
    Arguments arguments;
    for (const TemplateOperand& operand : command.arguments) {
      KUMA_ASSIGN_OR_RETURN(Value value, value_of(operand, data));
      arguments.push_back(std::move(value));
    }
    if (last) {
      arguments.push_back(*std::move(last));
    }
    if (command.function.empty()) {
      last = std::move(arguments[0]);
      continue;
    }
    KUMA_ASSIGN_OR_RETURN(Value result, call(command.function, arguments));
    last = std::move(result);
  }
  return last.value_or(Value(Missing{}));
}

absl::Status print_nodes(const GoTemplate::Nodes& nodes, const Data& data, std::string& out) {
  for (const GoTemplate::Node& node : nodes) {
    out += node.text;
    if (node.action) {
      KUMA_ASSIGN_OR_RETURN(const Value value, value_of(*node.action, data));
      if (node.is_if) {
        KUMA_RETURN_IF_ERROR(print_nodes(is_true(value) ? node.then : node.otherwise, data, out));
      } else {
        out += text_of(value, "<no value>");
      }
    }
    if (out.size() > kOutputSizeMax) {
      return absl::InvalidArgumentError(fmt::format("template: :1: the result is longer than {} bytes", kOutputSizeMax));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<FunctionArity> find_template_function(std::string_view name) {
  static const std::map<std::string_view, FunctionArity> kFunctions = {
      {"and", {1, kArgumentsMax}},   {"or", {1, kArgumentsMax}},      {"not", {1, 1}},   {"eq", {2, kArgumentsMax}},
      {"ne", {2, 2}},                {"lt", {2, 2}},                  {"le", {2, 2}},    {"gt", {2, 2}},
      {"ge", {2, 2}},                {"len", {1, 1}},                 {"slice", {1, 3}}, {"print", {0, kArgumentsMax}},
      {"println", {0, kArgumentsMax}}, {"printf", {1, kArgumentsMax}}};
  const auto found = kFunctions.find(name);
  return found == kFunctions.end() ? std::nullopt : std::optional(found->second);
}

absl::StatusOr<std::string> GoTemplate::evaluate(const Data& data) const {
  std::string out;
  KUMA_RETURN_IF_ERROR(print_nodes(*nodes_, data, out));
  return out;
}

}  // namespace kuma::model
