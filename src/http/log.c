/* SPDX-License-Identifier: MIT */
/*
 * log.c - the access log: many add lines, one task writes them.
 *
 * Two halves of a buffer. `place` says which half lines go to now, and how many
 * of its bytes are taken:
 *
 *     add      CAS place: len -> len + n;  copy the line there;  done += n
 *     writer   swaps the halves: place = (other half, 0), gets the old len;
 *              waits until the old half's done is len; writes it; done = 0
 *
 * A line's bytes are the adder's alone from its CAS to its add on done, so
 * there is no lock, and a line that does not fit is lost at once (-ENOBUFS):
 * a request never waits for a disk. The writer waits only for copies under way,
 * a few hundred bytes each.
 *
 * Orders. done: release by the adder, acquire by the writer: the bytes are
 * there. The swap is acq_rel: who sees a half in place again sees its done = 0.
 * A stale CAS that succeeds as the same half and length came around again takes
 * bytes that are free now, so ABA does no harm.
 *
 * The writer is woken by the line that finds a half empty, and once more by the
 * one that fills half of it; in between it sleeps for flush_every, so that a
 * busy server makes a few large writes. A write that fails loses its half: a
 * full disk must not stop the server.
 */
#include <mayfly/http_files.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mayfly/fd.h>
#include <mayfly/sync.h>
#include <mayfly/task.h>

#include "base/atomic.h"

enum {
    DEFAULT_BUFFER = 256 << 10,
    MIN_BUFFER = 64 << 10, /* a line of any length fits a half */
    MAX_BUFFER = 1 << 30,
    MAX_TEXT = 1024
};

#define HALF_BIT (UINT64_C(1) << 32)

struct half {
    _Atomic uint32_t done;
    char *bytes;
};

struct mf_http_log {
    _Atomic uint64_t place; /* HALF_BIT | len */
    struct half halves[2];
    uint32_t half_size;
    _Atomic uint32_t closing;
    _Atomic uint64_t lost;
    mf_parker parker;
    mf_ns flush_every;
    mf_task *writer;
    int fd, error;
};

/* ---- the writer --------------------------------------------------------- */

static uint32_t count_lines(const char *at, uint32_t len)
{
    const char *end = at + len;
    uint32_t n = 0;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        n++;
        at++;
    }
    return n;
}

/* Swap the halves and write the old one. Returns 0, also if it was empty. */
static int write_half(mf_http_log *log, mf_deadline deadline)
{
    uint64_t old = mfi_load_rlx(&log->place), new;
    uint32_t len;
    struct half *half;
    int rc;

    do {
        if ((uint32_t)old == 0)
            return 0;
        new = ~old &HALF_BIT;
    } while (!mfi_cas_acqrel(&log->place, &old, new));
    len = (uint32_t)old;
    half = &log->halves[(old & HALF_BIT) != 0];
    while (mfi_load_acq(&half->done) != len)
        mf_yield();
    if ((rc = mf_write_all(log->fd, half->bytes, len, deadline)) < 0) {
        mfi_add_rlx(&log->lost, count_lines(half->bytes, len));
        log->error = rc;
    }
    mfi_store_rel(&half->done, 0u);
    return rc;
}

/* What is left when it ends, or is cancelled, the close writes. */
static int writer(void *arg)
{
    mf_http_log *log = arg;
    mf_deadline until = MF_NEVER;
    int rc = 0;

    while (rc != -ECANCELED && mfi_load_acq(&log->closing) == 0) {
        rc = mf_parker_park(&log->parker, until);
        if (rc == -ECANCELED)
            break;
        if (rc == 0 && until.at == 0 && mfi_load_acq(&log->closing) == 0) {
            /* The first line: others may follow it into the same write. */
            if ((uint32_t)mfi_load_rlx(&log->place) < log->half_size / 2) {
                until = mf_after(log->flush_every);
                continue;
            }
        }
        until = MF_NEVER;
        rc = write_half(log, MF_NEVER);
        /* Lines that came while it wrote found their half empty and left a
         * token, so none is forgotten. */
    }
    return 0;
}

/* ---- lines -------------------------------------------------------------- */

static char *put(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    return at;
}

/* Nobody's text may end a line or a pair of quotes, or steer a terminal. */
static char *put_text(char *at, mf_text text)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *end;

    if (text.at == NULL)
        return put(at, "-");
    end = text.at + (text.len < MAX_TEXT ? text.len : MAX_TEXT);
    for (; text.at < end; text.at++) {
        unsigned char c = (unsigned char)*text.at;

        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
            *at++ = (char)c;
            continue;
        }
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return at;
}

/* [06/Nov/1994:08:49:37 +0000], out of "Sun, 06 Nov 1994 08:49:37 GMT". */
static char *put_time(char *at)
{
    char date[MF_HTTP_DATE];

    mf_http_date_print((int64_t)time(NULL), date);
    date[7] = '/';
    date[11] = '/';
    date[16] = ':';
    *at++ = '[';
    memcpy(at, date + 5, 20);
    return put(at + 20, " +0000] ");
}

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    int i = 0;

    do
        digits[i++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (i > 0)
        *at++ = digits[--i];
    return at;
}

/* 0, -ENOBUFS; wakes the writer if it may sleep. */
static int add(mf_http_log *log, const char *line, uint32_t len)
{
    uint64_t old = mfi_load_rlx(&log->place);
    struct half *half;
    uint32_t at;

    do {
        at = (uint32_t)old;
        if (len > log->half_size - at) {
            mfi_add_rlx(&log->lost, 1u);
            return -ENOBUFS;
        }
    } while (!mfi_cas_acqrel(&log->place, &old, old + len));
    half = &log->halves[(old & HALF_BIT) != 0];
    memcpy(half->bytes + at, line, len);
    mfi_add_acqrel(&half->done, len);
    if (at == 0 || (at < log->half_size / 2 && at + len >= log->half_size / 2))
        mf_parker_unpark(&log->parker);
    return 0;
}

static char *print(char *at, const mf_http_log_entry *e)
{
    at = put_text(at, e->peer);
    at = put(at, " - ");
    at = put_text(at, e->user);
    *at++ = ' ';
    at = put_time(at);
    *at++ = '"';
    at = put_text(at, e->method);
    if (e->method.at != NULL) {
        *at++ = ' ';
        at = put_text(at, e->target);
        at = put(at, e->minor == 0 ? " HTTP/1.0" : " HTTP/1.1");
    }
    at = put(at, "\" ");
    at = put_number(at, (uint64_t)(e->status > 0 ? e->status : 0));
    *at++ = ' ';
    at = put_number(at, e->bytes);
    at = put(at, " \"");
    at = put_text(at, e->referer);
    at = put(at, "\" \"");
    at = put_text(at, e->agent);
    return put(at, "\"\n");
}

/* How long print may make it. */
static size_t longest(const mf_http_log_entry *e)
{
    const mf_text *texts[] = {&e->peer,   &e->user,    &e->method,
                              &e->target, &e->referer, &e->agent};
    size_t i, sum = 160;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        sum += 4 * (texts[i]->len < MAX_TEXT ? texts[i]->len : MAX_TEXT);
    return sum;
}

int mf_http_log_add(mf_http_log *log, const mf_http_log_entry *e)
{
    size_t size = longest(e);
    char small[1600], *line = small;
    int rc;

    if (size > sizeof small) {
        /* tidy: allow malloc, because lines so long are rare */
        if ((line = malloc(size)) == NULL) {
            mfi_add_rlx(&log->lost, 1u);
            return -ENOBUFS;
        }
    }
    rc = add(log, line, (uint32_t)(print(line, e) - line));
    if (line != small)
        free(line); /* tidy: allow malloc, because lines so long are rare */
    return rc;
}

uint64_t mf_http_log_lost(mf_http_log *log)
{
    return mfi_load_rlx(&log->lost);
}

/* ---- its life ----------------------------------------------------------- */

int mf_http_log_open(mf_scope *s, int fd, const mf_http_log_options *opts,
                     mf_http_log **ret_log)
{
    mf_http_log_options o = {.size = sizeof o};
    mf_http_log *log;
    int rc;

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof o ? opts->size : sizeof o);
    if (o.buffer == 0)
        o.buffer = DEFAULT_BUFFER;
    if (s == NULL || fd < 0 || o.buffer < MIN_BUFFER || o.buffer > MAX_BUFFER ||
        o.flush_every < 0)
        return -EINVAL;
    /* tidy: allow malloc, because a server has one or two */
    if ((log = calloc(1, sizeof *log + o.buffer)) == NULL)
        return -ENOMEM;
    log->half_size = (uint32_t)(o.buffer / 2);
    log->halves[0].bytes = (char *)(log + 1);
    log->halves[1].bytes = log->halves[0].bytes + log->half_size;
    log->flush_every = o.flush_every > 0 ? o.flush_every : MF_SEC(1);
    log->fd = fd;
    rc = mf_spawn(s, writer, log, MF_TASK_OPTIONS(.name = "access log"),
                  &log->writer);
    if (rc < 0) {
        free(log); /* tidy: allow malloc, because a server has one or two */
        return rc;
    }
    mf_task_ref(log->writer);
    *ret_log = log;
    return 0;
}

int mf_http_log_close(mf_http_log *log, mf_deadline deadline)
{
    mf_shield shield;
    int rc;

    if (log == NULL)
        return 0;
    shield = mf_shield_begin(deadline);
    mfi_store_rel(&log->closing, 1u);
    mf_parker_unpark(&log->parker);
    if (mf_join(log->writer, NULL, deadline) == -ETIMEDOUT) {
        mf_task_cancel(log->writer); /* it hangs in a write */
        MF_SHIELD(MF_NEVER)
        (void)!mf_join(log->writer, NULL, MF_NEVER);
    }
    write_half(log, deadline);
    mf_shield_end(&shield);
    rc = log->error;
    mf_task_unref(log->writer);
    free(log); /* tidy: allow malloc, because a server has one or two */
    return rc;
}
