/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - mf_resolve: what is asked, who waits, in which order to try.
 *
 *     where = host ":" port        port = number | service name
 *
 * What mf_addr_parse takes is answered by it; "localhost" and all below it is
 * loopback, whoever else may claim it (RFC 6761 6.3). Anything else is a
 * question for a backend, and a question under way is in a table, by kind, name
 * and family: who asks the same joins it. It leaves the table when it is
 * answered, so no answer is kept: that is a name server's business.
 *
 * All of a lookup but its constant question is under the table's lock. It is
 * referenced by each waiter and by its backend; a waiter that leaves last takes
 * it back from the backend's queue if it is still there, else the backend's
 * answer frees it. Waiters are woken as in event.c, and look, under the lock,
 * before they take the answer: so a lookup is not freed under its waker, which
 * does not touch it after the unlock unless it held the last reference.
 *
 * Order: RFC 6724 is the backend's. Then the families take turns, beginning
 * with that of the first address (RFC 8305 4, First Address Family Count 1).
 *
 * A name whose last label is a number is refused (as in the URL standard's
 * "ends in a number"): "127.1" must not become an address here that
 * mf_addr_parse, and a filter that asks it, refuses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "net/addr.h"
#include "net/lookup.h"
#include "sched/explain.h"
#include "sched/options.h"

enum { BUCKETS = 256, SERVICE_LEN = 63 };

static struct {
    struct spin lock;
    struct lookup *bucket[BUCKETS];
} table;

/* ---- the question ------------------------------------------------------- */

struct question {
    const char *host; /* where begins with it */
    size_t host_len;
    const char *service;
    int port; /* -1: look service up */
    const char *why;
};

static int refuse(struct question *q, const char *why)
{
    q->why = why;
    return -EINVAL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A number, or by its form the name of a service (RFC 6335 5.1). */
static int parse_port(struct question *q)
{
    bool letter = false, number = true;
    const char *s = q->service;
    int n = 0;

    for (; *s != '\0'; s++) {
        letter = letter || is_letter(*s);
        number = number && is_digit(*s);
        if (number && n <= UINT16_MAX)
            n = n * 10 + (*s - '0');
        if (!is_letter(*s) && !is_digit(*s) && strchr("-_.+", *s) == NULL)
            return refuse(q, "port is neither a number nor a service's name");
    }
    if (s == q->service)
        return refuse(q, "port missing");
    if (number && n > UINT16_MAX)
        return refuse(q, "port is not a number from 0 to 65535");
    if (!number && (!letter || s - q->service > SERVICE_LEN))
        return refuse(q, "port is neither a number nor a service's name");
    q->port = number ? n : -1;
    return 0;
}

static int split(const char *where, struct question *q)
{
    const char *bracket = strrchr(where, ']'), *colon;

    if (mfi_addr_is_unix(where) && strchr("/@.", where[5]) != NULL)
        return refuse(q, "a unix socket: mf_unix_... takes these");
    if (where[0] == '[' && bracket == NULL)
        return refuse(q, "no ] after the [");
    colon = strrchr(bracket == NULL ? where : bracket, ':');
    if (colon == NULL)
        return refuse(q, "port missing");
    q->host = where;
    q->host_len = (size_t)(colon - where);
    q->service = colon + 1;
    return parse_port(q);
}

static int check_label(struct question *q, const char *label, size_t len)
{
    if (len == 0)
        return refuse(q, "a label of the name is empty");
    if (len > LABEL_MAX_LEN)
        return refuse(q, "a label of the name has more than 63 bytes");
    for (size_t i = 0; i < len; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-' &&
            label[i] != '_')
            return refuse(q, "a name is letters, digits, '-', '_' and dots");
    return 0;
}

static bool is_number(const char *label, size_t len)
{
    size_t i = 0;

    if (len > 2 && label[0] == '0' && (label[1] | 32) == 'x')
        return strspn(label + 2, "0123456789abcdefABCDEF") >= len - 2;
    while (i < len && is_digit(label[i]))
        i++;
    return i == len;
}

/* Is the last label of the host a number? Then it is an address, or nothing. */
static bool ends_in_number(const struct question *q)
{
    size_t len = q->host_len, i;

    if (len > 0 && q->host[len - 1] == '.')
        len--;
    for (i = len; i > 0 && q->host[i - 1] != '.'; i--)
        ;
    return len > i && is_number(q->host + i, len - i);
}

/* Is the host a name that can be asked for? */
static int check_name(struct question *q)
{
    const char *label = q->host, *end = q->host + q->host_len, *dot;
    int rc;

    if (end > label && end[-1] == '.')
        end--; /* the root */
    if (end - label > HOST_NAME_MAX_LEN)
        return refuse(q, "a name of more than 253 bytes");
    for (;; label = dot + 1) {
        dot = memchr(label, '.', (size_t)(end - label));
        rc = check_label(q, label, (size_t)((dot ? dot : end) - label));
        if (rc < 0)
            return rc;
        if (dot == NULL)
            break;
    }
    return 0;
}

/* Nothing to be looked up: an address, or none at all. */
static bool is_literal(const struct question *q)
{
    return q->host_len == 0 || q->host[0] == '[' ||
           (q->host_len == 1 && q->host[0] == '*') ||
           memchr(q->host, ':', q->host_len) != NULL;
}

static bool is_localhost(const struct question *q)
{
    static const char name[] = "localhost";
    size_t len = q->host_len, n = sizeof name - 1;

    if (len > 0 && q->host[len - 1] == '.')
        len--;
    return len >= n && strncasecmp(q->host + len - n, name, n) == 0 &&
           (len == n || q->host[len - n - 1] == '.');
}

/* ---- lookups ------------------------------------------------------------ */

static uint32_t hash_of(enum lookup_kind kind, int family, const char *name,
                        size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a, Fowler, Noll and Vo */

    h = (h ^ (uint32_t)kind) * 16777619u;
    h = (h ^ (uint32_t)family) * 16777619u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint32_t)(unsigned char)(name[i] | 32)) * 16777619u;
    return h;
}

static struct lookup *find_locked(const struct lookup *like)
{
    struct lookup *l = table.bucket[like->hash % BUCKETS];

    while (l != NULL &&
           (l->hash != like->hash || l->kind != like->kind ||
            l->family != like->family || strcasecmp(l->name, like->name) != 0))
        l = l->chain;
    return l;
}

static void remove_locked(struct lookup *l)
{
    struct lookup **at = &table.bucket[l->hash % BUCKETS];

    while (*at != l)
        at = &(*at)->chain;
    *at = l->chain;
}

static void free_lookup(struct lookup *l)
{
    /* tidy: allow malloc, because answers have any size */
    free(l->addrs);
    free(l); /* tidy: allow malloc, because names have any size */
}

void mfi_found_add(struct found *f, const struct sockaddr *sa)
{
    struct sockaddr_in6 one = {.sin6_family = AF_UNSPEC};

    if (sa->sa_family == AF_INET6)
        memcpy(&one, sa, sizeof one);
    else if (sa->sa_family == AF_INET)
        memcpy(&one, sa, sizeof(struct sockaddr_in));
    else
        return;
    if (f->addrs == NULL)
        /* tidy: allow malloc, because few lookups have so many addresses */
        f->addrs = malloc(LOOKUP_ADDRS * sizeof *f->addrs);
    if (f->addrs == NULL) {
        f->rc = -ENOMEM;
        return;
    }
    for (int i = 0; i < f->n; i++)
        if (memcmp(&f->addrs[i], &one, sizeof one) == 0)
            return;
    if (f->n < LOOKUP_ADDRS)
        f->addrs[f->n++] = one;
}

void mfi_lookup_done(struct lookup *l, int rc, const char *why,
                     struct sockaddr_in6 *addrs)
{
    struct wake_list woken;
    bool last;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&table.lock);
    l->rc = rc;
    l->why = why;
    l->addrs = addrs;
    l->done = true;
    remove_locked(l);
    mfi_waitq_wake_all(&l->waiters, &woken);
    last = --l->refs == 0;
    mfi_spin_unlock(&table.lock);
    mfi_wake(&woken);
    if (last)
        free_lookup(l);
}

bool mfi_lookup_wanted(struct lookup *l)
{
    bool wanted;

    mfi_spin_lock(&table.lock);
    wanted = l->refs > 1;
    mfi_spin_unlock(&table.lock);
    return wanted;
}

static void ask(struct lookup *l)
{
#ifdef MFI_CARES
    if (l->kind == LOOKUP_HOST && mfi_cares_ask(l))
        return;
#endif
    mfi_gai_ask(l);
}

/* A lookup of this, referenced: the one under way, or a new one. NULL. */
static struct lookup *lookup_of(enum lookup_kind kind, int family,
                                const char *name, size_t len)
{
    /* tidy: allow malloc, because names have any size */
    struct lookup *l = malloc(sizeof *l + len + 1), *other, **bucket;

    if (l == NULL)
        return NULL;
    *l = (struct lookup){.refs = 2,
                         .hash = hash_of(kind, family, name, len),
                         .kind = kind,
                         .family = family};
    memcpy(l->name, name, len);
    l->name[len] = '\0';
    bucket = &table.bucket[l->hash % BUCKETS];
    mfi_spin_lock(&table.lock);
    if ((other = find_locked(l)) != NULL) {
        other->refs++;
    } else {
        l->chain = *bucket;
        *bucket = l;
    }
    mfi_spin_unlock(&table.lock);
    if (other == NULL)
        ask(l);
    else
        free(l); /* tidy: allow malloc, because it was made above */
    return other != NULL ? other : l;
}

/* A waiter is through with l. */
static void leave(struct lookup *l)
{
    bool last;

    mfi_spin_lock(&table.lock);
    last = --l->refs == 0;
    if (l->refs == 1 && !l->done && mfi_gai_take_back(l)) {
        remove_locked(l);
        last = true;
    }
    mfi_spin_unlock(&table.lock);
    if (last)
        free_lookup(l);
}

static int wait_for(struct lookup *l, struct agent *a, mf_deadline deadline)
{
    struct waiter me = {.parker = &a->parker};
    int rc;

    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_spin_lock(&table.lock);
        if (l->done) {
            mfi_spin_unlock(&table.lock);
            return 0;
        }
        mfi_park_arm(a);
        mfi_waitq_add(&l->waiters, &me);
        mfi_spin_unlock(&table.lock);
        rc = mfi_wait(a, mfi_time_of(deadline), "a name's addresses");
        if (rc == 0)
            continue;
        mfi_spin_lock(&table.lock);
        mfi_waitq_del(&l->waiters, &me);
        mfi_spin_unlock(&table.lock);
        if (rc < 0)
            return rc;
    }
}

/* l's answer; 0 with *ret_l, to be left, or why not. */
static int answer_of(struct question *q, enum lookup_kind kind, int family,
                     const char *name, size_t len, mf_deadline deadline,
                     struct lookup **ret_l)
{
    struct agent *a = mfi_agent();
    struct lookup *l;
    int rc = a != NULL ? mfi_cancel_point(a) : -ENOMEM;

    if (rc == 0 && deadline.at != 0 && deadline.at <= mf_now())
        rc = -ETIMEDOUT; /* nobody answers that fast */
    if (rc < 0)
        return rc;
    if ((l = lookup_of(kind, family, name, len)) == NULL)
        return -ENOMEM;
    rc = wait_for(l, a, deadline);
    if (rc == 0 && l->rc < 0) {
        rc = l->rc;
        q->why = l->why;
    }
    if (rc < 0)
        leave(l);
    else
        *ret_l = l;
    return rc;
}

/* ---- the answer --------------------------------------------------------- */

static void set_addr(mf_addr *ret, const struct sockaddr_in6 *sa, int port)
{
    struct sockaddr_in6 one = *sa;

    /* The port is at the same place in both. */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "of either family");
    one.sin6_port = htons((uint16_t)port);
    *ret = (mf_addr){.len = one.sin6_family == AF_INET6
                                ? sizeof one
                                : sizeof(struct sockaddr_in)};
    memcpy(&ret->ss, &one, ret->len);
}

/* The next of n from i on whose family is, or is not, `family`; or n. */
static int next_of(const struct sockaddr_in6 *addrs, int n, int i, int family,
                   bool same)
{
    while (i < n && (addrs[i].sin6_family == family) != same)
        i++;
    return i;
}

/* Copy them out, families taking turns. How many. */
static int interleave(const struct sockaddr_in6 *addrs, int n, int port,
                      mf_addr *ret, int max)
{
    int first = addrs[0].sin6_family, count = 0;
    int at[2] = {next_of(addrs, n, 0, first, false), 0};

    for (bool turn = true; count < max && (at[0] < n || at[1] < n);
         turn = !turn) {
        if (at[turn] == n)
            continue;
        set_addr(&ret[count++], &addrs[at[turn]], port);
        at[turn] = next_of(addrs, n, at[turn] + 1, first, turn);
    }
    return count;
}

static int localhost(int family, int port, mf_addr *ret, int max)
{
    struct sockaddr_in6 both[2] = {
        {.sin6_family = AF_INET},
        {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    memcpy(&both[0], &in, sizeof in);
    if (family == AF_UNSPEC)
        return interleave(both, 2, port, ret, max);
    set_addr(ret, &both[family == AF_INET6], port);
    return 1;
}

static int literal(struct question *q, const char *where, int family,
                   mf_addr *ret)
{
    mf_addr a;
    int rc = mfi_addr_parse(where, &a, &q->why);

    if (rc < 0 && !is_literal(q))
        return refuse(q, "ends in a number, but is no numeric address");
    if (rc < 0)
        return rc;
    if (family == AF_INET && a.ss.ss_family == AF_INET6)
        (void)mfi_addr_any4(&a); /* ":80" is of both */
    if (family != AF_UNSPEC && a.ss.ss_family != family) {
        q->why = "an address of the other family";
        return -ENOENT;
    }
    *ret = a;
    return 1;
}

/* An address or none, but a service's name. */
static int literal_service(struct question *q, int family, mf_addr *ret)
{
    char where[MF_ADDR_STR];

    if (q->host_len > sizeof where - 8)
        return refuse(q, "no numeric address: too long");
    snprintf(where, sizeof where, "%.*s:%d", (int)q->host_len, q->host,
             q->port);
    return literal(q, where, family, ret);
}

static int find_port(struct question *q, mf_deadline deadline)
{
    struct lookup *l;
    int rc = answer_of(q, LOOKUP_SERVICE, 0, q->service, strlen(q->service),
                       deadline, &l);

    if (rc == 0) {
        q->port = l->rc;
        leave(l);
    }
    return rc;
}

static int find_addrs(struct question *q, int family, mf_addr *ret, int max,
                      mf_deadline deadline)
{
    struct lookup *l;
    int rc =
        answer_of(q, LOOKUP_HOST, family, q->host, q->host_len, deadline, &l);

    if (rc < 0)
        return rc;
    rc = interleave(l->addrs, l->rc, q->port, ret, max);
    leave(l);
    return rc;
}

static int resolve(struct question *q, const char *where, int family,
                   mf_addr *ret, int max, mf_deadline deadline)
{
    bool address;
    int rc;

    if (where == NULL)
        return refuse(q, "no address");
    if ((rc = split(where, q)) < 0)
        return rc;
    address = is_literal(q) || ends_in_number(q);
    if (!address && (rc = check_name(q)) < 0)
        return rc;
    if (address && q->port >= 0)
        return literal(q, where, family, ret);
    if (q->port < 0 && (rc = find_port(q, deadline)) < 0)
        return rc;
    if (address)
        return literal_service(q, family, ret);
    if (is_localhost(q))
        return localhost(family, q->port, ret, max);
    return find_addrs(q, family, ret, max, deadline);
}

int mfi_resolve(const char *what, const char *where, int family,
                mf_addr *ret_addrs, int max, mf_deadline deadline)
{
    struct question q = {.why = NULL};
    int rc = resolve(&q, where, family, ret_addrs, max, deadline);

    if (rc >= 0)
        return rc;
    return mfi_explain(rc, "%s '%.50s': %s", what, where != NULL ? where : "",
                       q.why != NULL ? q.why : mf_strerror(rc));
}

int mf_resolve(const char *where, const mf_resolve_options *opts,
               mf_addr *ret_addrs, int max, mf_deadline deadline)
{
    mf_resolve_options o = {.size = sizeof o};

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || ret_addrs == NULL ||
        max < 1 ||
        (o.family != AF_UNSPEC && o.family != AF_INET && o.family != AF_INET6))
        return mfi_explain(-EINVAL, "resolve '%.50s': bad arguments",
                           where != NULL ? where : "");
    return mfi_resolve("resolve", where, o.family, ret_addrs, max, deadline);
}

const char *mf_resolver(void)
{
#ifdef MFI_CARES
    if (mfi_cares_wanted())
        return mfi_cares_version;
#endif
    return "getaddrinfo";
}
