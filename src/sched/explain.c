/* SPDX-License-Identifier: MIT */
/* explain.c - texts for results: the sentence left behind, else the code's. */
#include "sched/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sched/worker.h"

_Static_assert(sizeof(struct explain) <= MFI_SLAB_RECORD, "a slab record");

const char *mf_strerror(int rc)
{
    const char *text;

    if (rc >= 0)
        return "success";
    if (rc < -4095) /* no errno */
        return "unknown error";
#ifdef __GLIBC__
    text = strerrordesc_np(-rc); /* static, untranslated, any thread */
#else
    text = strerror(-rc); /* static in the other libcs */
#endif
    return text != NULL ? text : "unknown error";
}

int mfi_explain(int rc, const char *fmt, ...)
{
    struct worker *w = mfi_worker();
    struct agent *a = mfi_agent();
    va_list args;

    if (a == NULL)
        return rc;
    if (a->explain == NULL)
        a->explain = mfi_slab_get(w != NULL ? &w->records : NULL);
    if (a->explain == NULL)
        return rc;
    a->explain->rc = rc;
    va_start(args, fmt);
    vsnprintf(a->explain->text, sizeof a->explain->text, fmt, args);
    va_end(args);
    return rc;
}

const char *mf_explain(int rc)
{
    struct agent *a = mfi_agent();

    if (a != NULL && a->explain != NULL && a->explain->rc == rc && rc < 0)
        return a->explain->text;
    return mf_strerror(rc);
}
