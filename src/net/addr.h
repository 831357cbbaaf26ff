/* SPDX-License-Identifier: MIT */
/*
 * addr.h - the part of address parsing that mf_addr_parse is a shell around.
 */
#ifndef MFI_NET_ADDR_H
#define MFI_NET_ADDR_H

#include <stdbool.h>

#include <mayfly/net.h>

/*
 * Parse "host:port" as mf_addr_parse does. ":80" and "*:80" give the IPv6 "any"
 * address, which takes IPv4 too: where IPv6 is off, the caller falls back to
 * mfi_addr_any4. Returns 0; or -EINVAL and what is wrong, a static string.
 */
int mfi_addr_parse(const char *where, mf_addr *ret_addr, const char **ret_why);

/* Is this text in the form "unix:..."? */
static inline bool mfi_addr_is_unix(const char *where)
{
    return __builtin_strncmp(where, "unix:", 5) == 0;
}

/*
 * Parse "/path", "path" or "@name", with "unix:" before it or without. Returns
 * 0; or -EINVAL and what is wrong, a static string.
 */
int mfi_addr_parse_unix(const char *name, mf_addr *ret_addr,
                        const char **ret_why);

/* Make a the IPv4 "any" address if it is the IPv6 one; the port stays. */
bool mfi_addr_any4(mf_addr *a);

/* The number of a network interface; 0: there is none of this name. */
uint32_t mfi_net_interface(const char *name);

#endif
