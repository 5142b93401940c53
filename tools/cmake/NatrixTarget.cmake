# SPDX-License-Identifier: Apache-2.0
#
# How every C++ target of the tree is built: one place for the language level,
# the warnings and the include root, so that no folder sets flags of its own.

set(NATRIX_SANITIZE "" CACHE STRING "value for -fsanitize=, empty for none")

add_library(natrix_options INTERFACE)
target_compile_features(natrix_options INTERFACE cxx_std_23)
target_include_directories(natrix_options INTERFACE "${CMAKE_SOURCE_DIR}")
# Missing field initialisers are how libbpf's option structs are meant to be written.
target_compile_options(natrix_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wnon-virtual-dtor
  -Wno-missing-field-initializers)
target_compile_definitions(natrix_options INTERFACE SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB)
if(NATRIX_SANITIZE)
  target_compile_options(natrix_options INTERFACE -fsanitize=${NATRIX_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(natrix_options INTERFACE -fsanitize=${NATRIX_SANITIZE})
endif()

# natrix_library(name SOURCES ... [LINK ...]): a static library of one layer.
function(natrix_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC natrix_options ${arg_LINK})
endfunction()

# natrix_executable(name SOURCES ... [LINK ...])
function(natrix_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE natrix_options ${arg_LINK})
endfunction()

# natrix_test(name LABEL unit|bpf|netns|oracle SOURCES ... [LINK ...] [TIMEOUT seconds])
#
# One GoogleTest program, each of its cases a ctest entry `label.Suite.Case`.
# Privileged labels share the machine's namespaces and run one at a time.
function(natrix_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  natrix_executable(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} GTest::gmock GTest::gtest_main)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  set(serial "")
  if(NOT arg_LABEL STREQUAL "unit")
    set(serial RUN_SERIAL TRUE)
  endif()
  # GTEST_SKIP shows as "Skipped" and does not fail ctest; tools/test makes it fail.
  # A value-parameterised case keeps the name its author gave it: a dump of the value holds addresses.
  gtest_discover_tests(${name} TEST_PREFIX "${arg_LABEL}." DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
    PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} ${serial})
  set_property(GLOBAL APPEND PROPERTY NATRIX_TESTS "${arg_LABEL}:${name}") # for tests/vm
endfunction()

if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
