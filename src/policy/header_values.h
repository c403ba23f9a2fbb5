#pragma once

#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "policy/conf_view.h"

namespace kuma::policy {

using HeaderOptions = google::protobuf::RepeatedPtrField<::envoy::config::core::v3::HeaderValueOption>;

// What becomes of a value with commas.
enum class Commas { Kept, Separate };  // Separate: a header for each part

// Adds the items of a policy's list of `{name, value}`. `append`: beside headers of that name that are there already, else in
// their place.
void add_header_values(const ConfView& list, bool append, Commas commas, HeaderOptions& headers);

}  // namespace kuma::policy
