/* SPDX-License-Identifier: MIT */
/*
 * seeds.c - a test under one seed after the other.
 *
 *   MF_SIM_SEEDS=from-to   these; without it 1-20
 *   MF_SIM_SEED=n          this one
 *   MF_SIM_TRACE=1         print every choice
 *
 * Each run is a child forked from the same parent, so each begins in the same
 * state and a seed does the same alone as after a hundred others. The first
 * seed is run twice and must make the same choices; one that failed is run
 * again, to say whether it does so again.
 */
#include "sim/seeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/sim.h"

struct shared { /* with the children */
    uint64_t hash;
    uint64_t choices; /* by those that passed */
};

static struct shared *shared;
static uint64_t seed;

uint32_t mfi_test_seed(void)
{
    return (uint32_t)seed;
}

void mfi_sim_child_begins(void)
{
    sim_begin(seed, &shared->hash);
}

void mfi_sim_child_ends(void)
{
    shared->choices += sim.choices;
    sim_end();
}

static bool range(uint64_t *first, uint64_t *last)
{
    const char *one = getenv("MF_SIM_SEED"), *text = getenv("MF_SIM_SEEDS");
    char *end;

    *first = 1;
    *last = 20;
    if (one != NULL && *one != '\0') {
        *first = *last = strtoull(one, &end, 10);
        return *end == '\0';
    }
    if (text == NULL || *text == '\0')
        return true;
    *first = strtoull(text, &end, 10);
    if (*end != '-')
        return false;
    *last = strtoull(end + 1, &end, 10);
    return *end == '\0' && *first <= *last;
}

static int failed(const struct mfi_test *test, mfi_sim_once *once, char *why,
                  size_t len)
{
    uint64_t hash = shared->hash;
    char first[160], second[160];
    bool same;

    snprintf(first, sizeof first, "%s", why);
    fprintf(stderr, "# %s fails under seed %llu; the same once more:\n",
            test->name, (unsigned long long)seed);
    same = once(test, second, sizeof second) != 0 && shared->hash == hash;
    snprintf(why, len, "seed %llu: %s; %s MF_SIM_SEED=%llu %s %s",
             (unsigned long long)seed, first,
             same ? "replay:" : "NOT THE SAME THE SECOND TIME:",
             (unsigned long long)seed, program_invocation_name, test->name);
    return 1;
}

int mfi_sim_seeds(const struct mfi_test *test, mfi_sim_once *once, bool forks,
                  char *why, size_t len)
{
    uint64_t first, last;
    int rc = 0;

    if (shared == NULL)
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !range(&first, &last)) {
        snprintf(why, len, "MF_SIM_SEED is a number, MF_SIM_SEEDS is from-to");
        return 1;
    }
    sim_prepare();
    shared->choices = 0;
    seed = first;
    if (!forks)
        return once(test, why, len);
    for (; seed <= last && rc == 0; seed++) {
        uint64_t hash;

        rc = once(test, why, len);
        if (rc == 0 && seed == first) {
            hash = shared->hash;
            rc = once(test, why, len);
            if (rc == 0 && shared->hash != hash) {
                snprintf(why, len, "seed %llu: other choices the second time",
                         (unsigned long long)seed);
                return 1;
            }
        }
        if (rc == 1)
            return failed(test, once, why, len);
    }
    if (rc == 0)
        snprintf(why, len, "seeds %llu-%llu, %llu choices",
                 (unsigned long long)first, (unsigned long long)last,
                 (unsigned long long)shared->choices);
    if (rc == 0 && first == last)
        snprintf(why, len, "seed %llu, choices %016llx",
                 (unsigned long long)first, (unsigned long long)shared->hash);
    return rc;
}
