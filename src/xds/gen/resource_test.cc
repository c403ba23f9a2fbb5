#include "xds/gen/resource.h"

#include <thread>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "google/protobuf/any.pb.h"
#include "gtest/gtest.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/pack.h"
#include "xds/gen/shared_pieces.h"
#include "xds/gen/take_piece.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;

Cluster cluster_named(const std::string& name) {
  Cluster cluster;
  cluster.set_name(name);
  return cluster;
}

TEST(Interner, Equal_content_is_one_resource) {
  Interner interner;
  auto a = interner.intern(XdsType::Cluster, "a", cluster_named("a"));
  EXPECT_EQ(a, interner.intern(XdsType::Cluster, "a", cluster_named("a")));
  auto b = interner.intern(XdsType::Cluster, "b", cluster_named("b"));
  EXPECT_NE(a->version, b->version);
  EXPECT_EQ(interner.size(), 2U);
  google::protobuf::Any any;
  ASSERT_TRUE(any.ParseFromString(*a->any));
  EXPECT_EQ(any.type_url(), type_url(XdsType::Cluster));
  Cluster read;
  ASSERT_TRUE(any.UnpackTo(&read));
  EXPECT_EQ(read.name(), "a");
}

TEST(Interner, A_resource_is_the_bytes_of_its_Any) {
  Interner interner;
  for (const std::string& name : {std::string(), std::string("a"), std::string(20'000, 'x')}) {
    const Cluster cluster = cluster_named(name);
    EXPECT_EQ(*interner.intern(XdsType::Cluster, name, cluster)->any, policy::envoy::serialize(policy::envoy::packed(cluster)));
  }
}

TEST(Interner, Forgets_what_nobody_holds) {
  Interner interner;
  std::string version = interner.intern(XdsType::Cluster, "a", cluster_named("a"))->version;
  EXPECT_EQ(interner.size(), 0U);
  auto again = interner.intern(XdsType::Cluster, "a", cluster_named("a"));
  EXPECT_EQ(again->version, version);
  for (int i = 0; i < 5000; ++i) {
    interner.intern(XdsType::Cluster, "x", cluster_named(std::to_string(i)));
  }
  EXPECT_EQ(interner.size(), 1U);
}

TEST(Interner, Maps_are_written_in_order_so_that_the_same_tags_are_the_same_bytes) {
  Interner interner;
  std::vector<std::string> keys;
  for (int i = 0; i < 50; ++i) {
    keys.push_back("key-" + std::to_string(i));
  }
  auto listener = [](const std::vector<std::string>& order) {
    ::envoy::config::listener::v3::Listener message;
    for (const std::string& key : order) {
      policy::envoy::set_tags_metadata(message, {{key, "x"}});
    }
    return message;
  };
  auto forth = interner.intern(XdsType::Listener, "l", listener(keys));
  std::reverse(keys.begin(), keys.end());
  EXPECT_EQ(forth, interner.intern(XdsType::Listener, "l", listener(keys)));
}

TEST(XdsTypes, Are_found_by_their_URL) {
  for (size_t i = 0; i < kXdsTypeCount; ++i) {
    auto type = static_cast<XdsType>(i);
    ASSERT_NE(find_xds_type(type_url(type)), nullptr);
    EXPECT_EQ(*find_xds_type(type_url(type)), type);
  }
  EXPECT_EQ(find_xds_type("type.googleapis.com/other"), nullptr);
  EXPECT_EQ(find_xds_type(""), nullptr);
}

TEST(SharedPieces, A_piece_is_found_as_long_as_somebody_holds_it) {
  Interner interner;
  SharedPieces pieces;
  policy::PieceKey key("test");
  EXPECT_FALSE(pieces.find(XdsType::Cluster, key));
  auto wire = interner.intern(XdsType::Cluster, "a", cluster_named("a"));
  pieces.put(XdsType::Cluster, key, {wire, {{0, "why"}}});
  ASSERT_TRUE(pieces.find(XdsType::Cluster, key));
  EXPECT_EQ(pieces.find(XdsType::Cluster, key)->wire, wire);
  EXPECT_EQ(pieces.find(XdsType::Cluster, key)->left_out.front().message, "why");
  EXPECT_FALSE(pieces.find(XdsType::Listener, key)) << "of another type";
  wire.reset();
  EXPECT_FALSE(pieces.find(XdsType::Cluster, key));
}

TEST(SharedPieces, Keeps_what_a_key_names_by_address_until_it_is_swept) {
  Interner interner;
  SharedPieces pieces;
  std::weak_ptr<const int> watched;
  {
    auto part = std::make_shared<const int>(1);
    watched = part;
    policy::PieceKey key("test");
    key.add(part);
    pieces.put(XdsType::Cluster, key, {interner.intern(XdsType::Cluster, "a", cluster_named("a")), {}});
  }
  EXPECT_FALSE(watched.expired()) << "its address could be taken by another part while the entry is there";
  for (int i = 0; i < 5000; ++i) {
    policy::PieceKey key("other");
    key.add(i);
    pieces.put(XdsType::Cluster, key, {interner.intern(XdsType::Cluster, "x", cluster_named("x")), {}});
  }
  EXPECT_TRUE(watched.expired());
  EXPECT_LT(pieces.size(), 5000U);
}

model::ResourcePtr policy_named(const std::string& name) {
  static const model::ResourceType kType = [] {
    model::ResourceType type;
    type.name = "MeshTest";
    return type;
  }();
  model::Resource resource;
  resource.type = &kType;
  resource.meta.name = name;
  return std::make_shared<const model::Resource>(std::move(resource));
}

// A cluster that one policy gives a timeout, that another one can't change, and that a third one gives a name for statistics.
policy::ClusterDraft draft_with(const std::string& fails, const std::string& renames) {
  policy::ClusterDraft draft;
  draft.name = "backend";
  draft.key = policy::PieceKey("test");
  draft.make = [](Cluster& cluster) { cluster.set_name("backend"); };
  draft.change(policy::PieceKey("timeout"), {policy_named("timeout")}, [](Cluster& cluster) {
    cluster.mutable_connect_timeout()->set_seconds(cluster.connect_timeout().seconds() + 1);
    return absl::OkStatus();
  });
  draft.change(policy::PieceKey("fails"), {policy_named(fails)}, [](Cluster& cluster) {
    cluster.set_name("half-way");
    return absl::InvalidArgumentError("can't be");
  });
  draft.change(policy::PieceKey("renames"), {policy_named(renames)}, [](Cluster& cluster) {
    cluster.set_alt_stat_name("other");
    return absl::OkStatus();
  });
  return draft;
}

TEST(SharedPieces, What_is_left_out_is_put_down_to_the_policy_of_the_proxy_at_hand) {
  Interner interner;
  SharedPieces pieces;
  const GeneratorContext context{.interner = interner, .pieces = &pieces};
  const policy::ClusterDraft first = draft_with("a", "x"), second = draft_with("b", "y");
  ASSERT_EQ(first.key.text(), second.key.text()) << "equal settings of different policies";
  const Piece made = take_piece(context, XdsType::Cluster, first), taken = take_piece(context, XdsType::Cluster, second);
  EXPECT_EQ(made.wire, taken.wire);
  EXPECT_EQ(problems_of(made, first), (std::vector<Problem>{{{"MeshTest", "a"}, "can't be"}}));
  EXPECT_EQ(problems_of(taken, second), (std::vector<Problem>{{{"MeshTest", "b"}, "can't be"}}));
}

TEST(SharedPieces, A_change_that_fails_leaves_nothing_behind_and_the_others_happen_once) {
  Interner interner;
  const Piece piece = make_piece(interner, XdsType::Cluster, draft_with("a", "x"));
  google::protobuf::Any any;
  Cluster cluster;
  ASSERT_TRUE(any.ParseFromString(*piece.wire->any) && any.UnpackTo(&cluster));
  EXPECT_EQ(cluster.name(), "backend");
  EXPECT_EQ(cluster.connect_timeout().seconds(), 1);
  EXPECT_EQ(cluster.alt_stat_name(), "other");
}

TEST(SharedPieces, Lists_and_sets_are_shared_by_value) {
  SharedPieces pieces;
  auto a = pieces.share(std::vector<PolicyRef>{{"T", "a"}});
  EXPECT_EQ(a, pieces.share(std::vector<PolicyRef>{{"T", "a"}}));
  EXPECT_NE(a, pieces.share(std::vector<PolicyRef>{{"T", "b"}}));
  auto names = pieces.share(std::set<std::string>{"x"});
  EXPECT_EQ(names, pieces.share(std::set<std::string>{"x"}));
}

TEST(PieceKey, Different_parts_never_run_together) {
  EXPECT_NE(policy::PieceKey("k").add("ab").add("c").text(), policy::PieceKey("k").add("a").add("bc").text());
  EXPECT_NE(policy::PieceKey("k").add(mesh::Tags{{"a", "b"}}).text(), policy::PieceKey("k").add("a").add("b").text());
  EXPECT_EQ(policy::PieceKey("k").add(1).add("x").text(), policy::PieceKey("k").add(1).add("x").text());
}

TEST(SharedPieces, Many_threads_make_and_find_the_same_pieces) {
  Interner interner;
  SharedPieces pieces;
  std::vector<std::thread> threads;
  std::vector<std::vector<WireResourcePtr>> held(4);
  for (size_t t = 0; t < held.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        policy::PieceKey key("test");
        key.add(i % 50);
        auto found = pieces.find(XdsType::Cluster, key);
        if (!found) {
          found = Piece{interner.intern(XdsType::Cluster, "c", cluster_named(std::to_string(i % 50))), {}};
          pieces.put(XdsType::Cluster, key, *found);
        }
        held[t].push_back(found->wire);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(interner.size(), 50U);
  EXPECT_EQ(held[0][7], held[3][7]);
}

}  // namespace
}  // namespace kuma::xds
