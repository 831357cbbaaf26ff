/* SPDX-License-Identifier: MIT */
#include "http/files.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "http/site.h"
#include "http/text.h"

static mf_http_files *files;

/* What a path leads to: the file's first bytes, a type, or why not. */
static const char *find(const char *path, bool gzip)
{
    static char out[128];
    struct file_found found;
    int rc = mfi_file_find(files, path, gzip, &found, late()), n;

    if (rc == FILE_IS_DIRECTORY)
        return "directory";
    if (rc < 0) {
        snprintf(out, sizeof out, "%d", mfi_file_status(rc));
        return out;
    }
    n = (int)pread(found.fd, out, 20, 0);
    EXPECT_EQ(n, found.st.st_size);
    snprintf(out + n, sizeof out - 20, " %.11s%s", found.type,
             found.gzipped ? " gzip" : "");
    EXPECT_EQ(mf_close(found.fd), 0);
    return out;
}

static void with(const mf_http_files_options *opts)
{
    mf_http_files_close(files);
    EXPECT_EQ(mf_http_files_open(site, opts, &files), 0);
}

static int paths(void *arg)
{
    (void)arg;
    with(NULL);
    EXPECT_STR_EQ(find("a.txt", true), "0123456789 text/plain;");
    EXPECT_STR_EQ(find("/a.txt", false), "0123456789 text/plain;");
    EXPECT_STR_EQ(find("//dir//b c.js", false), "js text/javasc");
    EXPECT_STR_EQ(find("none.json", false), " application");
    EXPECT_STR_EQ(find("", false), "<p>root text/html; ");
    EXPECT_STR_EQ(find("/", false), "<p>root text/html; ");
    EXPECT_STR_EQ(find("dir/", false), "<p>dir text/html; ");
    EXPECT_STR_EQ(find("dir", false), "directory");
    EXPECT_STR_EQ(find("empty/", false), "404");
    EXPECT_STR_EQ(find("gone", false), "404");
    EXPECT_STR_EQ(find("a.txt/", false), "404");
    EXPECT_STR_EQ(find("a.txt/x", false), "404");
    EXPECT_STR_EQ(find("fifo", false), "404");
    return 0;
}

MFI_TEST(paths_to_files)
{
    site_make();
    in_tasks(1, paths, NULL);
    in_thread(paths, NULL);
}

static int escapes(void *arg)
{
    static const char *const bad[] = {"..",
                                      "../",
                                      "/..",
                                      "../../etc/passwd",
                                      "dir/..",
                                      "dir/../a.txt",
                                      "./a.txt",
                                      "dir/./b c.js",
                                      "passwd",
                                      "//etc/passwd",
                                      "/etc/passwd",
                                      ".git/config",
                                      ".htpasswd",
                                      ".git/",
                                      ".git",
                                      "dir/.x",
                                      ".well-known/../a.txt",
                                      ".well-knownx"};
    char longest[3000];
    size_t i;

    (void)arg;
    with(NULL);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STR_EQ(find(bad[i], true), "404");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    EXPECT_STR_EQ(find(longest, true), "404");
    for (i = 1; i < sizeof longest - 1; i += 2)
        longest[i] = '/';
    EXPECT_STR_EQ(find(longest, true), "404");
    EXPECT_STR_EQ(find(".well-known/x", true), "known application");
    with(MF_HTTP_FILES_OPTIONS(.hidden = 1));
    EXPECT_STR_EQ(find(".htpasswd", true), "secret application");
    EXPECT_STR_EQ(find("..", true), "404");
    EXPECT_STR_EQ(find(".git/../a.txt", true), "404");
    return 0;
}

MFI_TEST(nobody_gets_out_or_sees_what_is_hidden)
{
    site_make();
    in_tasks(1, escapes, NULL);
}

static int options(void *arg)
{
    mf_http_files *none = NULL;

    (void)arg;
    with(MF_HTTP_FILES_OPTIONS(.index = "b c.js", .precompressed = 1));
    EXPECT_STR_EQ(find("dir/", false), "js text/javasc");
    EXPECT_STR_EQ(find("a.txt", true), "gzipped text/plain; gzip");
    EXPECT_STR_EQ(find("a.txt", false), "0123456789 text/plain;");
    EXPECT_STR_EQ(find("old.css", true), "new text/css; c");
    EXPECT_STR_EQ(find("dir/b c.js", true), "js text/javasc");
    EXPECT_STR_EQ(find("a.txt.gz", true), "gzipped application");
    with(MF_HTTP_FILES_OPTIONS(.index = ""));
    EXPECT_STR_EQ(find("dir/", false), "404");
    EXPECT_STR_EQ(find("dir", false), "404");
    EXPECT_STR_EQ(find("", false), "404");
    EXPECT_EQ(mf_http_files_open("/none/there", NULL, &none), -ENOENT);
    EXPECT_EQ(mf_http_files_open(site_path("a.txt"), NULL, &none), -ENOTDIR);
    EXPECT_EQ(mf_http_files_open(NULL, NULL, &none), -EINVAL);
    EXPECT_EQ(
        mf_http_files_open(site, MF_HTTP_FILES_OPTIONS(.index = "../x"), &none),
        -EINVAL);
    EXPECT_EQ(
        mf_http_files_open(
            site, MF_HTTP_FILES_OPTIONS(.cache_control = "a\r\nb: c"), &none),
        -EINVAL);
    EXPECT(none == NULL);
    mf_http_files_close(NULL);
    return 0;
}

MFI_TEST(index_and_precompressed)
{
    site_make();
    in_tasks(1, options, NULL);
}

MFI_TEST(why_not_has_a_status)
{
    EXPECT_EQ(mfi_file_status(-ENOENT), 404);
    EXPECT_EQ(mfi_file_status(-EXDEV), 404);
    EXPECT_EQ(mfi_file_status(-EACCES), 403);
    EXPECT_EQ(mfi_file_status(-EMFILE), 503);
    EXPECT_EQ(mfi_file_status(-EIO), 500);
}
