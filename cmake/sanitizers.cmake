# SPDX-License-Identifier: MIT
# MAYFLY_SANITIZE applies to the whole tree: one object without it would hide
# what the others see.
if(MAYFLY_SANITIZE)
  add_compile_options(
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${MAYFLY_SANITIZE}>"
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>"
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>")
  add_link_options("-fsanitize=${MAYFLY_SANITIZE}")
endif()
if(MAYFLY_VALGRIND)
  add_compile_definitions(MFI_VALGRIND)
endif()
if(MAYFLY_LTO)
  if(MAYFLY_SANITIZE)
    message(FATAL_ERROR "MAYFLY_LTO and MAYFLY_SANITIZE exclude each other")
  endif()
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:-flto>")
  add_link_options(-flto)
  # An archive of LTO objects needs the compiler's own ar and ranlib.
  if(CMAKE_C_COMPILER_AR)
    set(CMAKE_AR "${CMAKE_C_COMPILER_AR}")
    set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> qc <TARGET> <OBJECTS>")
    set(CMAKE_C_ARCHIVE_FINISH "${CMAKE_C_COMPILER_RANLIB} <TARGET>")
  endif()
endif()
