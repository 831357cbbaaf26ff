/* SPDX-License-Identifier: MIT */
/*
 * segment.c - UDP_SEGMENT (GSO) found out, UDP_GRO turned on.
 *
 * A kernel that does not know UDP_SEGMENT does not refuse it: it ignores the
 * control message and sends one big datagram. So it is asked by effect: a
 * socket sends itself two bytes in two segments, once per process, when the
 * first message with segments is to go; what it hears is the answer. Anything
 * but two datagrams of one byte means no.
 *
 *     UNKNOWN --probe--> CAN | CANNOT      out of fds or memory: stays UNKNOWN
 *
 * Two threads may probe at once and find the same. Order: relaxed, the word is
 * all there is to it.
 *
 * UDP_GRO needs no such doubt: where it does nothing, datagrams come one by
 * one, and none has a segment size.
 */
#include "net/segment.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <mayfly/udp.h>

#include "base/atomic.h"
#include "os/event.h"
#include "os/io.h"

enum answer { UNKNOWN, CAN, CANNOT };

static _Atomic int known = UNKNOWN;

enum { PROBE_WAIT = 100 * 1000 * 1000 }; /* ns: loopback takes 10 000 */

/* The length of what fd hears next, or -errno. */
static long hear(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char buf[2];
    int rc = mfi_ppoll(&pfd, 1, PROBE_WAIT);

    return rc <= 0 ? -EAGAIN
                   : mfi_os_recv(fd, buf, sizeof buf, MSG_DONTWAIT | MSG_TRUNC);
}

static bool sends_two(int fd)
{
    struct sockaddr_in self;
    socklen_t len = sizeof self;
    char text[2] = "ab";
    struct iovec iov = {text, sizeof text};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(uint16_t))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(uint16_t)),
                          .cmsg_level = SOL_UDP,
                          .cmsg_type = UDP_SEGMENT}};
    struct msghdr msg = {.msg_name = &self,
                         .msg_namelen = sizeof self,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};

    *(uint16_t *)(void *)CMSG_DATA(&control.head) = 1;
    self = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return mfi_os_bind(fd, &self, sizeof self) == 0 &&
           mfi_os_sockname(fd, &self, &len) == 0 &&
           mfi_os_sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == 2 &&
           hear(fd) == 1 && hear(fd) == 1;
}

static int probe(void)
{
    int fd = mfi_os_socket(AF_INET, SOCK_DGRAM), answer;

    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS)
        return UNKNOWN;
    if (fd < 0) /* no IPv4: too rare to be asked otherwise */
        return CANNOT;
    answer = sends_two(fd) ? CAN : CANNOT;
    mfi_os_close(fd);
    return answer;
}

static bool is_udp(int fd, const struct fdrec *rec)
{
    socklen_t len = sizeof(int);
    int protocol;

    if (rec->kind == FD_UDP)
        return true;
    return mfi_os_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) ==
               0 &&
           protocol == IPPROTO_UDP;
}

bool mfi_segment_can(int fd, const struct fdrec *rec)
{
    int seen = mfi_load_rlx(&known);

    if (mfi_unlikely(seen == UNKNOWN)) {
        seen = probe();
        mfi_store_rlx(&known, seen);
    }
    return seen == CAN && is_udp(fd, rec);
}

void mfi_segment_pretend(int can)
{
    mfi_store_rlx(&known, can < 0 ? UNKNOWN : can != 0 ? CAN : CANNOT);
}

int mf_udp_gro(int fd, int on)
{
    int value = on != 0, protocol = 0;
    socklen_t len = sizeof protocol;
    int rc = mfi_os_setsockopt(fd, SOL_UDP, UDP_GRO, &value, sizeof value);

    if (rc == 0)
        return value;
    if (rc != -ENOPROTOOPT && rc != -EOPNOTSUPP)
        return rc;
    rc = mfi_os_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
    if (rc < 0)
        return rc;
    return protocol == IPPROTO_UDP ? 0 : -EOPNOTSUPP; /* a kernel without it */
}
