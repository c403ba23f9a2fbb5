#include <charconv>
#include <cctype>

#include "base/status.h"
#include "model/go_template_ast.h"

namespace kuma::model {
namespace {

constexpr size_t kTextSizeMax = 4096;
constexpr size_t kDepthMax = 32;

using Node = GoTemplate::Node;
using Nodes = GoTemplate::Nodes;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// A recursive-descent parser over the whole text; `at_` is where it is.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Nodes> parse() {
    KUMA_ASSIGN_OR_RETURN(Nodes nodes, parse_list(0));
    if (!keyword_.empty()) {
      return error(fmt::format("unexpected {{{{{}}}}}", keyword_));
    }
    return nodes;
  }

 private:
  absl::Status error(std::string_view what) const {
    const auto lines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return absl::InvalidArgumentError(fmt::format("template: :{}: {}", lines + 1, what));
  }

  // Text and actions up to an `else`, an `end` (left in keyword_) or the end of the text.
  absl::StatusOr<Nodes> parse_list(size_t depth) {
    if (depth > kDepthMax) {
      return error("nested too deeply");
    }
    Nodes nodes;
    keyword_.clear();
    while (at_ < text_.size()) {
      const size_t open = std::min(text_.find("{{", at_), text_.size());
      std::string_view plain = text_.substr(at_, open - at_);
      const bool trims = open + 3 < text_.size() && text_[open + 2] == '-' && is_space(text_[open + 3]);
      plain = trims ? trim_end(plain) : plain;
      if (!plain.empty()) {
        nodes.push_back({.text = std::string(plain), .action = {}, .then = {}, .otherwise = {}});
      }
      if (open == text_.size()) {
        at_ = open;
        break;
      }
      at_ = open + (trims ? 4 : 2);
      if (text_.substr(at_).starts_with("/*")) {
        KUMA_RETURN_IF_ERROR(skip_comment());
        continue;
      }
      KUMA_RETURN_IF_ERROR(parse_action(nodes, depth));
      if (!keyword_.empty()) {
        return nodes;
      }
    }
    return nodes;
  }

  absl::Status skip_comment() {
    const size_t close = text_.find("*/", at_);
    if (close == std::string_view::npos) {
      return error("unclosed comment");
    }
    at_ = close + 2;
    return close_action();
  }

  absl::Status parse_action(Nodes& nodes, size_t depth) {
    skip_spaces();
    const std::string_view word = peek_word();
    if (word == "end" || word == "else") {
      at_ += word.size();
      skip_spaces();
      keyword_ = word;
      if (word == "else" && peek_word() == "if") {
        keyword_ = "else if";
        at_ += 2;
        return absl::OkStatus();
      }
      return close_action();
    }
    if (word == "if") {
      at_ += word.size();
      return parse_if(nodes, depth);
    }
    for (const std::string_view other : {"range", "with", "define", "template", "block", "break", "continue"}) {
      if (word == other) {
        return error(fmt::format("{} is not supported here", other));
      }
    }
    KUMA_ASSIGN_OR_RETURN(Pipeline pipeline, parse_pipeline(depth));
    KUMA_RETURN_IF_ERROR(close_action());
    nodes.push_back({.text = {}, .action = std::move(pipeline), .then = {}, .otherwise = {}});
    return absl::OkStatus();
  }

  // From behind the word `if` to behind its `end`.
  absl::Status parse_if(Nodes& nodes, size_t depth) {
    Node node{.text = {}, .action = {}, .is_if = true, .then = {}, .otherwise = {}};
    KUMA_ASSIGN_OR_RETURN(node.action, parse_pipeline(depth));
    KUMA_RETURN_IF_ERROR(close_action());
    KUMA_ASSIGN_OR_RETURN(node.then, parse_list(depth + 1));
    if (keyword_ == "else") {
      KUMA_ASSIGN_OR_RETURN(node.otherwise, parse_list(depth + 1));
    } else if (keyword_ == "else if") {
      if (depth + 1 > kDepthMax) {
        return error("nested too deeply");
      }
      keyword_.clear();
      KUMA_RETURN_IF_ERROR(parse_if(node.otherwise, depth + 1));  // takes the shared `end`
      nodes.push_back(std::move(node));
      return absl::OkStatus();
    }
    if (keyword_ != "end") {
      return error(keyword_.empty() ? "unexpected EOF" : fmt::format("unexpected {{{{{}}}}}", keyword_));
    }
    keyword_.clear();
    nodes.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::StatusOr<Pipeline> parse_pipeline(size_t depth) {
    Pipeline pipeline;
    while (true) {  // each round consumes a command or returns
      KUMA_ASSIGN_OR_RETURN(Command command, parse_command(depth));
      if (!pipeline.commands.empty() && command.function.empty()) {
        return error("non executable command in pipeline stage 2");
      }
      const auto arity = find_template_function(command.function);
      const size_t given = command.arguments.size() + (pipeline.commands.empty() ? 0 : 1);
      if (arity && (given < arity->min || given > arity->max)) {
        return error(fmt::format("wrong number of args for {}: got {}", command.function, given));
      }
      pipeline.commands.push_back(std::move(command));
      skip_spaces();
      if (peek() != '|') {
        return pipeline;
      }
      ++at_;
    }
  }

  absl::StatusOr<Command> parse_command(size_t depth) {
    Command command;
    skip_spaces();
    const std::string_view word = peek_word();
    if (!word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) != 0 && word != "true" && word != "false") {
      if (!find_template_function(word)) {
        return error(fmt::format("function \"{}\" not defined", word));
      }
      command.function = word;
      at_ += word.size();
      skip_spaces();
    }
    while (!at_command_end()) {
      KUMA_ASSIGN_OR_RETURN(TemplateOperand operand, parse_operand(depth));
      command.arguments.push_back(std::move(operand));
      skip_spaces();
    }
    if (at_ >= text_.size()) {
      return error("unclosed action");
    }
    if (command.function.empty() && command.arguments.empty()) {
      return error("missing value for command");
    }
    if (command.function.empty() && command.arguments.size() > 1) {
      return error("can't give argument to non-function");
    }
    return command;
  }

  bool at_command_end() const {
    return at_ >= text_.size() || peek() == '|' || peek() == ')' || text_.substr(at_).starts_with("}}") ||
           text_.substr(at_).starts_with("-}}");
  }

  absl::StatusOr<TemplateOperand> parse_operand(size_t depth) {
    const char c = peek();
    if (c == '(') {
      if (depth + 1 > kDepthMax) {
        return error("nested too deeply");
      }
      ++at_;
      KUMA_ASSIGN_OR_RETURN(Pipeline inner, parse_pipeline(depth + 1));
      if (peek() != ')') {
        return error(at_ >= text_.size() ? "unclosed action" : "unclosed left paren");
      }
      ++at_;
      return TemplateOperand(std::make_shared<const Pipeline>(std::move(inner)));
    }
    if (c == '.') {
      ++at_;
      const std::string_view name = peek_word();
      if (name.empty()) {
        return error("the whole data cannot be used as a value here");
      }
      at_ += name.size();
      return TemplateOperand(TemplateField{std::string(name)});
    }
    if (c == '"' || c == '`') {
      return parse_string(c);
    }
    if (c == '$') {
      return error("variables are not supported here");
    }
    return parse_literal();
  }

  absl::StatusOr<TemplateOperand> parse_string(char quote) {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (quote == '"' && text_[at_] == '\n') {
        return error("unterminated quoted string");
      }
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        out += text_[at_] == 'n' ? '\n' : text_[at_] == 't' ? '\t' : text_[at_];
        continue;
      }
      out += text_[at_];
    }
    if (at_ >= text_.size()) {
      return error(quote == '"' ? "unterminated quoted string" : "unterminated raw quoted string");
    }
    ++at_;
    return TemplateOperand(std::move(out));
  }

  absl::StatusOr<TemplateOperand> parse_literal() {
    size_t end = at_;
    while (end < text_.size() && (is_word(text_[end]) || text_[end] == '-' || text_[end] == '+' || text_[end] == '.') &&
           !text_.substr(end).starts_with("-}}")) {
      ++end;
    }
    const std::string_view word = text_.substr(at_, end - at_);
    if (word.empty()) {
      return error(fmt::format("unexpected \"{}\" in operand", peek()));
    }
    if (word == "true" || word == "false") {
      at_ = end;
      return TemplateOperand(word == "true");
    }
    int64_t whole = 0;
    if (const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), whole);
        failure == std::errc() && stop == word.data() + word.size()) {
      at_ = end;
      return TemplateOperand(whole);
    }
    double number = 0;
    if (const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
        failure == std::errc() && stop == word.data() + word.size()) {
      at_ = end;
      return TemplateOperand(number);
    }
    return error(std::isalpha(static_cast<unsigned char>(word[0])) != 0 ? fmt::format("function \"{}\" not defined", word)
                                                                       : fmt::format("bad number syntax: \"{}\"", word));
  }

  // `}}` or ` -}}`, the latter with the white space behind it.
  absl::Status close_action() {
    skip_spaces();
    if (text_.substr(at_).starts_with("-}}")) {
      at_ += 3;
      skip_spaces();
      return absl::OkStatus();
    }
    if (at_ >= text_.size()) {
      return error("unclosed action");
    }
    if (!text_.substr(at_).starts_with("}}")) {
      return error(fmt::format("unexpected \"{}\" in command", peek()));
    }
    at_ += 2;
    return absl::OkStatus();
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  std::string_view peek_word() const {
    size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) {
      ++end;
    }
    return text_.substr(at_, end - at_);
  }
  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string keyword_;  // what ended the list last parsed: `end`, `else`, `else if`, or nothing
};

}  // namespace

absl::StatusOr<GoTemplate> GoTemplate::parse(std::string_view text) {
  if (text.size() > kTextSizeMax) {
    return absl::InvalidArgumentError(fmt::format("template: :1: longer than {} bytes", kTextSizeMax));
  }
  KUMA_ASSIGN_OR_RETURN(Nodes nodes, Parser(text).parse());
  GoTemplate out;
  out.nodes_ = std::make_shared<const Nodes>(std::move(nodes));
  return out;
}

}  // namespace kuma::model
