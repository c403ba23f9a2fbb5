#pragma once

#include <string_view>

// Titles of errors: what the client tried to do.
namespace kuma::api::titles {

inline constexpr std::string_view kRetrieve = "Could not retrieve a resource";
inline constexpr std::string_view kRetrieveList = "Could not retrieve resources";
inline constexpr std::string_view kPaginate = "Could not paginate resources";
inline constexpr std::string_view kProcess = "Could not process a resource";
inline constexpr std::string_view kCreate = "Could not create a resource";
inline constexpr std::string_view kUpdate = "Could not update a resource";
inline constexpr std::string_view kDelete = "Could not delete a resource";
inline constexpr std::string_view kIssueToken = "Could not issue a token";
inline constexpr std::string_view kInvalidRequest = "Invalid request";

}  // namespace kuma::api::titles
