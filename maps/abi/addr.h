/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/abi.h"

/* An address of either family, network byte order.  IPv4 is written
 * v4-mapped, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that one table and
 * one stage serve both families.  Bytes, because `bpftool map dump` then shows
 * an IPv4 address as its four decimal numbers; aligned, so that the datapath
 * may compare it in four words.
 */
struct nx_addr {
	__u8 byte[16];
} __attribute__((aligned(4)));
NX_ABI_SIZE(nx_addr, 16);

/* Key of a longest-prefix-match trie over addresses.  `length` counts bits of
 * the 16-byte form: an IPv4 /n is 96 + n.
 */
struct nx_prefix {
	__u32 length;
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_prefix, 20);
NX_ABI_FIELD(nx_prefix, addr, 4);
