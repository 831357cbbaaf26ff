/* SPDX-License-Identifier: MIT */
/*
 * agent.c - plain threads as those who can wait.
 *
 * A thread gets its agent at its first call that needs one and gives it back
 * when it ends. Agents are never freed but reused: a waker that claimed a
 * thread's parker may look at the agent after the thread has returned and
 * ended, and must find an agent there. A wake too many does its next user no
 * harm: a futex may wake for nothing, and a bell is emptied before each use.
 */
#include "os/event.h"
#include "os/io.h"
#include "os/map.h"
#include "sched/park.h"

struct thread_agent {
    struct agent agent;
    _Atomic uint8_t cancel; /* a plain thread is never cancelled as such */
    struct thread_agent *next;
};

_Static_assert(offsetof(struct thread_agent, agent) == 0,
               "the thread's word is its agent's address, plus 1");

static struct spin lock;
static struct thread_agent *unused; /* under lock */

enum { BATCH_LEN = 16384 };

static void give_back(void *word)
{
    struct thread_agent *ta = (void *)((uintptr_t)word & ~(uintptr_t)1);

    mfi_arch_self_set(NULL);
    if (ta->agent.held != NULL)
        mfi_held_release(&ta->agent);
    if (ta->agent.explain != NULL)
        mfi_slab_put(NULL, ta->agent.explain);
    mfi_spin_lock(&lock);
    ta->next = unused;
    unused = ta;
    mfi_spin_unlock(&lock);
}

/* Under lock. Sixty-odd at once, for the process's life. */
static void make_some(void)
{
    struct thread_agent *batch;
    void *pages;

    if (mfi_map_pages(BATCH_LEN, &pages) < 0)
        return;
    batch = pages;
    for (size_t i = 0; i < BATCH_LEN / sizeof *batch; i++) {
        batch[i].agent.parker.kind = AGENT_THREAD;
        batch[i].agent.bell = -1;
        batch[i].next = unused;
        unused = &batch[i];
    }
}

struct agent *mfi_agent_thread(void)
{
    uintptr_t word = (uintptr_t)mfi_arch_self();
    struct thread_agent *ta;

    if (word != 0)
        return &((struct thread_agent *)(word & ~(uintptr_t)1))->agent;
    mfi_spin_lock(&lock);
    if (unused == NULL)
        make_some();
    ta = unused;
    if (ta != NULL)
        unused = ta->next;
    mfi_spin_unlock(&lock);
    if (ta == NULL)
        return NULL;
    ta->agent.base = &ta->cancel;
    ta->agent.inner = NULL;
    ta->agent.shields = 0;
    ta->agent.explain = NULL;
    ta->agent.held = NULL;
    ta->agent.locals = NULL;
    ta->agent.gen = NULL;
    word = (uintptr_t)ta | 1; /* workers have the bit clear */
    if (mfi_thread_word_set((void *)word, give_back) < 0) {
        give_back((void *)word);
        return NULL;
    }
    mfi_arch_self_set((void *)word);
    return &ta->agent;
}

int mfi_agent_bell(struct agent *a)
{
    uint64_t count;

    if (a->bell < 0)
        a->bell = mfi_eventfd();
    else
        mfi_os_read(a->bell, &count, sizeof count);
    return a->bell;
}
