#include "policy/envoy/percent.h"

#include <gtest/gtest.h>

#include "policy/envoy/redirect_code.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::route::v3::RedirectAction;
using ::envoy::type::v3::FractionalPercent;

TEST(Percent, Is_in_the_coarsest_unit_that_holds_it) {
  struct Case {
    double percent;
    uint32_t numerator;
    FractionalPercent::DenominatorType denominator;
  };
  for (const Case& c : {Case{0, 0, FractionalPercent::HUNDRED}, Case{100, 100, FractionalPercent::HUNDRED},
                        Case{12.5, 1250, FractionalPercent::TEN_THOUSAND}, Case{0.001, 10, FractionalPercent::MILLION},
                        Case{33.3333, 333333, FractionalPercent::MILLION}, Case{0.00001, 0, FractionalPercent::MILLION}}) {
    FractionalPercent out;
    set_percent(c.percent, out);
    EXPECT_EQ(out.numerator(), c.numerator) << c.percent;
    EXPECT_EQ(out.denominator(), c.denominator) << c.percent;
  }
}

TEST(RedirectCode, Of_what_is_none_is_the_default) {
  EXPECT_EQ(redirect_code(0), RedirectAction::MOVED_PERMANENTLY);
  EXPECT_EQ(redirect_code(304), RedirectAction::MOVED_PERMANENTLY);
}

TEST(RedirectCode, Is_Envoys_name_of_the_status) {
  EXPECT_EQ(redirect_code(301), RedirectAction::MOVED_PERMANENTLY);
  EXPECT_EQ(redirect_code(302), RedirectAction::FOUND);
  EXPECT_EQ(redirect_code(303), RedirectAction::SEE_OTHER);
  EXPECT_EQ(redirect_code(307), RedirectAction::TEMPORARY_REDIRECT);
  EXPECT_EQ(redirect_code(308), RedirectAction::PERMANENT_REDIRECT);
}

}  // namespace
}  // namespace kuma::policy::envoy
