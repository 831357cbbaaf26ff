/* SPDX-License-Identifier: MIT */
/* route.h - the tree of routes. */
#ifndef MFI_HTTP_ROUTE_H
#define MFI_HTTP_ROUTE_H

#include <stdbool.h>

#include <mayfly/http.h>

enum { PARAMS_MOST = 16 };

struct endpoint { /* what one method does at one pattern */
    struct endpoint *next;
    char *method; /* "*": any */
    mf_http_fn *fn;
    void *arg;
    char *names[PARAMS_MOST]; /* of its parameters, in their order */
    int nr_names;
    _Atomic bool slow; /* it took its time, once */
};

struct route_node;

struct route_match {
    struct endpoint *at;         /* NULL: none for the method, */
    const struct endpoint *of;   /* but these, if there is such a path */
    mf_text params[PARAMS_MOST]; /* still escaped */
};

struct route_node *mfi_route_root(void); /* NULL: no memory */
void mfi_route_free(struct route_node *n);
int mfi_route_add(struct route_node *root, const char *method,
                  const char *pattern, mf_http_fn *fn, void *arg);
void mfi_route_find(struct route_node *root, mf_text method, mf_text path,
                    struct route_match *ret);

#endif
