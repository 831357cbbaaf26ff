/* SPDX-License-Identifier: MIT */
/*
 * faults.h - what every backend must do of names.h's server: included by the
 * test of each, whose choose() says which one it is.
 */
#ifndef MFI_TESTS_FAULTS_H
#define MFI_TESTS_FAULTS_H

#include <mayfly/block.h>
#include <mayfly/dns.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "net/names.h"
#include "sched/offload.h"

static void choose(void); /* the backend; or skip */

KIT void enter(void)
{
    choose();
    new_world_with_server();
}

/* Addresses as text, blanks between them; or the error's text. */
KIT const char *asked(const char *where, int family, char *buf, size_t len)
{
    char one[MF_ADDR_STR];
    mf_addr a[100];
    size_t used = 0;
    int n =
        mf_resolve(where, MF_RESOLVE_OPTIONS(.family = family), a, 100, late());

    snprintf(buf, len, "%s", n < 0 ? mf_strerror(n) : "");
    for (int i = 0; i < n; i++)
        used +=
            (size_t)snprintf(buf + used, len - used, "%s%s", i > 0 ? " " : "",
                             mf_addr_str(&a[i], one, sizeof one));
    return buf;
}

KIT void expect(const char *where, int family, const char *is)
{
    char buf[4096];

    EXPECT_STR_EQ(asked(where, family, buf, sizeof buf), is);
}

KIT void fails(const char *where, int rc, int rc2)
{
    mf_addr a;
    int got = mf_resolve(where, NULL, &a, 1, late());

    if (got != rc2)
        EXPECT_EQ(got, rc);
    EXPECT_STR_HAS(mf_explain(got), where);
}

/* Nonsense is no address; some libraries take it for "no such name". */
KIT void fails_somehow(const char *where)
{
    mf_addr a;
    int rc = mf_resolve(where, NULL, &a, 1, late());

    if (rc != -ENOENT && rc != -EIO)
        EXPECT_EQ(rc, -EAGAIN);
}

static int answers(void *arg)
{
    char buf[4096];

    (void)arg;
    expect("v4.test:1", AF_UNSPEC, "192.0.2.1:1");
    expect("v4.test:1", AF_INET, "192.0.2.1:1");
    expect("v6.test:1", AF_UNSPEC, "[2001:db8::1]:1");
    expect("ok.test:http", AF_INET6, "[2001:db8::1]:80");
    EXPECT_STR_HAS(asked("ok.test:1", AF_UNSPEC, buf, sizeof buf), "192.0.2.1");
    EXPECT_STR_HAS(buf, "[2001:db8::1]:1");
    expect("OK.Test.:1", AF_INET, "192.0.2.1:1");
    expect("inhosts:2", AF_INET, "192.0.2.50:2");
    expect("inhosts:2", AF_INET6, "[2001:db8::50]:2");
    expect("other.inhosts:2", AF_INET, "192.0.2.50:2");
    expect("inner:3", AF_UNSPEC, "192.0.2.7:3"); /* by the search domain */
    expect("cname.test:4", AF_INET, "192.0.2.1:4");
    expect("tc.test:5", AF_INET, "192.0.2.1:5");
    EXPECT_GT(mfi_load_acq(&world.tcp_asked), 0);
    expect("lie.test:6", AF_INET, "192.0.2.1:6");
    asked("big.test:1", AF_INET, buf, sizeof buf); /* 64 are kept */
    EXPECT_STR_HAS(buf, "198.18.0.");
    return 0;
}

MFI_TEST(names_are_found_wherever_they_are)
{
    enter();
    in_tasks(2, answers, NULL);
    in_thread(answers, NULL);
}

/* The truth never comes, and takes its time. */
static int liar(void *arg)
{
    (void)arg;
    fails("liar.test.:1", -EAGAIN, -EIO);
    return 0;
}

static int failures(void *arg)
{
    struct helper h;

    (void)arg;
    help(&h, liar, NULL);
    fails("nx.test:1", -ENOENT, 0);
    fails("loop.test:1", -ENOENT, -EIO);
    fails("fail.test:1", -EAGAIN, 0);
    fails("refused.test:1", -EAGAIN, -EIO);
    fails("junk.test.:1", -EAGAIN, -EIO);
    fails_somehow("formerr.test:1");
    fails_somehow("cut.test:1");
    EXPECT_EQ(mf_resolve("v4.test:1", MF_RESOLVE_OPTIONS(.family = AF_INET6),
                         &(mf_addr){0}, 1, late()),
              -ENOENT);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_failure_is_told_for_what_it_is_and_lies_are_not_believed)
{
    enter();
    in_tasks(2, failures, NULL);
}

/* ---- one question ------------------------------------------------------- */

static int ask_hold(void *arg)
{
    mf_addr a[4];

    (void)arg;
    EXPECT_EQ(mf_resolve("hold.test:1", NULL, a, 4, late()), 2);
    return 0;
}

static void *ask_hold_thread(void *arg)
{
    ask_hold(arg);
    return NULL;
}

static int leave_hold(void *arg)
{
    mf_addr a[4];

    (void)arg;
    EXPECT_EQ(mf_resolve("hold.test:1", NULL, a, 4, soon()), -ETIMEDOUT);
    return 0;
}

static int many_ask(void *arg)
{
    enum { MANY = 1000 / KIT_SLOW };
    static mf_task *tasks[MANY];
    pthread_t thread;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(mf_spawn(&s, i % 10 == 3 ? leave_hold : ask_hold, NULL, NULL,
                           &tasks[i]),
                  0);
    EXPECT_EQ(pthread_create(&thread, NULL, ask_hold_thread, NULL), 0);
    for (int i = 0; i < MANY; i++)
        if (i % 10 != 3)
            await_parked(tasks[i]);
        else
            EXPECT_EQ(mf_join(tasks[i], NULL, late()), 0);
    await_asked(2); /* A and AAAA */
    mfi_store_rel(&world.open, 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(a_thousand_equal_questions_are_one)
{
    enter();
    in_tasks(2, many_ask, NULL);
    EXPECT_LE(mfi_load_acq(&world.asked), 4); /* the thread may be late */
}

/* ---- a server that does not answer -------------------------------------- */

static int ask_mute(void *arg)
{
    char where[32];
    mf_addr a;

    snprintf(where, sizeof where, "mute.n%d.:1", *(int *)arg);
    return mf_resolve(where, NULL, &a, 1, mf_after(MF_MSEC(100)));
}

static int one(void *arg)
{
    return *(int *)arg;
}

/* More lookups than threads, and mf_block does not even notice. */
static int unhindered(void *arg)
{
    int id[40];
    mf_task *tasks[40];
    mf_ns begin = mf_now();
    mf_scope s;
    int rc;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < 40; i++) {
        id[i] = i;
        EXPECT_EQ(mf_spawn(&s, ask_mute, &id[i], NULL, &tasks[i]), 0);
    }
    await_asked(1);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(mf_block(one, &i, sizeof i, NULL, late()), i);
    for (int i = 0; i < 40; i++) {
        EXPECT_EQ(mf_join(tasks[i], &rc, late()), 0);
        EXPECT_EQ(rc, -ETIMEDOUT);
    }
    /* 100 ms, not the second and more that resolv.conf gives each. */
    EXPECT_LT(mf_now() - begin, MF_MSEC(900) * mfi_test_scale());
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    return 0;
}

MFI_TEST(a_mute_server_stops_nobody_else)
{
    enter();
    in_tasks(2, unhindered, NULL);
}

static int ask_for_ever(void *arg)
{
    mf_addr a;

    EXPECT_EQ(mf_resolve(arg, NULL, &a, 1, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_resolve(arg, NULL, &a, 1, MF_NEVER), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    mf_task *t;
    mf_ns begin;
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, ask_for_ever, arg, NULL, &t), 0);
    await_parked(t);
    await_asked(1);
    begin = mf_now();
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_LT(mf_now() - begin, MF_MSEC(500) * mfi_test_scale());
    return 0;
}

static char mute_name[] = "mute.test.:1";

MFI_TEST(a_cancel_holds_at_once_and_a_stop_waits)
{
    enter();
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(cancelled(mute_name), 0);
    if (strcmp(mf_resolver(), "getaddrinfo") == 0) /* it cannot be taken back */
        EXPECT_EQ(mf_stop(MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stop(late()), 0);
    mfi_store_rel(&world.open, 1);
    in_tasks(2, ask_hold, NULL);
}

/* ---- somebody else's server --------------------------------------------- */

static pid_t start_dnsmasq(void)
{
    static const char *const argv[] = {
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--group=root",
        "--pid-file=",
        "--log-facility=/dev/null",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--local=/masq/",
        "--host-record=target.masq,192.0.2.10,2001:db8::10",
        "--cname=alias.masq,target.masq",
        NULL};
    pid_t parent = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        execv("/usr/sbin/dnsmasq", (char *const *)(uintptr_t)argv);
        execv("/usr/bin/dnsmasq", (char *const *)(uintptr_t)argv);
    }
    _exit(127);
}

static int ask_dnsmasq(void *arg)
{
    mf_deadline end = late();
    char buf[4096];
    mf_addr a;

    (void)arg;
    while (mf_resolve("target.masq:1", NULL, &a, 1, late()) == -EAGAIN)
        EXPECT_LT(mf_now(), end.at); /* it is about to start */
    expect("alias.masq:1", AF_INET, "192.0.2.10:1");
    expect("alias.masq:1", AF_INET6, "[2001:db8::10]:1");
    EXPECT_STR_HAS(asked("target.masq:1", AF_UNSPEC, buf, sizeof buf),
                   "192.0.2.10:1");
    EXPECT_STR_HAS(buf, "[2001:db8::10]:1");
    fails("nobody.masq:1", -ENOENT, 0);
    return 0;
}

MFI_TEST(dnsmasq_is_understood)
{
    int status;
    pid_t pid;

    choose();
    if (access("/usr/sbin/dnsmasq", X_OK) != 0 &&
        access("/usr/bin/dnsmasq", X_OK) != 0)
        MFI_SKIP("there is no dnsmasq");
    new_world("nameserver 127.0.0.1\n");
    EXPECT_GT(pid = start_dnsmasq(), 0);
    in_tasks(2, ask_dnsmasq, NULL);
    EXPECT_EQ(kill(pid, SIGKILL), 0);
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status));
}

#endif
