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

}  // namespace
}  // namespace kuma::model
