/* SPDX-License-Identifier: MIT */
/*
 * answer.c - what p13_race asks: answer WHERE DELAY_MS TEXT answers TEXT to
 * whatever a connection says first, DELAY_MS later; without TEXT it hangs up.
 */
#include <mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    mf_ns delay;
    const char *text; /* or NULL */
};

static int reply(int fd, void *arg)
{
    struct answer *a = arg;
    char question[64];
    int rc = mf_read(fd, question, sizeof question, MF_NEVER);

    if (rc > 0)
        rc = mf_sleep(a->delay);
    if (rc == 0 && a->text != NULL)
        rc = mf_write_all(fd, a->text, strlen(a->text), MF_NEVER);
    mf_close(fd);
    return rc;
}

static int serve(void *arg)
{
    char **argv = arg;
    struct answer a = {MF_MSEC(atoi(argv[2])), argv[3]};
    int rc = mf_tcp_listen(argv[1], NULL);

    if (rc >= 0)
        rc = mf_serve(rc, reply, &a, NULL);
    fprintf(stderr, "%s\n", mf_explain(rc));
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    return mf_run(serve, argv, NULL) < 0;
}
