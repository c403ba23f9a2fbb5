#pragma once

#include "policy/proxy_resources.h"

namespace kuma::policy {

// The effect of the ProxyTemplate that is chosen for a dataplane (spec/legacy-policies.md §15). Null stands for none.

model::ResourcePtr select_proxy_template(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

// Whether the standard parts of the configuration are generated: without a template always, else if it says so.
bool imports_default_proxy(const model::ResourcePtr& proxy_template);

// Adds its own Envoy resources; before the targetRef policies run.
void add_raw_resources(const model::ResourcePtr& proxy_template, ProxyResources& resources);

// Applies its modifications; after everything else.
void apply_template_modifications(const model::ResourcePtr& proxy_template, ProxyResources& resources);

}  // namespace kuma::policy
