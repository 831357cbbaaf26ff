/* SPDX-License-Identifier: MIT */
/*
 * http.c - a small HTTP server: "/" and "/hello" say something, "/quit" ends
 * it, anything else is not found.
 *
 * One task for each connection; keep-alive, pipelining, limits and timeouts are
 * the server's. /quit fires an event: no more connections are taken, the
 * requests under way end first.
 *
 * Run: ./http [-p PORT] [-t WORKERS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mayfly.h>

static mf_event stop;

static int say(mf_http_req *req, void *text)
{
    return mf_http_reply(req, 200, "text/plain", text, strlen(text),
                         mf_after(MF_SEC(10)));
}

static int quit(mf_http_req *req, void *text)
{
    mf_event_fire(&stop);
    return say(req, text);
}

static int routes(mf_http_app *app)
{
    static char welcome[] = "Welcome to the mayfly http demo\n";
    static char hello[] = "Hello, World!\n", bye[] = "Bye.\n";
    int rc;

    if ((rc = mf_http_route(app, "GET", "/", say, welcome)) < 0 ||
        (rc = mf_http_route(app, "GET", "/hello", say, hello)) < 0)
        return rc;
    return mf_http_route(app, "GET", "/quit", quit, bye);
}

static int server(void *where)
{
    char text[MF_ADDR_STR];
    mf_http_app *app;
    mf_addr addr;
    int rc, listener = mf_tcp_listen(where, NULL);

    if (listener < 0)
        return listener;
    if ((rc = mf_http_app_make(NULL, &app)) < 0)
        return rc;
    if ((rc = routes(app)) >= 0 && (rc = mf_local_addr(listener, &addr)) >= 0) {
        mf_addr_str(&addr, text, sizeof text);
        printf("http://%s/  try: curl http://%s/hello\n", text, text);
        fflush(stdout);
        rc = mf_http_listen(
            app, listener, MF_SERVE_OPTIONS(.stop = &stop, .drain = MF_SEC(1)));
    }
    mf_http_app_unref(app);
    return rc;
}

int main(int argc, char **argv)
{
    int c, rc, port = 8080, workers = 0;
    char where[32];

    while ((c = getopt(argc, argv, "hp:t:")) != -1) {
        port = c == 'p' ? (int)strtol(optarg, NULL, 10) : port;
        workers = c == 't' ? (int)strtol(optarg, NULL, 10) : workers;
        if (c == 'h' || c == '?') {
            printf("usage: http [-p PORT] [-t WORKERS]   (8080; all CPUs)\n");
            return c == 'h' ? 0 : 2;
        }
    }
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    if ((rc = mf_run(server, where, MF_OPTIONS(.workers = workers))) < 0)
        fprintf(stderr, "http: %s\n", mf_explain(rc));
    return rc < 0;
}
