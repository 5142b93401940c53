/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>

#include "bpf/lib/rewrite.h"

/* Source, destination and hop limit replaced in one go: what a packet of the
 * short cut needs, which is a whole TCP segment or UDP datagram behind an IP
 * header without options.  Checksums as in bpf/lib/rewrite.h.
 */

/* Ports and checksum.  `at`: where that lies; `delta` of the addresses. */
static __always_inline int write_both_at(struct __sk_buff *skb,
					 const struct nx_pkt *pkt,
					 const struct nx_flow *to, __u32 at,
					 __u64 delta, __u32 summed)
{
	__u64 ports = csum_delta16(pkt->tuple.sport, to->sport) +
		      csum_delta16(pkt->tuple.dport, to->dport);
	__u8 *head = (void *)(long)skb->data + l4_offset(pkt);
	__be16 *check = (__be16 *)(head + at);
	bool udp = at == 6;

	if ((void *)(head + (udp ? 8 : 18)) > (void *)(long)skb->data_end)
		return -1;
	((__be16 *)head)[0] = to->sport;
	((__be16 *)head)[1] = to->dport;
	if (summed == NX_CSUM_PARTIAL) {
		*check = csum_apply_partial(*check, delta);
		return 0;
	}
	if (udp && !*check) {
		if (summed == NX_CSUM_COMPLETE)
			bpf_csum_update(
				skb, csum_fold(ports + (pkt->v6 ? delta : 0)));
		return 0;
	}
	*check = csum_apply(*check, delta + ports);
	if (udp && !*check)
		*check = 0xffff;
	if (summed == NX_CSUM_COMPLETE && !pkt->v6)
		bpf_csum_update(skb, (__u16)~csum_fold(delta));
	return 0;
}

static __always_inline int write_both_l4(struct __sk_buff *skb,
					 const struct nx_pkt *pkt,
					 const struct nx_flow *to, __u64 delta,
					 __u32 summed)
{
	switch (pkt->l4_proto) {
	case NX_L4_TCP:
		return write_both_at(skb, pkt, to, 16, delta, summed);
	case NX_L4_UDP:
		return write_both_at(skb, pkt, to, 6, delta, summed);
	}
	return -1;
}

/* The two bytes that the hop limit is one of, with one hop less. */
static __always_inline __be16 one_hop_less(__be16 word, bool v6)
{
	return v6 ? (__be16)(word - bpf_htons(0x0001)) :
		    (__be16)(word - bpf_htons(0x0100));
}

/* Addresses, hop limit and IPv4's own checksum. */
static __always_inline int write_both_ip(struct __sk_buff *skb,
					 const struct nx_pkt *pkt,
					 const struct nx_flow *to, __u64 delta,
					 __u32 summed)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;
	__be16 *hop, before;

	if (pkt->v6) {
		struct ipv6hdr *ip6 = data + NX_L3;

		if ((void *)(ip6 + 1) > data_end)
			return -1;
		__builtin_memcpy(&ip6->saddr, &to->src, 16);
		__builtin_memcpy(&ip6->daddr, &to->dst, 16);
		hop = (__be16 *)&ip6->nexthdr;
		before = *hop;
		*hop = one_hop_less(before, true);
		/* IPv4's header sums to a constant, this one does not.  Where
		 * `summed` is not known the helper knows.
		 */
		if (summed == NX_CSUM_COMPLETE || summed == NX_CSUM_UNKNOWN)
			bpf_csum_update(
				skb,
				csum_fold(csum_delta16(
					before, one_hop_less(before, true))));
	} else {
		struct iphdr *ip = data + NX_L3;

		if ((void *)(ip + 1) > data_end)
			return -1;
		ip->saddr = addr_word(&to->src, 3);
		ip->daddr = addr_word(&to->dst, 3);
		hop = (__be16 *)&ip->ttl;
		before = *hop;
		*hop = one_hop_less(before, false);
		ip->check = csum_apply(ip->check,
				       delta + csum_delta16(before, *hop));
	}
	return 0;
}

/* Where ip_summed cannot be read (before 6.2): one end after the other. */
NX_GLOBAL int rewrite_both_helpers(struct __sk_buff *skb,
				   const struct nx_pkt *pkt,
				   const struct nx_flow *to)
{
	struct nx_addr addr;

	if (!pkt || !to)
		return -1;
	addr = to->src;
	if (write_l4_helpers(skb, pkt, NX_SRC, &addr, to->sport))
		return -1;
	addr = to->dst;
	return write_l4_helpers(skb, pkt, NX_DST, &addr, to->dport);
}

/* 0, or -1: the headers cannot be written, and may be half written. */
static __always_inline int rewrite_both(struct __sk_buff *skb,
					const struct nx_pkt *pkt,
					const struct nx_flow *to)
{
	__u64 delta = csum_delta_addr(&pkt->tuple.src, &to->src) +
		      csum_delta_addr(&pkt->tuple.dst, &to->dst);
	__u32 summed = ip_summed_of(skb);

	if (summed == NX_CSUM_UNKNOWN) {
		if (rewrite_both_helpers(skb, pkt, to))
			return -1;
	} else if (write_both_l4(skb, pkt, to, delta, summed)) {
		return -1;
	}
	return write_both_ip(skb, pkt, to, delta, summed);
}
