# Targets of this project: `kuma_<folder>` libraries, `<folder>_test` binaries made of the `*_test.cc` beside the code,
# `<folder>_bench` of the `*_bench.cc`.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)

enable_testing()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow)
# Errors where they are reliable: with -O2 and with sanitizers gcc 12 warns of things that cannot happen.
option(KUMA_WERROR "treat warnings as errors" ON)
if(KUMA_WERROR)
  add_compile_options(-Werror)
endif()
# gcc 12 sees overflows in std::string's inlined assignment of short literals that are not there (its bug 105651).
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED SPDLOG_FMT_EXTERNAL)

# The generated Envoy API: built once by cmake/envoy_api, shared by all presets, without our warnings.
add_library(kuma_envoy_api STATIC IMPORTED GLOBAL)
set_target_properties(kuma_envoy_api PROPERTIES
  IMPORTED_LOCATION ${ENVOY_API_DIR}/libenvoy_api.a
  INTERFACE_INCLUDE_DIRECTORIES ${ENVOY_API_DIR}/gen)
target_link_libraries(kuma_envoy_api INTERFACE protobuf::libprotobuf)

# The descriptors of the whole Envoy API as bytes within the program (policy/envoy/all_types.cc reads them).
set(ENVOY_ALL_OBJECT ${CMAKE_BINARY_DIR}/envoy_all.o)
add_custom_command(
  OUTPUT ${ENVOY_ALL_OBJECT}
  COMMAND ld -r -b binary -z noexecstack -o ${ENVOY_ALL_OBJECT} envoy_all.pb
  WORKING_DIRECTORY ${ENVOY_API_DIR}
  DEPENDS ${ENVOY_API_DIR}/envoy_all.pb
  VERBATIM)
add_library(kuma_envoy_all STATIC ${ENVOY_ALL_OBJECT})
set_source_files_properties(${ENVOY_ALL_OBJECT} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(kuma_envoy_all PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(kuma_envoy_api INTERFACE kuma_envoy_all)

# proto/**.proto as C++ in <build>/proto. Services are described, not generated: src/net frames gRPC itself.
function(kuma_proto_library)
  file(GLOB_RECURSE protos CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/proto ${CMAKE_SOURCE_DIR}/proto/*.proto)
  set(out ${CMAKE_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(proto ${protos})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    list(APPEND sources ${out}/${stem}.pb.cc)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND protobuf::protoc --descriptor_set_in=${ENVOY_API_DIR}/well_known.pb:${ENVOY_API_DIR}/envoy_api.pb
              -I ${CMAKE_SOURCE_DIR}/proto --cpp_out=${out} ${proto}
      DEPENDS ${CMAKE_SOURCE_DIR}/proto/${proto}
      VERBATIM)
  endforeach()
  add_library(kuma_proto STATIC ${sources})
  target_compile_options(kuma_proto PRIVATE -w)
  target_include_directories(kuma_proto SYSTEM PUBLIC ${out})
  target_link_libraries(kuma_proto PUBLIC kuma_envoy_api protobuf::libprotobuf)
endfunction()

function(kuma_library name)
  cmake_parse_arguments(ARG "RECURSE" "DIR" "DEPS" ${ARGN})
  set(glob GLOB)
  if(ARG_RECURSE)
    set(glob GLOB_RECURSE)
  endif()
  file(${glob} sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ARG_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(benches ${sources})
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cc$")

  set(deps ${ARG_DEPS})
  list(TRANSFORM deps PREPEND kuma_)
  set(external absl::status absl::statusor absl::flat_hash_map absl::flat_hash_set absl::strings fmt::fmt
               spdlog::spdlog yaml-cpp OpenSSL::SSL OpenSSL::Crypto Boost::json Boost::url Threads::Threads)
  if(name STREQUAL "store")
    list(APPEND external SQLite::SQLite3)
  endif()
  if(name STREQUAL "observe")
    list(APPEND external prometheus-cpp::core)
  endif()
  if(name STREQUAL "net")
    list(APPEND external nghttp2 z)
  endif()
  if(name STREQUAL "model")
    list(APPEND external re2)
  endif()
  if(sources)
    add_library(kuma_${name} STATIC ${sources})
    target_include_directories(kuma_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(kuma_${name} PUBLIC ${deps} ${external})
    foreach(dep ${deps})
      if(dep STREQUAL "kuma_envoy_api" AND NOT name STREQUAL "policy")
        if(TARGET kuma_policy)
          target_precompile_headers(kuma_${name} REUSE_FROM kuma_policy)
        endif()
      endif()
    endforeach()
    if(name STREQUAL "policy")
      target_precompile_headers(kuma_policy PRIVATE ${CMAKE_SOURCE_DIR}/cmake/envoy_pch.h)
    endif()
  else()
    add_library(kuma_${name} INTERFACE)
    target_include_directories(kuma_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(kuma_${name} INTERFACE ${deps} ${external})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE kuma_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    if(name STREQUAL "policy")
      target_precompile_headers(policy_test PRIVATE ${CMAKE_SOURCE_DIR}/cmake/test_pch.h)
    elseif("kuma_envoy_api" IN_LIST deps OR "kuma_xds_gen" IN_LIST deps)
      target_precompile_headers(${name}_test REUSE_FROM policy_test)
    endif()
    if(name STREQUAL "net" OR name STREQUAL "xds_server")
      target_link_libraries(${name}_test PRIVATE grpc++ grpc gpr)  # a peer that somebody else wrote
    endif()
    add_test(NAME ${name}_test COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
  if(benches)
    find_package(benchmark REQUIRED)
    add_executable(${name}_bench EXCLUDE_FROM_ALL ${benches})
    target_link_libraries(${name}_bench PRIVATE kuma_${name} benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()

function(kuma_executable name)
  cmake_parse_arguments(ARG "" "DIR" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ARG_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  set(deps ${ARG_DEPS})
  list(TRANSFORM deps PREPEND kuma_)
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/${ARG_DIR})
  target_link_libraries(${name} PRIVATE ${deps})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${KUMA_BIN_DIR})
endfunction()

set(KUMA_BIN_DIR ${CMAKE_BINARY_DIR}/bin CACHE PATH "where the programs land")
