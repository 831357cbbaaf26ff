/* SPDX-License-Identifier: MIT */
/* cpu_test.c - quotas from trees as containers have them, and this machine. */
#include "os/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/mayfly-cpu-XXXXXX");
    EXPECT(mkdtemp(root) != NULL);
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", root);
    EXPECT_EQ(system(command), 0);
}

/* Write a file of the tree, making its folders. */
static void put(const char *path, const char *text)
{
    char name[512];
    FILE *f;

    snprintf(name, sizeof name, "%s%s", root, path);
    for (char *s = name + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        mkdir(name, 0700);
        *s = '/';
    }
    f = fopen(name, "w");
    EXPECT(f != NULL);
    EXPECT_GE(fputs(text, f), 0);
    EXPECT_EQ(fclose(f), 0);
}

#define V2_MOUNT "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
#define V1_MOUNT                                                        \
 "20 1 8:1 / / rw - ext4 /dev/vda rw\n"                                 \
 "36 24 0:31 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup " \
 "rw,cpu,cpuacct\n"                                                     \
 "37 24 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

MFI_TEST(version_2_takes_the_least_of_the_group_and_its_parents)
{
    make_root();
    put("/proc/self/cgroup", "0::/user.slice/app.scope\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    EXPECT_EQ(mfi_cpu_quota(root), 0); /* no cpu.max anywhere */
    put("/sys/fs/cgroup/user.slice/app.scope/cpu.max", "max 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 0);
    put("/sys/fs/cgroup/user.slice/app.scope/cpu.max", "800000 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 8);
    put("/sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 3); /* 2.5, rounded up */
    put("/sys/fs/cgroup/cpu.max", "10000 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 1);
    remove_root();
}

MFI_TEST(version_2_in_a_namespace_of_its_own)
{
    make_root();
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 2);
    put("/proc/self/cgroup", "0::/../sibling\n"); /* cannot be seen */
    EXPECT_EQ(mfi_cpu_quota(root), 2);
    remove_root();
}

MFI_TEST(version_1_below_the_root_of_its_mount)
{
    make_root();
    put("/proc/self/cgroup", "5:memory:/docker/ab\n"
                             "4:cpu,cpuacct:/docker/ab/job\n"
                             "0::/docker/ab\n");
    put("/proc/self/mountinfo", V1_MOUNT);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "50000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 3);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100001\n");
    EXPECT_EQ(mfi_cpu_quota(root), 2);
    remove_root();
}

MFI_TEST(a_mount_point_with_a_blank_is_found)
{
    make_root();
    put("/proc/self/cgroup", "0::/a\n");
    put("/proc/self/mountinfo",
        "35 24 0:30 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
    put("/my groups/a/cpu.max", "500000 100000\n");
    EXPECT_EQ(mfi_cpu_quota(root), 5);
    remove_root();
}

MFI_TEST(nonsense_is_no_limit)
{
    static const char *const texts[] = {
        "", "max", "100000", "-5 100000", "100000 0", "x y", "1 -1",
    };

    make_root();
    EXPECT_EQ(mfi_cpu_quota(root), 0); /* no files at all */
    put("/proc/self/cgroup", "0\n0:\n::\nnothing\n0::/\n");
    put("/proc/self/mountinfo", "\n1 2\n - cgroup2\n1 2 3 4 5 6 - \n" V2_MOUNT);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put("/sys/fs/cgroup/cpu.max", texts[i]);
        EXPECT_EQ(mfi_cpu_quota(root), 0);
    }
    put("/sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
    EXPECT_EQ(mfi_cpu_quota(root), INT32_MAX);
    remove_root();
}

MFI_TEST(the_allowed_cpus_are_those_of_the_affinity_mask)
{
    cpu_set_t set;
    int n, quota = mfi_cpu_quota("");

    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    n = CPU_COUNT(&set);
    EXPECT_EQ(mfi_cpu_allowed(), quota > 0 && quota < n ? quota : n);
    for (int i = 0, last = -1; i < n; i++) {
        int cpu = mfi_cpu_nth(i);

        EXPECT_GT(cpu, last);
        EXPECT(CPU_ISSET((size_t)cpu, &set));
        EXPECT_EQ(mfi_cpu_nth(i + n), cpu); /* round and round */
        last = cpu;
    }
    EXPECT_EQ(mfi_cpu_nth(-1), -EINVAL);
}

MFI_TEST(a_narrower_mask_is_seen)
{
    int last = mfi_cpu_nth(mfi_cpu_allowed() - 1);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)last, &set);
    EXPECT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    EXPECT_EQ(mfi_cpu_allowed(), 1);
    EXPECT_EQ(mfi_cpu_nth(0), last);
    EXPECT_EQ(mfi_cpu_nth(5), last);
}
