# SPDX-License-Identifier: MIT
# mayfly_warnings(target): the warnings all our own C code compiles without.
set(MAYFLY_WARNINGS
    -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla
    -Walloca -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wcast-qual -Wcast-align -Wpointer-arith -Wwrite-strings -Wformat=2
    -Wimplicit-fallthrough -Wdouble-promotion -Wredundant-decls)

function(mayfly_warnings target)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:C>:${MAYFLY_WARNINGS}>")
  if(MAYFLY_WERROR)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:-Werror>")
  endif()
endfunction()
