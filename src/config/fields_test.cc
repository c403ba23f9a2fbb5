#include "config/fields.h"

#include <set>

#include "gtest/gtest.h"

namespace kuma::config {
namespace {

TEST(Fields, Have_a_path_a_variable_and_a_member_of_their_own) {
  Config config;
  const FieldList fields = fields_of(config);
  std::set<std::string> paths;
  std::set<std::string> variables;
  std::set<const void*> members;
  for (const Field& field : fields.all()) {
    EXPECT_TRUE(paths.insert(field.path).second) << field.path;
    EXPECT_TRUE(field.variable.empty() || variables.insert(field.variable).second) << field.variable;
    const void* member = std::visit([](auto* target) -> const void* { return target; }, field.target);
    EXPECT_TRUE(members.insert(member).second) << field.path;
  }
  // The reference's 260, store.sqlite.path, apiServer.bodySizeMax and the two of zones' control plane tokens.
  EXPECT_EQ(fields.all().size(), 264U);
}

TEST(Fields, Have_no_path_that_is_also_a_section) {
  Config config;
  const FieldList fields = fields_of(config);
  for (const Field& section : fields.all()) {
    for (const Field& field : fields.all()) {
      EXPECT_FALSE(field.path.starts_with(section.path + ".")) << field.path;
    }
  }
}

}  // namespace
}  // namespace kuma::config
