/* SPDX-License-Identifier: MIT */
/*
 * dns.h - from names to addresses, without blocking a worker.
 *
 * Asked of getaddrinfo(3) on threads of its own, few of them and apart from the
 * offload pool, so a slow name server holds up nobody else's work; built with
 * c-ares, of that, parked on its sockets. Either honours /etc/hosts, nsswitch
 * and resolv.conf as far as the respective library does. Lookups of the same
 * name that are under way are one. No answer is kept. With c-ares compiled in,
 * MF_RESOLVER=getaddrinfo in the environment does without it, and so does who
 * asks while no runtime runs.
 */
#ifndef MF_DNS_H
#define MF_DNS_H

#include <mayfly/net.h>

MF_DECLS_BEGIN_

typedef struct mf_resolve_options {
    MF_SIZE_(mf_resolve_options);
    int family MF_0_; /* AF_UNSPEC, AF_INET, AF_INET6 */
} mf_resolve_options;
#define MF_RESOLVE_OPTIONS(...) MF_OPTIONS_(mf_resolve_options, __VA_ARGS__)

/*
 * Resolve "host:port": numeric as mf_addr_parse, names as the system resolves
 * them, ports as numbers or service names ("http"). Up to max addresses in the
 * order to try them in (RFC 6724), families interleaved (RFC 8305), each once.
 *
 * "localhost" and what ends in ".localhost" is loopback (RFC 6761). A name that
 * ends in a number ("127.1") is refused. At most 64 addresses are kept.
 *
 * The deadline and a cancel hold at once; an abandoned lookup ends on its own
 * and frees itself. Until it has, mf_stop treats one that getaddrinfo is at
 * like a function of mf_block's.
 *
 * Returns how many (> 0); -ENOENT (no such name, or none of that family),
 * -EAGAIN (a server failed or did not answer: may work later), -EINVAL (not of
 * this form: a name over 253 bytes, a label over 63, ...; mf_explain says
 * what), -EIO (a server's answer makes no sense; some libraries say "no such
 * name" of that), -ENOMEM, -EMFILE, -ETIMEDOUT, -ECANCELED.
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_resolve(const char *where, const mf_resolve_options *opts,
               mf_addr *ret_addrs, int max, mf_deadline deadline) MF_MUST_CHECK;

/*
 * "getaddrinfo" or "c-ares 1.18.1": who answers. Static. Context: any.
 * Suspends: no. Cancel point: no.
 */
const char *mf_resolver(void);

MF_DECLS_END_
#endif
