/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - the affinity mask, and quotas found by way of /proc.
 *
 * /proc/self/cgroup says which group we are in, as a path in a hierarchy:
 *
 *     0::/user.slice/app.scope            version 2: one hierarchy
 *     4:cpu,cpuacct:/docker/1234          version 1: one for these controllers
 *
 * and /proc/self/mountinfo says where (part of) that hierarchy is mounted:
 *
 *     35 24 0:30 /docker/1234 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
 *                ^ root       ^ mount point           ^ type        ^ options
 *
 * The group's directory is the mount point and what the path has beyond root.
 * A quota binds all groups below, so every directory from there up to the mount
 * point is asked; those above a container's root cannot be seen. The files:
 *
 *     version 2    cpu.max             "200000 100000", "max 100000": none
 *     version 1    cpu.cfs_quota_us    "200000", "-1": none
 *                  cpu.cfs_period_us   "100000"
 *
 * A file that is missing or looks otherwise means no limit: a wrong guess here
 * costs speed, not correctness.
 *
 * Sources: cgroups(7), proc(5); Linux Documentation/admin-guide/cgroup-v2.rst,
 * Documentation/scheduler/sched-bwc.rst.
 */
#include "os/cpu.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/io.h"

enum { WORD_BITS = 8 * sizeof(unsigned long) };

/* the affinity mask */

/* Returns the words of *ret_mask, which the caller frees, or -ENOMEM. */
static int read_mask(unsigned long **ret_mask)
{
    for (size_t len = 128; len <= (1 << 20); len *= 2) {
        unsigned long *mask = calloc(1, len);
        long rc;

        if (mask == NULL)
            return -ENOMEM;
        rc = mfi_sys3(SYS_sched_getaffinity, 0, len, mask);
        if (rc > 0) {
            *ret_mask = mask;
            return (int)(rc / (long)sizeof *mask);
        }
        free(mask);
        if (rc != -EINVAL) /* which means: too short */
            return (int)rc;
    }
    return -ENOMEM;
}

static int count_bits(const unsigned long *mask, int words)
{
    int n = 0;

    for (int i = 0; i < words; i++)
        n += __builtin_popcountl(mask[i]);
    return n;
}

int mfi_cpu_nth(int i)
{
    unsigned long *mask = NULL;
    int words, n, cpu = -1;

    if (i < 0)
        return -EINVAL;
    words = read_mask(&mask);
    if (words < 0)
        return words;
    n = count_bits(mask, words);
    for (int left = n == 0 ? -1 : i % n; left >= 0; left--) {
        do
            cpu++;
        while ((mask[cpu / WORD_BITS] >> cpu % WORD_BITS & 1) == 0);
    }
    free(mask);
    return cpu < 0 ? 0 : cpu;
}

int mfi_cpu_allowed(void)
{
    unsigned long *mask = NULL;
    int words = read_mask(&mask);
    int n = words < 0 ? 1 : count_bits(mask, words);
    int quota = mfi_cpu_quota("");

    free(mask);
    if (quota > 0 && quota < n)
        n = quota;
    return n < 1 ? 1 : n;
}

/* files */

/* All of root/dir/file as a string the caller frees; NULL: there is none. */
static char *read_file(const char *root, const char *dir, const char *file)
{
    size_t len = 0, room = 4096;
    char *name, *text = NULL;
    long n = 1;
    int fd;

    if (asprintf(&name, "%s%s/%s", root, dir, file) < 0)
        return NULL;
    fd = mfi_os_open(name, O_RDONLY);
    free(name);
    if (fd < 0)
        return NULL;
    while (n > 0 || n == -EINTR) {
        char *more = realloc(text, room);

        if (more == NULL) {
            n = -ENOMEM;
            break;
        }
        text = more;
        n = mfi_os_read(fd, text + len, room - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        if (len == room - 1)
            room *= 2;
    }
    mfi_os_close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

/* quotas */

static int round_up(long long quota, long long period)
{
    long long n;

    if (quota <= 0 || period <= 0)
        return 0;
    n = quota / period + (quota % period != 0);
    return n > INT_MAX ? INT_MAX : (int)n;
}

static long long read_number(const char *root, const char *dir,
                             const char *file)
{
    char *text = read_file(root, dir, file);
    long long value = text == NULL ? 0 : strtoll(text, NULL, 10);

    free(text);
    return value;
}

/* The quota of one group; 0: none. "max" reads as 0. */
static int quota_of_dir(const char *root, const char *dir)
{
    char *text = read_file(root, dir, "cpu.max");

    if (text != NULL) {
        char *end;
        long long quota = strtoll(text, &end, 10);
        int n = round_up(quota, strtoll(end, NULL, 10));

        free(text);
        return n;
    }
    return round_up(read_number(root, dir, "cpu.cfs_quota_us"),
                    read_number(root, dir, "cpu.cfs_period_us"));
}

static int least(int a, int b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The least quota of mount/below and everything up to mount itself. */
static int quota_up(const char *root, const char *mount, const char *below)
{
    size_t top = strlen(mount);
    char *dir, *slash;
    int n = 0;

    if (strstr(below, "..") != NULL) /* outside of what we can see */
        below = "";
    if (asprintf(&dir, "%s%s", mount, below) < 0)
        return 0;
    do {
        n = least(n, quota_of_dir(root, dir));
        slash = strrchr(dir + (top > 0 ? top - 1 : 0), '/');
        if (slash != NULL)
            *slash = '\0';
    } while (slash != NULL && strlen(dir) >= top);
    free(dir);
    return n;
}

/* mountinfo and cgroup */

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (; list != NULL; list = strchr(list, ',')) {
        list += *list == ',';
        if (strncmp(list, word, len) == 0 &&
            (list[len] == ',' || list[len] == '\0'))
            return true;
    }
    return false;
}

/* Blank, tab, newline and backslash are written as \ooo; in place. */
static void decode(char *s)
{
    char *to = s;

    while (*s != '\0') {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
            s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + s[3] - '0');
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

struct mount {
    char *root;
    char *point;
    bool v2;
};

/* Take a line of mountinfo apart, in place. Returns whether it is for us. */
static bool parse_mount(char *line, struct mount *ret_mount)
{
    char *field[6], *type, *options, *save = NULL;
    char *tail = strstr(line, " - ");

    if (tail == NULL)
        return false;
    *tail = '\0';
    for (int i = 0; i < 6; i++) {
        field[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (field[i] == NULL)
            return false;
    }
    type = strtok_r(tail + 3, " ", &save);
    strtok_r(NULL, " ", &save); /* the source */
    options = strtok_r(NULL, " ", &save);
    if (type == NULL)
        return false;
    ret_mount->v2 = strcmp(type, "cgroup2") == 0;
    if (!ret_mount->v2 &&
        (strcmp(type, "cgroup") != 0 || !has_word(options, "cpu")))
        return false;
    decode(field[3]);
    decode(field[4]);
    ret_mount->root = field[3];
    ret_mount->point = field[4];
    return true;
}

/* Our path in the hierarchy that is mounted there; NULL: we are not in it. */
static char *find_group(const char *groups, bool v2)
{
    for (const char *line = groups; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char *copy = strndup(line, len);
        char *list = copy == NULL ? NULL : strchr(copy, ':');
        char *path = list == NULL ? NULL : strchr(list + 1, ':');
        char *found = NULL;

        if (path != NULL) {
            *path++ = '\0';
            if (v2 ? list[1] == '\0' : has_word(list + 1, "cpu"))
                found = strdup(path);
        }
        free(copy);
        if (found != NULL)
            return found;
        line += len + (line[len] == '\n');
    }
    return NULL;
}

static int quota_of_mount(const char *root, const char *groups,
                          const struct mount *m)
{
    size_t len = strcmp(m->root, "/") == 0 ? 0 : strlen(m->root);
    char *path = find_group(groups, m->v2);
    const char *below = "";
    int n;

    if (path == NULL)
        return 0;
    if (strncmp(path, m->root, len) == 0 &&
        (path[len] == '/' || path[len] == '\0'))
        below = path + len;
    n = quota_up(root, m->point, strcmp(below, "/") == 0 ? "" : below);
    free(path);
    return n;
}

int mfi_cpu_quota(const char *root)
{
    char *groups = read_file(root, "/proc/self", "cgroup");
    char *mounts = read_file(root, "/proc/self", "mountinfo");
    char *save = NULL;
    int n = 0;

    if (groups != NULL && mounts != NULL) {
        char *line = strtok_r(mounts, "\n", &save);

        for (; line != NULL; line = strtok_r(NULL, "\n", &save)) {
            struct mount m;

            if (parse_mount(line, &m))
                n = least(n, quota_of_mount(root, groups, &m));
        }
    }
    free(groups);
    free(mounts);
    return n;
}
