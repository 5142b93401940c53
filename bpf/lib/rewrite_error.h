/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/ip.h>

#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/csum.h"
#include "bpf/lib/l4.h"

static __always_inline int store_addr(struct __sk_buff *skb, __u32 at, bool v6,
				      const struct nx_addr *addr)
{
	if (v6)
		return bpf_skb_store_bytes(skb, at, addr, 16, 0);
	return bpf_skb_store_bytes(skb, at, &addr->byte[12], 4, 0);
}

/* ICMP error: the outer address of `end`, and address and port of the other
 * end of the packet that it quotes.  Everything by helpers: rare.  The sum
 * over the message stays what it was, so skb->csum needs no care.
 */
NX_GLOBAL int rewrite_error(struct __sk_buff *skb, const struct nx_pkt *pkt,
			    __u32 end, const struct nx_addr *to, __be16 to_port)
{
	const struct nx_addr *from;
	__be16 from_port, check;
	__u64 addr_delta, delta = 0;
	__u32 outer_at, inner_at, at;
	__u32 inner_end = end == NX_SRC ? NX_DST : NX_SRC;
	struct nx_addr outer;
	bool pseudo, udp;

	if (!pkt || !to)
		return -1;
	from = end == NX_SRC ? &pkt->tuple.src : &pkt->tuple.dst;
	from_port = end == NX_SRC ? pkt->tuple.sport : pkt->tuple.dport;
	outer_at = pkt->v6 ? (end == NX_SRC ? 8 : 24) :
			     (end == NX_SRC ? 12 : 16);
	inner_at = pkt->v6 ? (inner_end == NX_SRC ? 8 : 24) :
			     (inner_end == NX_SRC ? 12 : 16);

	/* The quoted transport header. */
	addr_delta = csum_delta_addr(from, to);
	if (from_port != to_port) {
		at = pkt->inner_l4 + port_at(pkt->tuple.proto, inner_end);
		if (bpf_skb_store_bytes(skb, at, &to_port, 2, 0))
			return -1;
		delta += csum_delta16(from_port, to_port);
	}
	udp = pkt->tuple.proto == NX_L4_UDP ||
	      pkt->tuple.proto == NX_L4_UDPLITE;
	if (l4_check_at(pkt->tuple.proto, &at, &pseudo) &&
	    !bpf_skb_load_bytes(skb, pkt->inner_l4 + at, &check, 2) &&
	    (check || !udp)) {
		__be16 fixed =
			csum_apply(check, csum_delta16(from_port, to_port) +
						  (pseudo ? addr_delta : 0));

		if (udp && !fixed)
			fixed = 0xffff;
		if (bpf_skb_store_bytes(skb, pkt->inner_l4 + at, &fixed, 2, 0))
			return -1;
		delta += csum_delta16(check, fixed);
	}

	/* The quoted IP header. */
	if (store_addr(skb, pkt->inner_l3 + inner_at, pkt->v6, to))
		return -1;
	delta += addr_delta;
	if (!pkt->v6) {
		__be16 fixed;

		at = pkt->inner_l3 + offsetof(struct iphdr, check);
		if (bpf_skb_load_bytes(skb, at, &check, 2))
			return -1;
		fixed = csum_apply(check, addr_delta);
		if (bpf_skb_store_bytes(skb, at, &fixed, 2, 0))
			return -1;
		delta += csum_delta16(check, fixed);
	}

	/* The outer IP header: its address may be a router's. */
	if (pkt->v6) {
		if (bpf_skb_load_bytes(skb, NX_L3 + outer_at, &outer, 16))
			return -1;
	} else {
		__be32 v4;

		if (bpf_skb_load_bytes(skb, NX_L3 + outer_at, &v4, 4))
			return -1;
		addr_set_v4(&outer, v4);
	}
	addr_delta = csum_delta_addr(&outer, to);
	if (store_addr(skb, NX_L3 + outer_at, pkt->v6, to))
		return -1;
	if (pkt->v6) {
		delta += addr_delta;
	} else {
		__be16 fixed;

		at = NX_L3 + offsetof(struct iphdr, check);
		if (bpf_skb_load_bytes(skb, at, &check, 2))
			return -1;
		fixed = csum_apply(check, addr_delta);
		if (bpf_skb_store_bytes(skb, at, &fixed, 2, 0))
			return -1;
	}

	/* The ICMP checksum, over the message (and IPv6's pseudo header). */
	at = pkt->l4 + 2;
	if (bpf_skb_load_bytes(skb, at, &check, 2))
		return -1;
	check = csum_apply(check, delta);
	return bpf_skb_store_bytes(skb, at, &check, 2, 0);
}
