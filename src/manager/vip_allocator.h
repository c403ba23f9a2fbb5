#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "mesh/vip_range.h"
#include "mesh/vips.h"
#include "store/store.h"

namespace kuma::manager {

struct VipAllocatorOptions {
  mesh::VipRange range;              // KUMA_DNS_SERVER_CIDR
  std::string zone{};                // of this control plane
  std::string domain = "mesh";       // KUMA_DNS_SERVER_DOMAIN
  bool service_vips = true;          // KUMA_DNS_SERVER_SERVICE_VIP_ENABLED
  mesh::VipForm form = mesh::VipForm::ByName;
  std::chrono::nanoseconds quiet = std::chrono::milliseconds(50);  // changes that come closer together share a write
};

// Keeps the VIP table of every mesh (mesh/vips.h) true: gives new names an address, frees those of names that are gone.
//
// The change feed marks meshes; a mark leads to one allocation soon, and what comes meanwhile to one after it. Nothing is
// written that is equal to what is stored; with nothing changing, nothing runs. Several control planes of a zone may run
// one each: they come to the same table, and a write that comes second is done again on what the first wrote.
//
// An address that becomes free is not given to another name for twice as long as names are cached (30 s), so that nobody's
// connection ends at another service; its own name has it back when it returns.
//
// Thread: marks are taken on `executor`, tables are made and written on `workers`. stop() is called when neither runs any
// more, or on the executor; after it no write begins.
class VipAllocator {
 public:
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    const Clock& clock;
    TimerExecutor& executor;
    Executor& workers;
  };
  VipAllocator(const Parts& parts, VipAllocatorOptions options);
  ~VipAllocator();  // stop()

  void start();  // any thread, once
  void stop();

  // Names of the mesh that can't be had, and why. Any thread.
  std::vector<std::string> problems(const std::string& mesh) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::manager
