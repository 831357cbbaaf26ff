/* SPDX-License-Identifier: MIT */
/* segment.h - does the kernel cut messages into datagrams for us? */
#ifndef MFI_NET_SEGMENT_H
#define MFI_NET_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "poll/fdtab.h"

enum {
    SEGMENTS_MAX = 64,       /* of one message, to any kernel that can */
    SEGMENTED_BYTES = 65487, /* 65535 less the headers of UDP and IPv6 */
};

/* May messages with segments be sent on fd by UDP_SEGMENT? */
bool mfi_segment_can(int fd, const struct fdrec *rec);

/* For tests: as if the probe had answered this; -1: ask it again. */
void mfi_segment_pretend(int can);

#endif
