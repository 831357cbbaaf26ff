/* SPDX-License-Identifier: MIT */
/*
 * select.c - wait for the first of four things: a connection, a point in time,
 * a number or a text. Exactly one happens; the others have consumed nothing.
 *
 * Run: ./select
 */
#include <stdio.h>

#include <mayfly.h>

MF_CHAN_DEFINE(ints, int);
MF_CHAN_DEFINE(texts, const char *);

static int say_hello(void *arg)
{
    int rc = mf_sleep(MF_MSEC(100));

    return rc < 0 ? rc : texts_send(arg, "hello", MF_NEVER);
}

static int first_of_four(int listener, ints *numbers, texts *words)
{
    const char *word = "";
    int rc, number = 0;

    MF_SCOPE(s); /* whatever we start ends with this block */
    mf_go(&s, say_hello, words);

    MF_SELECT(rc, mf_after(MF_SEC(10)))
    {
        MF_CASE(mf_on_accept(listener, NULL))
        {
            printf("got a connection\n");
            mf_close(rc);
        }
        MF_CASE(mf_on_time(mf_after(MF_SEC(5))))
        {
            printf("time is up\n");
        }
        MF_CASE(ints_on_recv(numbers, &number))
        {
            printf(rc > 0 ? "number %d\n" : "no more numbers\n", number);
        }
        MF_CASE(texts_on_recv(words, &word))
        {
            printf(rc > 0 ? "word %s\n" : "no more words\n", word);
        }
        MF_ELSE
        {
            printf("neither: %s\n", mf_explain(rc)); /* deadline, cancel */
        }
    }
    return mf_scope_close(&s);
}

static int run(void *arg)
{
    ints *numbers = NULL;
    texts *words = NULL;
    int listener = mf_tcp_listen("127.0.0.1:0", NULL), rc = listener;

    (void)arg;
    if (rc >= 0 && (rc = ints_make(1, NULL, &numbers)) >= 0 &&
        (rc = texts_make(1, NULL, &words)) >= 0)
        rc = first_of_four(listener, numbers, words);
    texts_unref(words); /* NULL is fine */
    ints_unref(numbers);
    if (listener >= 0)
        mf_close(listener);
    return rc;
}

int main(void)
{
    int rc = mf_run(run, NULL, NULL);

    if (rc < 0)
        fprintf(stderr, "select: %s\n", mf_explain(rc));
    return rc < 0;
}
