#include "insight/metered_store.h"

namespace kuma::insight {
namespace {

constexpr std::array<const char*, 5> kOperations = {"create", "update", "delete", "get", "list"};

}  // namespace

MeteredStore::MeteredStore(std::unique_ptr<store::Store> store, const Clock& clock, observe::Metrics& metrics)
    : store_(std::move(store)), clock_(clock), metrics_(metrics) {
  subscription_ = store_->subscribe([this](std::span<const model::Change> changes) {
    for (const model::Change& change : changes) {
      count(change);
    }
  });
}

MeteredStore::~MeteredStore() = default;

template <typename Run>
auto MeteredStore::timed(Operation operation, const model::ResourceType& type, Run run) const {
  const MonotonicTime start = clock_.monotonic_now();
  auto result = run();
  const std::chrono::duration<double> taken = clock_.monotonic_now() - start;
  const auto index = static_cast<size_t>(operation);
  observe::Histogram histogram;
  {
    std::lock_guard lock(mutex_);
    auto [entry, is_new] = durations_[index].try_emplace(&type);
    if (is_new) {
      entry->second = metrics_.histogram("store", "How long operations of the store take, in seconds",
                                         {{"operation", kOperations[index]}, {"resource_type", std::string(type.name)}});
    }
    histogram = entry->second;
  }
  histogram.observe(taken.count());
  return result;
}

void MeteredStore::note_conflict(const absl::Status& status, const model::ResourceType& type) const {
  if (status.code() == absl::StatusCode::kAborted) {
    metrics_.counter("store_conflicts", "Writes that met another one", {{"resource_type", std::string(type.name)}}).add();
  }
}

void MeteredStore::count(const model::Change& change) {
  if ((change.before == nullptr) == (change.after == nullptr)) {
    return;
  }
  const model::ResourceType& type = *(change.after != nullptr ? change.after : change.before)->type;
  auto [entry, is_new] = counts_.try_emplace(type.name);
  if (is_new) {
    entry->second = metrics_.gauge("resources_count", "How many resources are stored",
                                   {{"resource_type", std::string(type.name)}, {"tenant", ""}});
  }
  entry->second.add(change.after != nullptr ? 1 : -1);
}

absl::StatusOr<model::ResourcePtr> MeteredStore::create(model::Resource resource) {
  const model::ResourceType& type = *resource.type;
  return timed(Operation::Create, type, [&] { return store_->create(std::move(resource)); });
}

absl::StatusOr<model::ResourcePtr> MeteredStore::update(model::Resource resource) {
  const model::ResourceType& type = *resource.type;
  auto result = timed(Operation::Update, type, [&] { return store_->update(std::move(resource)); });
  note_conflict(result.status(), type);
  return result;
}

absl::Status MeteredStore::remove(const model::ResourceType& type, const model::ResourceKey& key) {
  return timed(Operation::Delete, type, [&] { return store_->remove(type, key); });
}

absl::StatusOr<model::ResourcePtr> MeteredStore::get(const model::ResourceType& type, const model::ResourceKey& key) const {
  return timed(Operation::Get, type, [&] { return store_->get(type, key); });
}

store::ListResult MeteredStore::list(const store::ListQuery& query) const {
  return timed(Operation::List, *query.type, [&] { return store_->list(query); });
}

std::unique_ptr<store::Subscription> MeteredStore::subscribe(std::function<void(std::span<const model::Change>)> on_changes) {
  return store_->subscribe(std::move(on_changes));
}

std::string_view MeteredStore::kind() const { return store_->kind(); }

}  // namespace kuma::insight
