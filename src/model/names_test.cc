#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/rest.h"

namespace kuma::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kStrict =
    "name: invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character";
constexpr const char* kLooseName =
    "name: invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_', '.' symbols.";
constexpr const char* kLooseMesh =
    "mesh: invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_', '.' symbols.";

std::vector<std::string> check(const char* type, std::string mesh, std::string name, const MetaRules& rules = {}) {
  static const Registry kRegistry(core_types());
  Violations violations;
  ResourceMeta meta;
  meta.mesh = std::move(mesh);
  meta.name = std::move(name);
  validate_meta(*kRegistry.find(type), meta, rules, violations);
  std::vector<std::string> out;
  for (const Violation& violation : violations.list()) {
    out.push_back(violation.field + ": " + violation.message);
  }
  return out;
}

TEST(Names, Refuses_empty_and_too_long_names) {
  EXPECT_THAT(check("Zone", "", ""), ElementsAre("name: cannot be empty"));
  EXPECT_THAT(check("Zone", "", std::string(254, 'a')), ElementsAre("name: value length must less or equal 253"));
  EXPECT_THAT(check("Zone", "", std::string(253, 'a')), IsEmpty());
}

TEST(Names, Refuses_what_is_no_DNS_subdomain_on_create) {
  for (const char* name : {"UPPER", "under_score", "-dash", "dash-", ".dot", "dot.", "a..b", "a b", "\xC3\xA9", "a.-b", "a-.b", "a/b", "-"}) {
    EXPECT_THAT(check("Mesh", "", name), ElementsAre(kStrict)) << name;
  }
}

TEST(Names, Takes_DNS_subdomains) {
  for (const char* name : {"a", "0", "a-b", "a--b", "a.b-c.0", "a1.b2"}) {
    EXPECT_THAT(check("Mesh", "", name), IsEmpty()) << name;
  }
}

TEST(Names, Lets_older_names_pass_on_update) {
  const MetaRules update{.existing = true, .zone_name = ""};
  EXPECT_THAT(check("Mesh", "", "under_score", update), IsEmpty());
  EXPECT_THAT(check("Mesh", "", "-dash-", update), IsEmpty());
  EXPECT_THAT(check("Mesh", "", "a..b", update), IsEmpty());
  EXPECT_THAT(check("Mesh", "", "UPPER", update), ElementsAre(kLooseName));
  EXPECT_THAT(check("Mesh", "", "", update), ElementsAre("name: cannot be empty"));
}

TEST(Names, Refuses_bad_meshes_of_mesh_scoped_types_only) {
  EXPECT_THAT(check("Timeout", "", "t"), ElementsAre("mesh: cannot be empty"));
  EXPECT_THAT(check("Timeout", std::string(254, 'm'), "t"), ElementsAre("mesh: value length must less or equal 253"));
  EXPECT_THAT(check("Timeout", "No", "t"), ElementsAre(kLooseMesh));
  EXPECT_THAT(check("Timeout", "under_score", "t"), IsEmpty());
  EXPECT_THAT(check("Zone", "No", "z"), IsEmpty());
}

TEST(Names, Reports_name_before_mesh) {
  EXPECT_THAT(check("Timeout", "", ""), ElementsAre("name: cannot be empty", "mesh: cannot be empty"));
}

TEST(Names, Wants_room_for_the_zone_in_front_of_names) {
  const MetaRules in_zone{.existing = false, .zone_name = "east"};
  EXPECT_THAT(check("Dataplane", "m", std::string(248, 'a'), in_zone), ElementsAre("name: the length of the name must be shorter"));
  EXPECT_THAT(check("Dataplane", "m", std::string(247, 'a'), in_zone), IsEmpty());
}

}  // namespace
}  // namespace kuma::model
