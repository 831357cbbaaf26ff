/* SPDX-License-Identifier: MIT */
/* map.c - the page size, which the kernel tells at exec. */
#include "os/map.h"

#include <sys/auxv.h>

size_t mfi_page_size(void)
{
    return (size_t)getauxval(AT_PAGESZ);
}
