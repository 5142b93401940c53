/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "maps/abi/addr.h"
#include "maps/abi/flow.h"

/* The 16 bytes as four words in memory order; nx_addr is 4-aligned. */
static __always_inline __u32 addr_word(const struct nx_addr *a, int i)
{
	return ((const __u32 *)a)[i];
}

static __always_inline bool addr_eq(const struct nx_addr *a,
				    const struct nx_addr *b)
{
	return addr_word(a, 3) == addr_word(b, 3) &&
	       addr_word(a, 2) == addr_word(b, 2) &&
	       addr_word(a, 1) == addr_word(b, 1) &&
	       addr_word(a, 0) == addr_word(b, 0);
}

static __always_inline bool addr_is_v4(const struct nx_addr *a)
{
	return !addr_word(a, 0) && !addr_word(a, 1) &&
	       addr_word(a, 2) == __builtin_bswap32(0x0000ffff);
}

static __always_inline bool addr_is_zero(const struct nx_addr *a)
{
	return !addr_word(a, 0) && !addr_word(a, 1) && !addr_word(a, 2) &&
	       !addr_word(a, 3);
}

/* `v4` in network byte order. */
static __always_inline void addr_set_v4(struct nx_addr *a, __be32 v4)
{
	__u32 *w = (__u32 *)a;

	w[0] = 0;
	w[1] = 0;
	w[2] = __builtin_bswap32(0x0000ffff);
	w[3] = v4;
}

/* 0.0.0.0 and ::, the keys of NodePorts: no packet's destination. */
static __always_inline bool is_any(const struct nx_addr *addr, bool v6)
{
	return v6 ? addr_is_zero(addr) : !addr_word(addr, 3);
}

/* 127.0.0.0/8 and ::1: the node's own, and no address that anything on a wire
 * may call (CVE-2020-8558).
 */
static __always_inline bool is_loopback(const struct nx_addr *addr, bool v6)
{
	struct nx_addr one = { .byte[15] = 1 };

	return v6 ? addr_eq(addr, &one) : addr->byte[12] == 127;
}

static __always_inline bool tuple_eq(const struct nx_tuple *a,
				     const struct nx_tuple *b)
{
	return addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport &&
	       a->proto == b->proto;
}

/* `to` and `from` may not be the same object. */
static __always_inline void tuple_swap(struct nx_tuple *to,
				       const struct nx_tuple *from)
{
	to->src = from->dst;
	to->dst = from->src;
	to->sport = from->dport;
	to->dport = from->sport;
	to->proto = from->proto;
	__builtin_memset(to->pad, 0, sizeof(to->pad));
}
