/* SPDX-License-Identifier: MIT */
/*
 * switch.c - the bare change of stacks, without the scheduler: two stacks hand
 * control back and forth. One way is half a round trip.
 */
#include "micro.h"

#include <mayfly/base.h>

#include "arch/arch.h"

enum { STACK_SIZE = 16384 };

struct pair {
    struct arch_context here;  /* the one that measures */
    struct arch_context there; /* and the other one */
    long answers;
};

MFI_ARCH_SWITCHES static void answer(void *arg)
{
    struct pair *p = arg;

    for (;;) {
        p->answers++;
        p = mfi_arch_switch(&p->there, &p->here, p);
    }
}

MFI_ARCH_SWITCHES int micro_switch(void *arg)
{
    static _Alignas(16) char stack[STACK_SIZE];
    const struct micro_args *args = arg;
    struct pair p = {.answers = 0};
    long rounds = args->count / 2;
    int64_t start;

    mfi_arch_prepare(&p.there, stack + STACK_SIZE, answer);
    start = mf_now();
    for (long i = 0; i < rounds; i++)
        MICRO_CHECK(mfi_arch_switch(&p.here, &p.there, &p) == &p);
    micro_report("switch", micro_per_op(start, 2 * rounds), "ns");
    MICRO_CHECK(p.answers == rounds);
    return 0;
}
