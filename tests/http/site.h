/* SPDX-License-Identifier: MIT */
/* site.h - a directory to serve, for a test; gone at its end. */
#ifndef MFI_TEST_HTTP_SITE_H
#define MFI_TEST_HTTP_SITE_H

#include <ftw.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "io/kit.h"

static char site[64];

KIT int site_remove(const char *path, const struct stat *st, int flag,
                    struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

__attribute__((__destructor__, __unused__)) static void site_clear(void)
{
    if (site[0] != '\0')
        nftw(site, site_remove, 8, FTW_DEPTH | FTW_PHYS);
}

KIT const char *site_path(const char *name)
{
    static char path[2][256];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", site, name);
    return path[turn];
}

/* A file with this text, last changed at this second. */
KIT void site_put(const char *name, const char *text, time_t changed)
{
    struct timespec times[2] = {{.tv_sec = changed}, {.tv_sec = changed}};
    FILE *f = fopen(site_path(name), "w");

    EXPECT(f != NULL);
    EXPECT(fputs(text, f) >= 0);
    fclose(f);
    EXPECT_EQ(utimensat(AT_FDCWD, site_path(name), times, 0), 0);
}

enum { SITE_TIME = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

KIT void site_make(void)
{
    snprintf(site, sizeof site, "/tmp/mayfly-test-XXXXXX");
    EXPECT(mkdtemp(site) != NULL);
    EXPECT_EQ(mkdir(site_path("dir"), 0755), 0);
    EXPECT_EQ(mkdir(site_path("empty"), 0755), 0);
    EXPECT_EQ(mkdir(site_path(".git"), 0755), 0);
    EXPECT_EQ(mkdir(site_path(".well-known"), 0755), 0);
    site_put("index.html", "<p>root", SITE_TIME);
    site_put("dir/index.html", "<p>dir", SITE_TIME);
    site_put("a.txt", "0123456789", SITE_TIME);
    site_put("a.txt.gz", "gzipped", SITE_TIME);
    site_put("old.css", "new", SITE_TIME);
    site_put("old.css.gz", "old", SITE_TIME - 1);
    site_put("dir/b c.js", "js", SITE_TIME);
    site_put("none.json", "", SITE_TIME);
    site_put(".git/config", "secret", SITE_TIME);
    site_put(".htpasswd", "secret", SITE_TIME);
    site_put(".well-known/x", "known", SITE_TIME);
    EXPECT_EQ(mkfifo(site_path("fifo"), 0644), 0);
    EXPECT_EQ(symlink("/etc/passwd", site_path("passwd")), 0);
    EXPECT_EQ(symlink("dir", site_path("link")), 0);
}

#endif
