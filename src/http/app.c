/* SPDX-License-Identifier: MIT */
/*
 * app.c - making apps, and draining them.
 *
 * A drain says that it is on and then walks the connections: what it finds idle
 * it ends by shutting down the reading side of its fd, so its read sees the end
 * of the input and its task ends in its own time. A request that arrived before
 * that is still read, and answered. A connection that becomes idle meanwhile
 * looks at the drain first (served.idle). The walk holds the lock under which
 * a connection forgets its fd before it is closed, so nobody is shut down that
 * got the same number since. Rejected: to cancel the task, which would also
 * cancel what its user does after the connection.
 */
#include "http/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "http/chars.h"
#include "os/io.h"

/* ---- options ------------------------------------------------------------ */

static mf_ns span_of(mf_ns span, mf_ns otherwise)
{
    return span == 0 ? otherwise : span < 0 ? MFI_FAR : span;
}

static size_t size_of(size_t size, size_t otherwise)
{
    return size == 0 ? otherwise : size;
}

static int read_options(mf_http_app *app, const mf_http_options *opts)
{
    mf_http_options *o = &app->o;

    if (opts != NULL) {
        if (opts->size == 0 || opts->size > sizeof *opts)
            return -EINVAL;
        memcpy(o, opts, opts->size);
    }
    o->head_timeout = span_of(o->head_timeout, MF_SEC(10));
    o->body_timeout = span_of(o->body_timeout, MF_SEC(30));
    o->idle_timeout = span_of(o->idle_timeout, MF_SEC(60));
    o->write_timeout = span_of(o->write_timeout, MF_SEC(30));
    o->max_head = size_of(o->max_head, 16384);
    o->max_body = size_of(o->max_body, 1 << 20);
    o->max_target = size_of(o->max_target, 8192);
    o->max_fields = o->max_fields == 0 ? 100 : o->max_fields;
    if (o->max_fields > 1000 || o->max_head < 64 || o->max_head > 1 << 20)
        return -EINVAL;
    return 0;
}

static int copy_server(mf_http_app *app)
{
    const char *server = app->o.server;
    size_t len = server != NULL ? strlen(server) : 0, cap = len + 16;

    app->o.server = NULL;
    if (len == 0)
        return 0;
    if (len > 256 || value_end(server, server + len) != server + len)
        return -EINVAL;
    /* tidy: allow malloc, because an app is made as its user wants */
    app->server = malloc(cap);
    if (app->server == NULL)
        return -ENOMEM;
    app->server_len =
        (size_t)snprintf(app->server, cap, "Server: %s\r\n", server);
    return 0;
}

int mf_http_app_make(const mf_http_options *opts, mf_http_app **ret_app)
{
    mf_http_app *app;
    int rc;

    if (ret_app == NULL)
        return -EINVAL;
    /* tidy: allow malloc, because an app is made as its user wants */
    app = calloc(1, sizeof *app);
    if (app == NULL)
        return -ENOMEM;
    mfi_list_init(&app->all);
    mfi_store_rlx(&app->refs, 1u);
    rc = read_options(app, opts);
    if (rc == 0)
        rc = copy_server(app);
    if (rc == 0 && (app->root = mfi_route_root()) == NULL)
        rc = -ENOMEM;
    if (rc < 0) {
        mf_http_app_unref(app);
        return rc;
    }
    *ret_app = app;
    return 0;
}

static void unref(mf_http_app *app)
{
    if (mfi_sub_acqrel(&app->refs, 1u) != 1)
        return;
    while (app->outermost != NULL) {
        struct wrapper *w = app->outermost;

        app->outermost = w->inner;
        free(w); /* tidy: allow malloc, because it was made here */
    }
    mfi_route_free(app->root);
    free(app->server); /* tidy: allow malloc, because it was made here */
    free(app);         /* tidy: allow malloc, because it was made here */
}

void mf_http_app_unref(mf_http_app *app)
{
    if (app != NULL)
        unref(app);
}

int mf_http_route(mf_http_app *app, const char *method, const char *pattern,
                  mf_http_fn *fn, void *arg)
{
    if (app == NULL)
        return -EINVAL;
    if (mfi_load_acq(&app->serving) != 0)
        return -EBUSY;
    return mfi_route_add(app->root, method, pattern, fn, arg);
}

int mf_http_use(mf_http_app *app, mf_http_fn *fn, void *arg)
{
    struct wrapper *w;

    if (app == NULL || fn == NULL)
        return -EINVAL;
    if (mfi_load_acq(&app->serving) != 0)
        return -EBUSY;
    /* tidy: allow malloc, because an app is made as its user wants */
    w = malloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    *w = (struct wrapper){app->outermost, fn, arg};
    app->outermost = w;
    return 0;
}

/* ---- connections -------------------------------------------------------- */

void mfi_app_enter(mf_http_app *app, struct served *s)
{
    mfi_add_acqrel(&app->refs, 1u);
    if (mfi_load_rlx(&app->serving) == 0)
        mfi_store_rel(&app->serving, 1u);
    mfi_spin_lock(&app->lock);
    mfi_list_add_tail(&app->all, &s->link);
    mfi_spin_unlock(&app->lock);
}

void mfi_app_leave(mf_http_app *app, struct served *s)
{
    mfi_spin_lock(&app->lock);
    mfi_list_del_init(&s->link);
    mfi_spin_unlock(&app->lock);
    unref(app);
}

void mfi_app_forget_fd(mf_http_app *app, struct served *s)
{
    mfi_spin_lock(&app->lock);
    s->fd = -1;
    mfi_spin_unlock(&app->lock);
}

bool mfi_app_idle(mf_http_app *app, struct served *s)
{
    mfi_store_sc(&s->idle, 1u);
    return mfi_load_sc(&app->draining) != 0;
}

void mf_http_drain(mf_http_app *app)
{
    if (app == NULL)
        return;
    mfi_store_sc(&app->draining, 1u);
    mfi_spin_lock(&app->lock);
    for (struct list *l = app->all.next; l != &app->all; l = l->next) {
        struct served *s = mfi_container_of(l, struct served, link);

        if (mfi_load_sc(&s->idle) != 0 && s->fd >= 0)
            (void)mfi_os_shutdown(s->fd, SHUT_RD);
    }
    mfi_spin_unlock(&app->lock);
}
