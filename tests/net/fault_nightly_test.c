/* SPDX-License-Identifier: MIT */
/*
 * fault_nightly_test.c - eight transfers at once while the network between is
 * parted, loses packets, is slow and changes its MTU by chance, for a minute.
 */
#include "net/transfer.h"

enum { TRANSFERS = 8, STORM_S = 60 };

static unsigned dice(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void fault(const struct net *net, unsigned *seed)
{
    char text[160];

    switch (dice(seed, 4)) {
    case 0: /* both ways, or one of them */
        snprintf(
            text, sizeof text, "nft add rule ip bad f %s drop",
            (const char *[]){"", "iifname r0", "iifname r1"}[dice(seed, 3)]);
        break;
    case 1:
        snprintf(text, sizeof text,
                 "nft add rule ip bad f numgen random mod 100 \\< %u drop",
                 1 + dice(seed, 20));
        break;
    case 2:
        snprintf(text, sizeof text, "ip link set r%u mtu %u", dice(seed, 2),
                 576 + dice(seed, 9000 - 576));
        break;
    default:
        snprintf(text, sizeof text,
                 "tc qdisc replace dev r%u root tbf rate %umbit burst 32k"
                 " latency 20ms",
                 dice(seed, 2), 1 + dice(seed, 50));
        break;
    }
    net_fault(net, text);
    EXPECT_EQ(mf_sleep(MF_MSEC(50 + dice(seed, 2000))), 0);
    net_heal(net);
    net_fault(net, "ip link set r0 mtu 1500 && ip link set r1 mtu 1500;"
                   " tc qdisc del dev r0 root 2> /dev/null;"
                   " tc qdisc del dev r1 root 2> /dev/null; true");
}

static int storm(void *arg)
{
    struct net *net = arg;
    static struct transfer t[TRANSFERS];
    mf_ns end = mf_now() + MF_SEC(STORM_S);
    unsigned seed = 1;

    for (int i = 0; i < TRANSFERS; i++)
        transfer_begin(&t[i], net);
    while (mf_now() < end) {
        fault(net, &seed);
        EXPECT_EQ(mf_sleep(MF_MSEC(dice(&seed, 500))), 0);
    }
    for (int i = 0; i < TRANSFERS; i++)
        transfer_more(&t[i], 65536);
    for (int i = TRANSFERS; i-- > 0;)
        transfer_end(&t[i]);
    return 0;
}

MFI_TEST_T(no_byte_is_lost_in_a_minute_of_faults, 4 * STORM_S)
{
    in_net(storm);
}
