/* SPDX-License-Identifier: MIT */
/*
 * plan.c - what a seed decides.
 *
 * Two ways to schedule, each good at what the other rarely meets:
 *
 *   walk   after a random number of points a random ready thread runs on. The
 *          mean is drawn per seed, from a switch at every point to long runs.
 *   PCT    each thread has a rank, the highest ready one runs, and at a few
 *          random points the running one falls to the bottom. A bug that needs
 *          d such orderings among n threads and k points is found with at least
 *          1 / (n k^(d-1)). Burckhardt, Kothari, Musuvathi and Nagarakatte
 *          2010, "A Randomized Scheduler with Probabilistic Guarantees of
 *          Finding Bugs". k is not known before the run, so it is drawn on a
 *          logarithmic scale, and after k points all is drawn anew: tests are
 *          loops, and a bug in any round is a bug.
 *
 * Everything else that is a matter of chance on a real machine is drawn per
 * seed as well, so that settings no one seed would combine meet ("swarm
 * testing", Groce et al. 2012): which points weigh more, how fast time goes,
 * whether it leaps so that deadlines strike early, whether the scheduler's own
 * rules say where a task runs or any worker takes any.
 */
#include "sim.h"

#include <stdio.h>

enum {
    WEIGHT = 256,        /* the price of an ordinary point */
    PATIENCE = 10000000, /* of price, for one that neither waits nor yields */
    FAR = 1000,          /* points, while there is nobody to choose */
    PICK_MOST = 64,
    CHANGES_MOST = 4,
};

enum picks { ANY, OLDEST, NEWEST }; /* of the tasks that are ready */

static struct {
    uint64_t seed, state;
    bool pct, spread, spurious;
    uint32_t mean;   /* walk: of price, between two choices */
    uint32_t window; /* PCT: k, as price */
    uint32_t depth;  /* PCT: changes in a window */
    uint32_t leaps;  /* at one in so many choices; 0: never */
    uint32_t relax_log2;
    uint32_t rate; /* ns in a price of WEIGHT */
    enum picks picks;
    int costs;
    uint32_t used, ran; /* PCT: of the window; by the current thread */
    uint32_t change[CHANGES_MOST]; /* sorted */
    uint64_t top, bottom;          /* ranks */
    struct sim_thread *last;
    int32_t drawn;
} plan;

int32_t mfi_sim_left = INT32_MAX;
int32_t mfi_sim_cost[4];

static const uint8_t leaps[] = {0, 2, 8, 32};

/* far load, far write, near load, near write */
static const int16_t costs[][4] = {{256, 256, 256, 256},
                                   {16, 64, 256, 256},
                                   {1, 1, 256, 256},
                                   {1, 1, 32, 256}};

/* ---- chance ------------------------------------------------------------- */

/* Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Generators". */
static uint64_t random64(void)
{
    uint64_t z = plan.state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t sim_random(uint32_t n)
{
    return n < 2 ? 0 : (uint32_t)((random64() >> 32) * n >> 32);
}

uint32_t mfi_sim_pick(uint32_t n)
{
    if (!sim.on || n < 2)
        return 0;
    if (n > PICK_MOST)
        n = PICK_MOST;
    /* Never quite: who yields in a loop would be taken for ever. */
    if (plan.picks != ANY && sim_random(8) != 0)
        return plan.picks == OLDEST ? 0 : n - 1;
    return sim_random(n);
}

bool mfi_sim_spread(void)
{
    return sim.on && plan.spread;
}

bool sim_leap_due(void)
{
    return plan.leaps != 0 && sim_random(plan.leaps) == 0;
}

/* Short as a rule, and long enough for a loop of them to get somewhere. */
mf_ns sim_relax_span(void)
{
    return 1 + sim_random(1u << sim_random(plan.relax_log2));
}

bool sim_spurious_due(void)
{
    return plan.spurious && sim_random(16) == 0;
}

/* ---- ranks -------------------------------------------------------------- */

/* Among the ranks given out, so that a newcomer may be anywhere. */
uint64_t sim_rank(void)
{
    return plan.top + (random64() >> 16);
}

uint64_t sim_rank_last(void)
{
    return --plan.bottom;
}

/* A window begins: all ranks and the points of change are drawn. */
static void open_window(void)
{
    plan.used = 0;
    for (int i = 0; i < sim.nr_threads; i++)
        sim.threads[i].rank = sim_rank();
    for (uint32_t i = 0; i < plan.depth; i++) {
        uint32_t at = sim_random(plan.window), k = i;

        for (; k > 0 && plan.change[k - 1] > at; k--)
            plan.change[k] = plan.change[k - 1];
        plan.change[k] = at;
    }
}

/* Until the next change, the end of the window, or the end of patience. */
static uint32_t pct_distance(void)
{
    uint32_t until = plan.window;

    for (uint32_t i = plan.depth; i > 0; i--)
        if (plan.change[i - 1] >= plan.used)
            until = plan.change[i - 1];
    until -= plan.used;
    return until < PATIENCE - plan.ran ? until : PATIENCE - plan.ran;
}

static void pct_step(uint32_t used)
{
    bool change = false;

    if (plan.last != sim.current)
        plan.ran = 0;
    plan.last = sim.current;
    plan.ran += used;
    for (uint32_t i = 0; i < plan.depth; i++)
        if (plan.change[i] >= plan.used && plan.change[i] < plan.used + used)
            change = true;
    plan.used += used;
    if (plan.used >= plan.window)
        open_window();
    if (change || plan.ran >= PATIENCE) {
        sim.current->rank = sim_rank_last();
        plan.ran = 0;
    }
}

/* ---- choices ------------------------------------------------------------ */

struct sim_thread *sim_pick_thread(bool away)
{
    struct sim_thread *best = NULL;
    uint32_t n = 0;

    for (int i = 0; i < sim.nr_threads; i++) {
        struct sim_thread *t = &sim.threads[i];

        if (t->state != SIM_READY || (away && t == sim.current))
            continue;
        n++;
        if (best == NULL ||
            (plan.pct ? t->rank > best->rank : sim_random(n) == 0))
            best = t;
    }
    if (best == NULL && away && sim.current->state == SIM_READY)
        best = sim.current;
    return best;
}

void sim_settle(void)
{
    int32_t used = plan.drawn - mfi_sim_left;

    sim.now += (mf_ns)used * plan.rate / WEIGHT;
    plan.drawn = mfi_sim_left;
    if (plan.pct)
        pct_step((uint32_t)used);
}

mf_ns sim_elapsed(void)
{
    return (mf_ns)(plan.drawn - mfi_sim_left) * plan.rate / WEIGHT;
}

void sim_draw(void)
{
    uint32_t n;

    if (plan.pct)
        n = pct_distance() + 1;
    else
        n = 1 + sim_random(2 * plan.mean) / (sim_random(4) == 0 ? 8 : 1);
    plan.drawn = mfi_sim_left = (int32_t)n;
}

void sim_draw_far(void)
{
    plan.drawn = mfi_sim_left = WEIGHT * FAR;
}

void sim_hurry(const struct sim_thread *t)
{
    if (plan.pct && t->rank > sim.current->rank) {
        sim_settle();
        plan.drawn = mfi_sim_left = 1;
    }
}

/* ---- the seed ----------------------------------------------------------- */

void sim_plan(uint64_t seed)
{
    bool about_sched;
    int cost;

    plan.seed = plan.state = seed;
    plan.top = UINT64_C(1) << 62;
    plan.bottom = UINT64_C(1) << 61;
    plan.last = NULL;
    plan.ran = 0;
    plan.pct = sim_random(5) < 2;
    about_sched = sim_random(3) == 0;
    plan.spread = !about_sched || sim_random(2) == 0;
    plan.leaps = leaps[sim_random(4)];
    plan.spurious = sim_random(4) == 0;
    plan.picks = sim_random(2) == 0 ? ANY : 1 + sim_random(2);
    plan.mean = (uint32_t)WEIGHT << sim_random(6);
    plan.window = (uint32_t)WEIGHT << (2 + sim_random(7));
    plan.depth = 1 + sim_random(CHANGES_MOST);
    plan.relax_log2 = 13 + 2 * sim_random(3);
    plan.rate = 1u << 2 * sim_random(4);
    cost = (int)sim_random(2) + (about_sched ? 0 : 2);
    plan.costs = cost;
    for (int i = 0; i < 4; i++)
        mfi_sim_cost[i] = costs[cost][i];
    open_window();
    sim_draw();
}

void sim_plan_print(void)
{
    fprintf(stderr, "# seed %llu: ", (unsigned long long)plan.seed);
    if (plan.pct)
        fprintf(stderr, "PCT, %u changes in %u", plan.depth, plan.window);
    else
        fprintf(stderr, "walk, %u on average", plan.mean);
    fprintf(stderr, "; prices %d, %u ns, picks %u, leaps %u%s%s\n", plan.costs,
            plan.rate, plan.picks, plan.leaps, plan.spread ? ", spread" : "",
            plan.spurious ? ", spurious" : "");
}
