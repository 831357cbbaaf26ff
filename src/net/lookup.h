/* SPDX-License-Identifier: MIT */
/*
 * lookup.h - one question under way, however many wait for its answer.
 *
 * resolve.c owns it: the table, the waiters, the references. A backend (gai.c,
 * cares.c) is asked, and answers exactly once by mfi_lookup_done. The question
 * is constant; the answer is written before `done` is, under the table's lock.
 */
#ifndef MFI_NET_LOOKUP_H
#define MFI_NET_LOOKUP_H

#include <mayfly/dns.h>

#include <netinet/in.h>

#include "sched/park.h"

enum {
    HOST_NAME_MAX_LEN = 253, /* RFC 1035 2.3.4, without the last dot */
    LABEL_MAX_LEN = 63,
    LOOKUP_ADDRS = 64, /* as many of an answer are kept */
};

enum lookup_kind { LOOKUP_HOST, LOOKUP_SERVICE };

struct lookup {
    struct lookup *chain; /* in the table; its lock */
    struct lookup *next;  /* in c-ares's queue; its lock */
    struct list queued;   /* in getaddrinfo's queue; its lock */
    struct waitq waiters;
    uint32_t refs; /* who waits, and the backend */
    uint32_t hash;
    int family;
    enum lookup_kind kind;
    bool done;
    int rc;                     /* addresses, the port, or -errno */
    const char *why;            /* rc < 0: what it says; static; or NULL */
    struct sockaddr_in6 *addrs; /* rc of them, of either family; malloc'ed */
    char name[];
};

/* What a backend finds, before it is somebody's. */
struct found {
    struct sockaddr_in6 *addrs;
    int n;
    int rc; /* 0, or -ENOMEM */
};

/* One more address, unless it is there already or they are LOOKUP_ADDRS. */
void mfi_found_add(struct found *f, const struct sockaddr *sa);

/* This is the answer; l may be gone on return. addrs are l's now. */
void mfi_lookup_done(struct lookup *l, int rc, const char *why,
                     struct sockaddr_in6 *addrs);

/* Does anybody still wait for it? If not, it may be answered with anything. */
bool mfi_lookup_wanted(struct lookup *l);

/* getaddrinfo: ask; a failure to ask is an answer. */
void mfi_gai_ask(struct lookup *l);
/* l, if asked of it, is still queued and now is not any more. */
bool mfi_gai_take_back(struct lookup *l);

/* The same of c-ares, where MFI_CARES is defined. False: not now. */
bool mfi_cares_ask(struct lookup *l);
bool mfi_cares_wanted(void);
extern const char mfi_cares_version[];

/*
 * As mf_resolve, to at most LOOKUP_ADDRS addresses; failures are explained as
 * "what 'where': ...".
 */
int mfi_resolve(const char *what, const char *where, int family,
                mf_addr *ret_addrs, int max, mf_deadline deadline);

#endif
