/* SPDX-License-Identifier: MIT */
/*
 * test.h - the test framework: a test is a sentence, run in a process of its
 * own.
 *
 *   MFI_TEST(early_give_is_kept)
 *   {
 *       EXPECT_EQ(give(), 0);
 *   }
 *
 * Each test runs in a forked child with a timeout: a crash or a hang fails that
 * test only. The first expectation that does not hold prints itself and ends
 * the child at once, so it may stand on any thread and on any coroutine's
 * stack. A passing child leaves through exit(), so that leak checkers look.
 */
#ifndef MFI_TEST_H
#define MFI_TEST_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

enum { MFI_TEST_SECONDS = 60 };

#ifdef __SANITIZE_ADDRESS__
# define MFI_TEST_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
# define MFI_TEST_TSAN 1
#endif
#ifdef __has_feature
# if __has_feature(address_sanitizer)
#  define MFI_TEST_ASAN 1
# endif
# if __has_feature(thread_sanitizer)
#  define MFI_TEST_TSAN 1
# endif
#endif
#ifndef MFI_TEST_ASAN
# define MFI_TEST_ASAN 0
#endif
#ifndef MFI_TEST_TSAN
# define MFI_TEST_TSAN 0
#endif

/* 1 where the simulator of tests/sim plays the machine. */
#ifndef MFI_SIM
# define MFI_SIM 0
#endif
#define MFI_TEST_SIM MFI_SIM

struct mfi_test {
    const char *name;
    void (*fn)(void);
    int seconds; /* before MF_TEST_TIMEOUT_SCALE */
    struct mfi_test *next;
};

#ifndef MFI_TEST_EMULATED
# define MFI_TEST_EMULATED 0 /* 1: another CPU's programs, run by qemu */
#endif

/* A test; MFI_TEST_T gives it another timeout, in seconds. */
#define MFI_TEST(name) MFI_TEST_T(name, MFI_TEST_SECONDS)
#define MFI_TEST_T(name_, seconds_)                                   \
 static void name_(void);                                             \
 __attribute__((__constructor__)) static void name_##_register_(void) \
 {                                                                    \
  static struct mfi_test test_ = {#name_, name_, seconds_, NULL};     \
  mfi_test_add(&test_);                                               \
 }                                                                    \
 static void name_(void)

/* End this test as skipped: what it needs is not here. Reason: a literal. */
#define MFI_SKIP(reason) mfi_test_skip(reason)

/*
 * The same in simulated builds only: what a test needs that is not simulated
 * (real time, foreign processes), or what it takes for granted that holds on
 * one real worker only (who runs first of those that may).
 */
#define MFI_SIM_SKIP(reason) \
 do {                        \
  if (MFI_TEST_SIM)          \
   mfi_test_skip(reason);    \
 } while (0)

/*
 * Rounds of a loop that waits for chance to meet a race: a simulated run makes
 * few of them, as it is repeated with hundreds of seeds.
 */
#define MFI_ROUNDS(n)      (MFI_TEST_SIM ? MFI_SIM_ROUNDS_((n) / 200 + 1) : (n))
#define MFI_SIM_ROUNDS_(n) ((n) < 25 ? (n) : 25)

/* Under which seed this is simulated; 0: it is not. */
uint32_t mfi_test_seed(void);

#define EXPECT(cond)                               \
 do {                                              \
  if (!(cond))                                     \
   mfi_test_fail(__FILE__, __LINE__, "%s", #cond); \
 } while (0)

/* What chance brings about in thousands of rounds: few are simulated. */
#define EXPECT_BY_CHANCE(cond) \
 do {                          \
  if (!MFI_TEST_SIM)           \
   EXPECT(cond);               \
 } while (0)

/* For anything that fits a long long: integers, enums, pointers. */
#define EXPECT_EQ(a, b) MFI_EXPECT_OP_(a, ==, b)
#define EXPECT_NE(a, b) MFI_EXPECT_OP_(a, !=, b)
#define EXPECT_LT(a, b) MFI_EXPECT_OP_(a, <, b)
#define EXPECT_LE(a, b) MFI_EXPECT_OP_(a, <=, b)
#define EXPECT_GT(a, b) MFI_EXPECT_OP_(a, >, b)
#define EXPECT_GE(a, b) MFI_EXPECT_OP_(a, >=, b)
#define MFI_EXPECT_OP_(a, op, b)                                             \
 do {                                                                        \
  long long mfi_a_ = (long long)(a), mfi_b_ = (long long)(b);                \
  if (!(mfi_a_ op mfi_b_))                                                   \
   mfi_test_fail(__FILE__, __LINE__, "%s " #op " %s: %lld and %lld", #a, #b, \
                 mfi_a_, mfi_b_);                                            \
 } while (0)

#define EXPECT_STR_EQ(a, b) \
 mfi_test_str_eq(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define EXPECT_STR_HAS(text, part) \
 mfi_test_str_has(__FILE__, __LINE__, #text " has " #part, (text), (part))

/*
 * fn() ends its process by `signal` after `text` (NULL: anything) was written
 * to stderr. Under a sanitizer, which handles signals itself, any failing end
 * will do.
 */
#define EXPECT_DIES(fn, signal, text) \
 mfi_test_expect_dies(__FILE__, __LINE__, #fn, (fn), (signal), (text))

/*
 * Run fn in a forked child and collect what it writes to stderr.
 *
 *   out  len bytes, always terminated; what does not fit is dropped
 *
 * Returns the wait status. Context: plain thread, no runtime running.
 */
int mfi_test_dies(void (*fn)(void), char *out, size_t len);

/* MF_TEST_TIMEOUT_SCALE (1 or more): how much slower than usual this run is. */
int mfi_test_scale(void);

/* Is it valgrind that runs us? It needs address space of its own. */
int mfi_test_under_valgrind(void);

void mfi_test_add(struct mfi_test *test);
void mfi_test_skip(const char *reason) __attribute__((__noreturn__));
void mfi_test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((__noreturn__, __format__(__printf__, 3, 4)));
void mfi_test_str_eq(const char *file, int line, const char *what,
                     const char *a, const char *b);
void mfi_test_str_has(const char *file, int line, const char *what,
                      const char *text, const char *part);
void mfi_test_expect_dies(const char *file, int line, const char *what,
                          void (*fn)(void), int sig, const char *text);

#endif
