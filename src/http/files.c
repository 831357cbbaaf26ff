/* SPDX-License-Identifier: MIT */
/* files.c - static files: the directory they are under. */
#include "http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/file.h>

/* Puts a copy at *at, which moves behind it; NULL stays NULL. */
static const char *keep(char **at, const char *text)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    char *copy = *at;

    if (text == NULL)
        return NULL;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text >= 0x7f)
            return false;
    return true;
}

int mf_http_files_open(const char *root, const mf_http_files_options *opts,
                       mf_http_files **ret_files)
{
    mf_http_files_options o = {.size = sizeof o};
    struct mf_http_files *f;
    size_t extra;
    char *at;
    int fd;

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof o ? opts->size : sizeof o);
    if (o.index == NULL)
        o.index = "index.html";
    if (root == NULL || strlen(o.index) > NAME_MAX ||
        strchr(o.index, '/') != NULL ||
        (o.cache_control != NULL && !is_printable(o.cache_control)))
        return -EINVAL;
    extra = strlen(o.index) + 2 +
            (o.cache_control != NULL ? strlen(o.cache_control) : 0);
    if ((fd = mf_open(root, O_RDONLY | O_DIRECTORY, 0, MF_NEVER)) < 0)
        return fd;
    /* tidy: allow malloc, because a server has a few */
    if ((f = malloc(sizeof *f + extra)) == NULL) {
        mf_close(fd);
        return -ENOMEM;
    }
    at = f->text;
    f->root = fd;
    f->precompressed = o.precompressed != 0;
    f->hidden = o.hidden != 0;
    f->index = o.index[0] != '\0' ? keep(&at, o.index) : NULL;
    f->cache_control = keep(&at, o.cache_control);
    *ret_files = f;
    return 0;
}

void mf_http_files_close(mf_http_files *files)
{
    if (files == NULL)
        return;
    mf_close(files->root);
    free(files); /* tidy: allow malloc, because a server has a few */
}
