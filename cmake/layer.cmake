# SPDX-License-Identifier: MIT
# mayfly_layer(<name> <sources...>): one layer of src/ as an object library
# mayfly_<name>. src/CMakeLists.txt links all of them into the library, and
# tools/symbols.sh looks into each to see that it calls no layer above it.
include(CheckCCompilerFlag)

set(layer_flags -fexceptions -ftls-model=initial-exec)
# No frame may be so big that it steps over a guard page unseen.
set(CMAKE_REQUIRED_FLAGS -Werror)
check_c_compiler_flag(-fstack-clash-protection MAYFLY_HAS_STACK_CLASH)
unset(CMAKE_REQUIRED_FLAGS)
if(MAYFLY_HAS_STACK_CLASH)
  list(APPEND layer_flags -fstack-clash-protection)
endif()
if(NOT MAYFLY_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  list(APPEND layer_flags -Wframe-larger-than=2048)
endif()
set(MAYFLY_LAYER_FLAGS ${layer_flags})

function(mayfly_layer name)
  if(NOT ARGN)
    return() # headers only: nothing to compile
  endif()
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/"
       OUTPUT_VARIABLE sources)
  set_property(GLOBAL PROPERTY MAYFLY_SOURCES_${name} ${sources})
  set(target mayfly_${name})
  add_library(${target} OBJECT ${ARGN})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden)
  target_include_directories(${target} PRIVATE
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
  target_compile_definitions(${target} PRIVATE
    _GNU_SOURCE MF_DEBUG=${MAYFLY_DEBUG_LEVEL})
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:C>:${MAYFLY_LAYER_FLAGS}>")
  mayfly_warnings(${target})
  set_property(GLOBAL APPEND PROPERTY MAYFLY_LAYERS ${target})
endfunction()
