/* SPDX-License-Identifier: MIT */
/*
 * pump.h - bytes from one fd to another, in the kernel if it can.
 *
 * struct pump has the fds and what is asked for; mfi_pump moves until the end,
 * the limit, a deadline or an error, and `moved` says how far it came.
 */
#ifndef MFI_IO_PUMP_H
#define MFI_IO_PUMP_H

#include "io/op.h"

/* A span without a byte, on several pumps together. */
struct idle {
    mf_ns span;          /* 0: none */
    _Atomic mf_ns since; /* when the last byte went out */
};

struct pump {
    int in;
    int out;
    uint64_t left; /* bytes still to take in; UINT64_MAX: to the end */
    mf_deadline deadline;
    struct idle *idle;       /* or NULL */
    _Atomic uint64_t *moved; /* bytes that went out */
    /* its own, from here on zero */
    bool by_buffer;
    bool has_pipe;
    int pipe[2];
    size_t held; /* taken in and not out yet: in pipe, or at buf + at */
    size_t at;
    char *buf;
};

/* 0; -ETIMEDOUT (idle too), -ECANCELED, -EPIPE, ... */
int mfi_pump(struct pump *p);

#endif
