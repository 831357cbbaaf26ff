/* SPDX-License-Identifier: MIT */
/* seeds.h - what test_main.c asks of the simulator, in simulated builds. */
#ifndef MFI_TESTS_SIM_SEEDS_H
#define MFI_TESTS_SIM_SEEDS_H

#include <stdbool.h>
#include <stddef.h>

#include "test.h"

/* One run of a test in a child; as test_main.c has it: 0, or not and why. */
typedef int mfi_sim_once(const struct mfi_test *test, char *why, size_t len);

/*
 * The test under every seed the environment asks for, until one fails; or, if
 * once does not fork, under the first of them.
 */
int mfi_sim_seeds(const struct mfi_test *test, mfi_sim_once *once, bool forks,
                  char *why, size_t len);

/* In the child: from here to the end all is simulated, under the seed. */
void mfi_sim_child_begins(void);
void mfi_sim_child_ends(void);

#endif
