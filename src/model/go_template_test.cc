#include "model/go_template.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace kuma::model {
namespace {

// The result for {service: web, version: v1, empty: ""}, or the error after `! `.
std::string run(std::string_view text) {
  const auto parsed = GoTemplate::parse(text);
  if (!parsed.ok()) {
    return "! " + std::string(message_of(parsed.status()));
  }
  const auto result = parsed->evaluate({{"service", "web"}, {"version", "v1"}, {"empty", ""}});
  return result.ok() ? *result : "! " + std::string(message_of(result.status()));
}

TEST(GoTemplate, Refuses_what_is_not_closed) {
  EXPECT_EQ(run("{{.service"), "! template: :1: unclosed action");
  EXPECT_EQ(run("{{"), "! template: :1: unclosed action");
  EXPECT_EQ(run("{{ .service | "), "! template: :1: unclosed action");
  EXPECT_EQ(run("{{ (len .service }}"), "! template: :1: unclosed left paren");
  EXPECT_EQ(run("{{ \"abc }}"), "! template: :1: unterminated quoted string");
  EXPECT_EQ(run("{{ `abc }}"), "! template: :1: unterminated raw quoted string");
  EXPECT_EQ(run("{{/* abc }}"), "! template: :1: unclosed comment");
  EXPECT_EQ(run("{{if .service}}x"), "! template: :1: unexpected EOF");
  EXPECT_EQ(run("{{if .service}}x{{else}}y"), "! template: :1: unexpected EOF");
}

TEST(GoTemplate, Refuses_what_it_does_not_know) {
  EXPECT_EQ(run("{{lower .service}}"), "! template: :1: function \"lower\" not defined");
  EXPECT_EQ(run("{{print lower}}"), "! template: :1: function \"lower\" not defined");
  EXPECT_EQ(run("a\n{{range .service}}{{end}}"), "! template: :2: range is not supported here");
  EXPECT_EQ(run("{{$x := 1}}"), "! template: :1: variables are not supported here");
  EXPECT_EQ(run("{{.}}"), "! template: :1: the whole data cannot be used as a value here");
}

TEST(GoTemplate, Refuses_misplaced_parts) {
  EXPECT_EQ(run("{{}}"), "! template: :1: missing value for command");
  EXPECT_EQ(run("{{end}}"), "! template: :1: unexpected {{end}}");
  EXPECT_EQ(run("{{else}}"), "! template: :1: unexpected {{else}}");
  EXPECT_EQ(run("{{.service .version}}"), "! template: :1: can't give argument to non-function");
  EXPECT_EQ(run("{{.service | .version}}"), "! template: :1: non executable command in pipeline stage 2");
  EXPECT_EQ(run("{{.service)}}"), "! template: :1: unexpected \")\" in command");
  EXPECT_EQ(run("{{print 1x}}"), "! template: :1: bad number syntax: \"1x\"");
  EXPECT_EQ(run("{{len}}"), "! template: :1: wrong number of args for len: got 0");
  EXPECT_EQ(run("{{.service | eq}}"), "! template: :1: wrong number of args for eq: got 1");
}

TEST(GoTemplate, Refuses_calls_that_fail) {
  EXPECT_EQ(run("{{len 5}}"), "! template: :1: error calling len: no string");
  EXPECT_EQ(run("{{slice .service 2 9}}"), "! template: :1: error calling slice: index out of range: 9");
  EXPECT_EQ(run("{{slice .service 2 1}}"), "! template: :1: error calling slice: invalid slice index: 2 > 1");
  EXPECT_EQ(run("{{slice 5 1}}"), "! template: :1: error calling slice: can't slice item that is no string");
  EXPECT_EQ(run("{{lt .service 5}}"), "! template: :1: error calling lt: incompatible types for comparison");
  EXPECT_EQ(run("{{printf 5}}"), "! template: :1: error calling printf: the format is no string");
}

TEST(GoTemplate, Is_bounded) {
  EXPECT_EQ(run(std::string(5000, 'x')), "! template: :1: longer than 4096 bytes");
  std::string deep = "{{";
  deep.append(40, '(');
  EXPECT_EQ(run(deep), "! template: :1: nested too deeply");
  std::string ifs;
  for (int i = 0; i < 40; ++i) {
    ifs += "{{if .service}}";
  }
  EXPECT_EQ(run(ifs), "! template: :1: nested too deeply");
  std::string elses = "{{if .empty}}";
  for (int i = 0; i < 40; ++i) {
    elses += "{{else if .empty}}";
  }
  EXPECT_EQ(run(elses), "! template: :1: nested too deeply");
  std::string growing = "{{printf \"";
  growing.append(4000, 'y');
  EXPECT_EQ(run(growing + "\"}}").size(), 4000U);
}

TEST(GoTemplate, Replaces_names) {
  EXPECT_EQ(run("{{.service}}.{{ .version }}.mesh"), "web.v1.mesh");
  EXPECT_EQ(run("plain"), "plain");
  EXPECT_EQ(run(""), "");
  EXPECT_EQ(run("{ {{.service}} } }}"), "{ web } }}");
}

TEST(GoTemplate, Prints_missing_names_as_Go_does) {
  EXPECT_EQ(run("{{.nope}}.x"), "<no value>.x");
  EXPECT_EQ(run("{{print .nope}}"), "<nil>");
  EXPECT_EQ(run("[{{.empty}}]"), "[]");
}

TEST(GoTemplate, Trims_and_skips_comments) {
  EXPECT_EQ(run("a  {{- .service -}}  b"), "awebb");
  EXPECT_EQ(run("a{{/* a comment */}}b"), "ab");
  EXPECT_EQ(run("a {{- /* a comment */ -}} b"), "ab");
}

TEST(GoTemplate, Runs_pipelines_and_functions) {
  EXPECT_EQ(run("{{.service | printf \"%s-%s\" .version}}"), "v1-web");
  EXPECT_EQ(run("{{printf \"%d%%|%v|%q\" 80 true \"a\"}}"), "80%|true|\"a\"");
  EXPECT_EQ(run("{{printf \"%d %s\" \"x\"}}"), "%!d(x) %!s(MISSING)");
  EXPECT_EQ(run("{{len .service}}"), "3");
  EXPECT_EQ(run("{{slice .service 1}}{{slice .service 0 2}}"), "ebwe");
  EXPECT_EQ(run("{{print \"a\" 1 2 \"b\"}}"), "a1 2b");
  EXPECT_EQ(run("{{println 1 \"x\"}}"), "1 x\n");
  EXPECT_EQ(run("{{`raw\"`}}{{\"a\\\"b\"}}"), "raw\"a\"b");
  EXPECT_EQ(run("{{1.5}} {{-3}} {{true}}"), "1.5 -3 true");
}

TEST(GoTemplate, Decides) {
  EXPECT_EQ(run("{{if .empty}}a{{else if .nope}}b{{else if .service}}c{{else}}d{{end}}!"), "c!");
  EXPECT_EQ(run("{{if eq .service \"db\" \"web\"}}y{{end}}"), "y");
  EXPECT_EQ(run("{{if and .service (not .empty)}}y{{end}}"), "y");
  EXPECT_EQ(run("{{or .empty .version}}"), "v1");
  EXPECT_EQ(run("{{and .service .empty}}|{{and .service .version}}"), "|v1");
  EXPECT_EQ(run("{{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}}"), "true true true false false");
  EXPECT_EQ(run("{{if 0}}y{{else}}n{{end}}"), "n");
}

}  // namespace
}  // namespace kuma::model
