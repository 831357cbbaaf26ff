/* SPDX-License-Identifier: MIT */
/* park_nightly_test.c - the races for one wait, a million rounds each. */
#include "sched/race.h"

enum { ROUNDS = 1000000, SECONDS = 400 };

RACES(unpark_and_deadline_race, SECONDS, UNPARK | DEADLINE, ROUNDS);
RACES(unpark_and_cancel_race, SECONDS, UNPARK | CANCEL, ROUNDS);
RACES(deadline_and_cancel_race, SECONDS, DEADLINE | CANCEL, ROUNDS);
RACES(all_three_race, SECONDS, UNPARK | DEADLINE | CANCEL, ROUNDS);
