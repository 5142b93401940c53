/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* Remember where the kernel sent a packet of an established flow.
 *
 *   reads    what ingress handed over; the frame's addresses; skb->ifindex,
 *            ->priority
 *   writes   nothing of pkt
 *   maps     nx_flow (its way, in place), nx_device, nx_subnet (lookup)
 *   returns  nothing
 *
 * Runs for the first packets of a flow, after a change of routes, and every
 * few seconds.  Of two CPUs that learn one way at once the first does, the other
 * leaves it; who reads meanwhile sees that `epoch` is busy, or changed.
 */

/* What egress is told of a packet that it may learn from. */
struct nx_lesson {
	struct nx_tuple key; /* of the entry */
	__u32 epoch;	     /* that the packet was routed under */
	__u32 in;	     /* ifindex and mark it came with */
	__u32 mark;
	__u16 from; /* subnets: struct nx_flow_subnets */
	__u16 to;
};

/* Why packets must not go from one device straight to the other. */
static __always_inline enum nx_detour learn_refused(const struct nx_lesson *of,
						    const struct nx_device *in,
						    const struct nx_device *out)
{
	__u32 side = config_side();
	struct nx_subnet *from = subnet_of(side, of->from);
	struct nx_subnet *to = subnet_of(side, of->to);

	if (!NX_L3 || !in || !out || !(out->ways & NX_DEVICE_STRAIGHT))
		return NX_DETOUR_DEVICE;
	if ((in->ways | out->ways) & NX_DEVICE_NO_SHORT_CUT ||
	    (from && from->no_short_cut) || (to && to->no_short_cut))
		return NX_DETOUR_OFF;
	return NX_DETOUR_NONE;
}

/* 0, or negative: it cannot be read. */
static __always_inline long learn_frame(struct __sk_buff *skb,
					struct ethhdr *eth)
{
	if (NX_L3)
		return bpf_skb_load_bytes(skb, 0, eth, sizeof(*eth));
	__builtin_memset(eth, 0, sizeof(*eth));
	return 0;
}

static __always_inline void stage_learn(struct __sk_buff *skb,
					const struct nx_lesson *of)
{
	struct nx_device *in, *out;
	struct nx_established *known;
	struct ethhdr eth;
	struct nx_way *way;
	__u32 index = skb->ifindex, before;
	enum nx_detour why;

	known = bpf_map_lookup_elem(&nx_flow, &of->key);
	if (!known || learn_frame(skb, &eth))
		return;
	out = bpf_map_lookup_elem(&nx_device, &index);
	index = of->in;
	in = bpf_map_lookup_elem(&nx_device, &index);
	why = learn_refused(of, in, out);
	if (why == NX_DETOUR_NONE && skb->mark != of->mark)
		why = NX_DETOUR_OTHER; /* whoever marks it has to see it */

	way = &known->way;
	before = *(volatile __u32 *)&way->epoch;
	if (before == NX_EPOCH_BUSY ||
	    __sync_val_compare_and_swap(&way->epoch, before, NX_EPOCH_BUSY) !=
		    before)
		return;
	way->learnt = now_jiffies();
	way->out = why == NX_DETOUR_NONE ? skb->ifindex : 0;
	way->in = of->in;
	way->mark = of->mark;
	way->priority = skb->priority;
	__builtin_memcpy(way->dst, eth.h_dest, sizeof(way->dst));
	__builtin_memcpy(way->src, eth.h_source, sizeof(way->src));
	way->mtu = out ? out->mtu : 0;
	way->ways = out ? out->ways : 0;
	way->why = why;
	__sync_lock_test_and_set(&way->epoch, of->epoch); /* a full barrier */
}
