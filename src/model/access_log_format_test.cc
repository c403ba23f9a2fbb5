#include "model/access_log_format.h"

#include <string>

#include "base/status.h"
#include "gtest/gtest.h"

namespace kuma::model {
namespace {

std::string problem(std::string_view format) { return std::string(message_of(check_access_log_format(format))); }

TEST(AccessLogFormat, Says_where_an_operator_was_expected) {
  constexpr const char* kExpected = "format string is not valid: expected a command operator to start at position ";
  EXPECT_EQ(problem("%"), kExpected + std::string("1, instead got: \"%\""));
  EXPECT_EQ(problem("%X"), kExpected + std::string("1, instead got: \"%X\""));
  EXPECT_EQ(problem("%REQ(a"), kExpected + std::string("1, instead got: \"%REQ(a\""));
  EXPECT_EQ(problem("%REQ(a):%"), kExpected + std::string("1, instead got: \"%REQ(a):%\""));
  EXPECT_EQ(problem("%lower%"), kExpected + std::string("1, instead got: \"%lower%\""));
  EXPECT_EQ(problem("%%"), kExpected + std::string("1, instead got: \"%%\""));
  EXPECT_EQ(problem("100% x\n"), kExpected + std::string("4, instead got: \"% x\\n\""));
  EXPECT_EQ(problem("%START_TIME% %"), kExpected + std::string("14, instead got: \"%\""));
}

TEST(AccessLogFormat, Wants_the_arguments_of_each_command) {
  EXPECT_EQ(problem("%REQ%"), "format string is not valid: command \"%REQ%\" requires a header and optional alternative header names as its "
                              "arguments, instead got \"%REQ%\"");
  EXPECT_EQ(problem("%RESP()%"), "format string is not valid: command \"%RESP%\" requires a header and optional alternative header names as its "
                                 "arguments, instead got \"%RESP()%\"");
  EXPECT_EQ(problem("%TRAILER(a?b?c)%"), "format string is not valid: more than 1 alternative header specified in \"%TRAILER(a?b?c)%\"");
  EXPECT_EQ(problem("%DYNAMIC_METADATA%"), "format string is not valid: command \"%DYNAMIC_METADATA%\" requires a filter namespace and optional "
                                           "path as its arguments, instead got \"%DYNAMIC_METADATA%\"");
  EXPECT_EQ(problem("%FILTER_STATE%"),
            "format string is not valid: command \"%FILTER_STATE%\" requires a key as its argument, instead got \"%FILTER_STATE%\"");
  EXPECT_EQ(problem("%START_TIME(a\nb)%"), "format string is not valid: start time format string contains a newline in \"%START_TIME(a\\nb)%\"");
}

TEST(AccessLogFormat, Refuses_arguments_of_commands_without_any) {
  EXPECT_EQ(problem("%PROTOCOL(a)%"),
            "format string is not valid: command \"%PROTOCOL%\" doesn't support arguments or max length constraint, instead got \"%PROTOCOL(a)%\"");
  EXPECT_EQ(problem("%KUMA_MESH:5%"),
            "format string is not valid: command \"%KUMA_MESH%\" doesn't support arguments or max length constraint, instead got \"%KUMA_MESH:5%\"");
}

TEST(AccessLogFormat, Takes_what_Envoy_and_the_mesh_know) {
  for (const char* format : {"", "plain", "%START_TIME%", "%START_TIME(%s)%", "%REQ(:METHOD)% %REQ(X?Y):10%", "%RESP(a)%%TRAILER(b?c)%",
                             "%DYNAMIC_METADATA(a:b)%", "%FILTER_STATE(k):3%", "%KUMA_SOURCE_SERVICE%", "%SOMETHING_NEW%"}) {
    EXPECT_EQ(problem(format), "") << format;
  }
}

std::string filled(std::string_view format) {
  const AccessLogValues values{"default", "10.0.0.1", "web", "backend", "OUTBOUND"};
  const auto text = fill_access_log_format(format, values);
  return text.ok() ? *text : std::string(message_of(text.status()));
}

TEST(AccessLogFormat, Operators_of_the_mesh_become_their_values) {
  EXPECT_EQ(filled("%KUMA_MESH%/%KUMA_SOURCE_SERVICE%>%KUMA_DESTINATION_SERVICE% %KUMA_TRAFFIC_DIRECTION%"),
            "default/web>backend OUTBOUND");
  EXPECT_EQ(filled("%KUMA_SOURCE_ADDRESS% %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%"), "10.0.0.1:0 10.0.0.1");
  EXPECT_EQ(filled("<%KUMA_NO_SUCH_THING%>"), "<>");
  const auto ipv6 = fill_access_log_format("%KUMA_SOURCE_ADDRESS%", {.mesh = "", .source_address = "fd00::1", .source_service = "", .destination_service = "", .direction = ""});
  EXPECT_EQ(*ipv6, "[fd00::1]:0");
}

TEST(AccessLogFormat, Names_of_headers_become_lower_case_and_nothing_else_does) {
  EXPECT_EQ(filled("%REQ(X-A?:PATH):10% %RESP(B)% %TRAILER(C)%"), "%REQ(x-a?:path):10% %RESP(b)% %TRAILER(c)%");
  EXPECT_EQ(filled("%START_TIME(%Y)% %DYNAMIC_METADATA(Ns:Key)% %FILTER_STATE(Key)% Text"),
            "%START_TIME(%Y)% %DYNAMIC_METADATA(Ns:Key)% %FILTER_STATE(Key)% Text");
}

TEST(AccessLogFormat, A_format_that_is_none_is_not_filled_in) {
  EXPECT_EQ(filled("100% x"), "format string is not valid: expected a command operator to start at position 4, instead got: \"% x\"");
}

TEST(AccessLogFormat, Lists_the_headers_that_are_printed) {
  const AccessLogFields fields = access_log_fields("%REQ(X-B?x-a)% %REQ(x-b)% %RESP(Y)% %TRAILER(Z)% %FILTER_STATE(Key)%");
  EXPECT_EQ(fields.request_headers, (std::set<std::string>{"x-a", "x-b"}));
  EXPECT_EQ(fields.response_headers, (std::set<std::string>{"y"}));
  EXPECT_EQ(fields.response_trailers, (std::set<std::string>{"z"}));
  EXPECT_EQ(fields.filter_state, (std::set<std::string>{"Key"}));
  EXPECT_TRUE(access_log_fields("%").request_headers.empty());
}

}  // namespace
}  // namespace kuma::model
