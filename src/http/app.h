/* SPDX-License-Identifier: MIT */
/* app.h - an app: its options, its routes, and who serves it. */
#ifndef MFI_HTTP_APP_H
#define MFI_HTTP_APP_H

#include "base/atomic.h"
#include "base/list.h"
#include "http/route.h"
#include "os/spin.h"

struct wrapper { /* mf_http_use */
    struct wrapper *inner;
    mf_http_fn *fn;
    void *arg;
};

/* A connection, for the drain: it knows when to end it. */
struct served {
    struct list link; /* under the app's lock */
    int fd;           /* the same; -1: none, or not ours any more */
    /*
     * It waits for a request, and nothing is owed. Written by its task, read by
     * the drain: each writes its word and then looks at the other's (both
     * seq_cst), so one of the two sees that it is to end.
     */
    _Atomic uint32_t idle;
};

struct mf_http_app {
    mf_http_options o; /* with the defaults filled in */
    struct route_node *root;
    struct wrapper *outermost;
    _Atomic uint32_t refs; /* the user's, and one for each connection */
    _Atomic uint32_t draining;
    _Atomic uint32_t serving; /* it did: no more routes */
    struct spin lock;         /* all */
    struct list all;          /* struct served */
    char *server;             /* "Server: x\r\n", or "" */
    size_t server_len;
};

void mfi_app_enter(mf_http_app *app, struct served *s);
void mfi_app_leave(mf_http_app *app, struct served *s);
/* Before the fd is closed or given away: its number may be another's soon. */
void mfi_app_forget_fd(mf_http_app *app, struct served *s);

/* About to wait for a request. True: do not, the app is draining. */
bool mfi_app_idle(mf_http_app *app, struct served *s);
static inline void mfi_app_busy(struct served *s)
{
    mfi_store_rlx(&s->idle, 0u);
}

static inline bool mfi_app_is_draining(mf_http_app *app)
{
    return mfi_load_rlx(&app->draining) != 0;
}

#endif
