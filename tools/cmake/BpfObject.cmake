# SPDX-License-Identifier: Apache-2.0
#
# natrix_bpf_object(name SOURCE file.bpf.c)
#
# Compiles one BPF object with clang and makes an INTERFACE target `name_skel`
# whose include path holds the skeleton `name.skel.h`, struct `name_bpf` (a C++
# namespace may not share a name with a struct).  Every header clang read
# is a dependency (DEPFILE), so an edit in maps/abi rebuilds object, skeleton
# and what includes it.
#
# natrix_bpf_check(SOURCE file.bpf.c COMPILER clang-NN)
#
# Compiles the same source with another clang, warnings as errors, and throws
# the result away: both compilers that we promise must accept every change.

find_program(NATRIX_BPF_CLANG NAMES clang-19 clang-14 REQUIRED)
find_program(NATRIX_BPFTOOL bpftool PATHS /usr/sbin REQUIRED)

# No path of this machine's headers beyond the kernel's user API and libbpf's:
# kernel-internal types are declared where they are used, for CO-RE.
set(NATRIX_BPF_FLAGS
  -std=gnu11 -g -O2 -mcpu=v3 --target=bpf -fno-strict-aliasing
  -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter
  "-I${CMAKE_SOURCE_DIR}" -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")

function(natrix_bpf_object name)
  cmake_parse_arguments(arg "" "SOURCE" "" ${ARGN})
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}")
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(skeleton "${CMAKE_CURRENT_BINARY_DIR}/skel/${name}.skel.h")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${NATRIX_BPF_CLANG}" ${NATRIX_BPF_FLAGS}
            -MD -MF "${object}.d" -MT "${object}" -c "${source}" -o "${object}"
    DEPENDS "${source}"
    DEPFILE "${object}.d"
    COMMENT "BPF   ${arg_SOURCE}" VERBATIM)
  add_custom_command(
    OUTPUT "${skeleton}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${CMAKE_CURRENT_BINARY_DIR}/skel"
    COMMAND sh -c "\"$1\" gen skeleton \"$2\" name \"$3\" > \"$4.tmp\" && mv \"$4.tmp\" \"$4\""
            sh "${NATRIX_BPFTOOL}" "${object}" "${name}_bpf" "${skeleton}"
    DEPENDS "${object}"
    COMMENT "SKEL  ${name}" VERBATIM)
  add_custom_target(${name}_skel_build DEPENDS "${skeleton}")
  add_library(${name}_skel INTERFACE)
  target_include_directories(${name}_skel SYSTEM INTERFACE "${CMAKE_CURRENT_BINARY_DIR}/skel")
  target_link_libraries(${name}_skel INTERFACE PkgConfig::LIBBPF)
  add_dependencies(${name}_skel ${name}_skel_build)
  set_property(TARGET ${name}_skel PROPERTY NATRIX_BPF_OBJECT "${object}")
endfunction()

function(natrix_bpf_check)
  cmake_parse_arguments(arg "" "SOURCE;COMPILER" "" ${ARGN})
  find_program(NATRIX_BPF_${arg_COMPILER} ${arg_COMPILER} REQUIRED)
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}")
  get_filename_component(stem "${arg_SOURCE}" NAME_WE)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${stem}.${arg_COMPILER}.o")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${NATRIX_BPF_${arg_COMPILER}}" ${NATRIX_BPF_FLAGS}
            -MD -MF "${object}.d" -MT "${object}" -c "${source}" -o "${object}"
    DEPENDS "${source}"
    DEPFILE "${object}.d"
    COMMENT "BPF   ${arg_SOURCE} (${arg_COMPILER})" VERBATIM)
  add_custom_target(${stem}_${arg_COMPILER} ALL DEPENDS "${object}")
endfunction()
