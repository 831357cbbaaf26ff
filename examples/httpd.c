/* SPDX-License-Identifier: MIT */
/*
 * httpd.c - the files of a directory, and a JSON API: GET and PUT of values at
 * /api/values/NAME. A line for each request goes to standard output.
 *
 * Run: ./httpd [DIRECTORY [HOST:PORT]]   (., 127.0.0.1:8080)
 */
#include <stdio.h>
#include <string.h>

#include <mayfly.h>

static char json[100][4096]; /* by the hash of the name: old ones give way */
static mf_mutex lock;

static char *value_of(mf_http_req *req)
{
    const char *name = mf_http_param(req, "name");
    unsigned hash = 0;

    while (name != NULL && *name != '\0')
        hash = hash * 33 + (unsigned char)*name++;
    return json[hash % (sizeof json / sizeof json[0])];
}

static int answer(mf_http_req *req, int status, const char *text)
{
    return mf_http_reply(req, status, "application/json", text, strlen(text),
                         MF_NEVER);
}

static int get(mf_http_req *req, void *arg)
{
    char copy[sizeof json[0]];
    int rc = mf_mutex_lock(&lock, MF_NEVER);

    (void)arg;
    if (rc < 0)
        return rc;
    memcpy(copy, value_of(req), sizeof copy);
    mf_mutex_unlock(&lock);
    return copy[0] != '\0' ? answer(req, 200, copy) : answer(req, 404, "null");
}

static int put(mf_http_req *req, void *arg)
{
    const void *body;
    size_t len;
    int rc = mf_http_body(req, &body, &len, MF_NEVER);

    (void)arg;
    if (rc < 0 || (rc = mf_mutex_lock(&lock, MF_NEVER)) < 0)
        return rc;
    snprintf(value_of(req), sizeof json[0], "%.*s", (int)len,
             (const char *)body);
    mf_mutex_unlock(&lock);
    return answer(req, 200, "true");
}

static int serve(mf_scope *s, char **args)
{
    mf_http_files *files = NULL;
    mf_http_app *app = NULL;
    mf_http_log *log = NULL;
    mf_http_options o = {.size = sizeof o, .log = mf_http_log_request};
    int rc = mf_http_log_open(s, 1, NULL, &log);

    o.log_arg = log;
    if (rc >= 0 && (rc = mf_http_files_open(args[0], NULL, &files)) >= 0 &&
        (rc = mf_http_app_make(&o, &app)) >= 0 &&
        (rc = mf_http_route(app, "GET", "/*path", mf_http_serve_files,
                            files)) >= 0 &&
        (rc = mf_http_route(app, "GET", "/api/values/:name", get, NULL)) >= 0 &&
        (rc = mf_http_route(app, "PUT", "/api/values/:name", put, NULL)) >= 0 &&
        (rc = mf_tcp_listen(args[1], NULL)) >= 0)
        rc = mf_http_listen(app, rc, NULL);
    mf_http_app_unref(app);
    mf_http_files_close(files);
    mf_http_log_close(log, MF_NEVER);
    return rc;
}

static int server(void *args)
{
    MF_SCOPE(s);
    return serve(&s, args);
}

int main(int argc, char **argv)
{
    static char here[] = ".", where[] = "127.0.0.1:8080";
    char *args[] = {argc > 1 ? argv[1] : here, argc > 2 ? argv[2] : where};
    int rc;

    mf_printf(1, MF_NEVER, "http://%s/   try: curl -T - %s/api/values/x\n",
              args[1], args[1]);
    if ((rc = mf_run(server, args, NULL)) < 0)
        fprintf(stderr, "httpd: %s\n", mf_explain(rc));
    return rc < 0;
}
