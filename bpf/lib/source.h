/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* Which address MASQUERADE picks on the output device. */

#define NX_AF_INET 2
#define NX_AF_INET6 10

/* Leading bits that two addresses share, 0..128. */
NX_GLOBAL int common_bits(const struct nx_addr *a, const struct nx_addr *b)
{
	__u32 bits = 0;

	if (!a || !b)
		return 0;
	for (int i = 0; i < 4; i++) {
		__u32 diff = bpf_ntohl(addr_word(a, i) ^ addr_word(b, i));

		for (int half = 16; diff && half; half >>= 1)
			if (!(diff >> (32 - half))) {
				bits += half;
				diff <<= half;
			}
		if (diff)
			return bits;
		if (addr_word(a, i) == addr_word(b, i))
			bits += 32;
	}
	return bits;
}

/* The gateway that the kernel would use for `dst` on this device, or `dst`
 * itself when it is on-link or unknown.
 */
static __always_inline void next_hop4(struct __sk_buff *skb,
				      const struct nx_tuple *tuple,
				      struct nx_addr *hop)
{
	struct bpf_fib_lookup fib = {
		.family = NX_AF_INET,
		.ipv4_src = addr_word(&tuple->src, 3),
		.ipv4_dst = addr_word(&tuple->dst, 3),
		.ifindex = skb->ifindex,
	};

	*hop = tuple->dst;
	if (bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT) >= 0)
		addr_set_v4(hop, fib.ipv4_dst);
}

/* IPv4: the primary address on whose prefix the next hop lies, else the first
 * (inet_select_addr, net/ipv4/devinet.c).  IPv6: the address with the longest
 * prefix in common with the destination (ipv6_dev_get_saddr; RFC 6724 rule 8;
 * the rules before it are natrixd's, in the choice of what is listed).
 * 0 or -1: the device has none.
 */
NX_GLOBAL int masquerade_source(struct __sk_buff *skb, const struct nx_pkt *pkt,
				struct nx_addr *ret)
{
	__u32 ifindex = skb->ifindex, best_bits = 0;
	struct nx_device *device = bpf_map_lookup_elem(&nx_device, &ifindex);
	struct nx_device_addr *list;
	struct nx_addr hop;

	if (!device || !pkt || !ret)
		return -1;
	list = pkt->v6 ? device->addr6 : device->addr4;
	if (!list[0].length)
		return -1;
	*ret = list[0].addr;
	if (!list[1].length)
		return 0;

	hop = pkt->tuple.dst;
	if (!pkt->v6)
		next_hop4(skb, &pkt->tuple, &hop);
	for (int i = 0; i < NX_DEVICE_ADDRS; i++) {
		__u32 bits;

		if (!list[i].length)
			break;
		bits = common_bits(&list[i].addr, &hop);
		if (pkt->v6) {
			if (bits > list[i].length)
				bits = list[i].length;
			if (bits > best_bits) {
				best_bits = bits;
				*ret = list[i].addr;
			}
		} else if (bits >= list[i].length) {
			*ret = list[i].addr;
			return 0;
		}
	}
	return 0;
}

/* The address that this node speaks to a packet's sender from: its route's
 * preferred source (from 6.8 the kernel tells), else the node's own, else the
 * first of the device that the packet came by.  `from` stays as it is if there
 * is none.
 */
NX_GLOBAL int node_source(struct __sk_buff *skb, const struct nx_pkt *pkt,
			  struct nx_addr *from)
{
	struct bpf_fib_lookup fib = {};
	__u32 ifindex = skb->ifindex;
	struct nx_device_addr *list;
	struct nx_device *device;
	struct nx_config *config;

	if (!pkt || !from)
		return 0;
	fib.ifindex = ifindex;
	if (pkt->v6) {
		fib.family = NX_AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, &pkt->tuple.src, 16);
	} else {
		fib.family = NX_AF_INET;
		fib.ipv4_dst = addr_word(&pkt->tuple.src, 3);
	}
	if (bpf_fib_lookup(skb, &fib, sizeof(fib),
			   BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH) ==
	    0) {
		if (pkt->v6)
			__builtin_memcpy(from, fib.ipv6_src, 16);
		else
			addr_set_v4(from, fib.ipv4_src);
		return 0;
	}
	config = config_of(pkt->side);
	if (config &&
	    !addr_is_zero(pkt->v6 ? &config->node6 : &config->node4)) {
		*from = pkt->v6 ? config->node6 : config->node4;
		return 0;
	}
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	if (!device)
		return 0;
	list = pkt->v6 ? device->addr6 : device->addr4;
	if (list[0].length)
		*from = list[0].addr;
	return 0;
}
