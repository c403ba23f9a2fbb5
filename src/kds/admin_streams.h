#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "kds/link.h"
#include "model/resource.h"
#include "store/store.h"

// Pages of Envoy's admin interface through the streams that a zone holds open to its global (spec/kds.md §11): requests go
// down, answers come up.
namespace kuma::kds {

// Named as Envoy names them.
inline constexpr std::string_view kAdminPages[] = {"config_dump", "stats", "clusters"};
// The method of a page's stream.
std::string_view rpc_of_page(std::string_view page);

using PageDone = std::function<void(absl::StatusOr<std::string>)>;

// The global's end. Thread: the executor's, but for fetch().
class AdminStreams : public std::enable_shared_from_this<AdminStreams> {
 public:
  static constexpr size_t kWaitingMax = 1'000;  // requests without an answer; more are refused

  AdminStreams(TimerExecutor& executor, std::function<std::string()> make_id) : executor_(executor), make_id_(std::move(make_id)) {}

  std::shared_ptr<Session> open(const std::string& zone, std::string_view page, Link& link);

  // The page of a proxy, whose name in the store begins with its zone's. `done` is called once, on any thread. Any thread.
  void fetch(const model::Resource& proxy, const std::string& page, PageDone done);

 private:
  struct Waiting {
    PageDone done;
    std::string zone;
    std::string page;
    std::shared_ptr<void> timer;
  };
  struct Stream;
  void send(const std::string& type, const model::ResourceKey& key, const std::string& page, PageDone done);
  bool answer(const std::string& zone, const std::string& id, absl::StatusOr<std::string> page);
  void on_closed(const std::string& zone, const std::string& page, const Stream* stream);

  TimerExecutor& executor_;
  const std::function<std::string()> make_id_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Stream>> streams_;  // by zone and page
  std::map<std::string, Waiting> waiting_;                                          // by request id
};

// Gets a page from a proxy's Envoy; `done` is called once, on any thread.
using FetchPage = std::function<void(model::ResourcePtr proxy, std::string page, PageDone done)>;

// A zone's end: answers each request from its own proxies.
std::shared_ptr<Session> serve_admin_page(const model::Registry& registry, const store::Store& store, TimerExecutor& executor,
                                          const FetchPage& fetch, std::string_view page, Link& link);

}  // namespace kuma::kds
