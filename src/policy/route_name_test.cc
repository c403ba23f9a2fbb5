#include "policy/route_name.h"

#include "base/text.h"
#include "gtest/gtest.h"

namespace kuma::policy {
namespace {

std::string name_of(const std::string& yaml) { return route_name(*parse_yaml(yaml)); }
std::string named(const std::string& text) { return base64_encode(sha256(text)); }

TEST(RouteName, Is_the_one_that_the_reference_gives_to_the_route_for_everything) {
  EXPECT_EQ(name_of("[{path: {type: PathPrefix, value: /}}]"), "9Zuf5Tg79OuZcQITwBbQykxAk2u4fRKrwYn3//AL4Yo=");
}

TEST(RouteName, Has_all_members_in_one_order_whatever_the_order_they_were_written_in) {
  EXPECT_EQ(name_of("[{headers: [{value: v, name: h, type: Exact}, {name: i}], queryParams: [{value: '', name: q, type: "
                    "Exact}], method: GET, path: {value: /a, type: Exact}}, {}]"),
            named(R"([{"path":{"value":"/a","type":"Exact"},"method":"GET","queryParams":[{"type":"Exact","name":"q","value":""}],)"
                  R"("headers":[{"type":"Exact","name":"h","value":"v"},{"name":"i"}]},{}])"));
}

TEST(RouteName, Escapes_text_as_the_reference_does) {
  EXPECT_EQ(name_of(R"([{path: {type: RegularExpression, value: "<a>&\"\\\n\x01\u2028é"}}])"),
            named(R"([{"path":{"value":"\u003ca\u003e\u0026\"\\\n\u0001\u2028é","type":"RegularExpression"}}])"));
}

TEST(RouteName, Tells_orders_and_absent_types_apart) {
  EXPECT_NE(name_of("[{method: GET}, {method: PUT}]"), name_of("[{method: PUT}, {method: GET}]"));
  EXPECT_NE(name_of("[{headers: [{name: a, value: b}]}]"), name_of("[{headers: [{type: Exact, name: a, value: b}]}]"));
}

}  // namespace
}  // namespace kuma::policy
