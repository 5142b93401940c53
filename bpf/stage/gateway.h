/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/headers.h"
#include "bpf/lib/packet.h"

/* Count what subnets send and get through the node: Kube-OVN's
 * "ovn-subnet-gateway" rules at the head of FORWARD.
 *
 *   reads    pkt->tuple, ->l4, ->frag, ->v6; skb->len, ->gso_segs
 *   writes   nothing of pkt
 *   maps     nx_gateway, each CPU its own copy; nx_net only off the fast path
 *   returns  nothing
 *
 * At egress: there a packet has passed all that may end it before FORWARD
 * (hop limit, MTU), its source is not yet translated and its destination is.
 * Packets of the node itself have no ingress device and are not counted.
 */

/* Finds a flow's subnets under the configuration in force, and whether the
 * destination it is sent to is guarded (bpf/stage/guard.h).  Two CPUs that do
 * so at a time write the same word.
 */
NX_GLOBAL int gateway_resolve(const struct nx_pkt *pkt, struct nx_flow *flow)
{
	struct nx_flow_subnets found;
	struct nx_config *config;
	struct nx_addr addr;
	__u32 generation;
	bool guarded;

	if (!pkt || !flow)
		return 0;
	generation = config_generation();
	addr = pkt->tuple.src;
	found.from = net_of(generation, &addr).subnet;
	addr = flow->dst;
	found.to = net_of(generation, &addr).subnet;
	config = config_of(generation & 1);
	addr = pkt->tuple.dst;
	guarded = config && config->networks & NX_NETWORKS_GUARDED &&
		  net_of(generation, &addr).guarded;
	found.generation = guarded ? 0 : generation + 1;
	flow->subnets = found;
	return guarded;
}

/* Whether the packet's destination is guarded. */
static __always_inline bool gateway_of_flow(const struct nx_pkt *pkt,
					    struct nx_flow *flow)
{
	return flow->subnets.generation != config_generation() + 1 &&
	       !pkt->error && gateway_resolve(pkt, flow);
}

/* What one packet adds.  Netfilter sees a datagram put together (nf_defrag)
 * and a GSO packet whole; the wire sees neither.
 */
static __always_inline void gateway_measure(struct __sk_buff *skb,
					    const struct nx_pkt *pkt,
					    struct nx_gateway *adds)
{
	__u32 length = skb->len - NX_L3, segments = skb->gso_segs, header;
	__u8 doff = 0;

	adds->packets = pkt->frag != NX_FRAG_LATER;
	adds->bytes = pkt->frag == NX_FRAG_LATER ? skb->len - pkt->l4 : length;
	if (pkt->frag == NX_FRAG_FIRST && pkt->v6)
		adds->bytes -= 8; /* its fragment header */
	adds->wire_packets = 1;
	adds->wire_bytes = length;
	if (segments < 2)
		return;
	header = pkt->l4 - NX_L3 + 8;
	if (pkt->l4_proto == NX_L4_TCP &&
	    !bpf_skb_load_bytes(skb, pkt->l4 + 12, &doff, 1))
		header = pkt->l4 - NX_L3 + (doff >> 4) * 4;
	adds->wire_packets = segments;
	adds->wire_bytes = length + (segments - 1) * header;
}

static __always_inline void gateway_add(__u32 number, enum nx_direction way,
					const struct nx_gateway *adds)
{
	__u32 index = number * 2 + way;
	struct nx_gateway *sum;

	if (!number)
		return;
	sum = bpf_map_lookup_elem(&nx_gateway, &index);
	if (!sum)
		return;
	sum->packets += adds->packets;
	sum->bytes += adds->bytes;
	sum->wire_packets += adds->wire_packets;
	sum->wire_bytes += adds->wire_bytes;
}

/* A whole packet that is not GSO's, which most are: on the fast path. */
static __always_inline void gateway_count_one(struct __sk_buff *skb, __u32 from,
					      __u32 to)
{
	struct nx_gateway adds = {
		.packets = 1,
		.bytes = skb->len - NX_L3,
		.wire_packets = 1,
		.wire_bytes = skb->len - NX_L3,
	};

	gateway_add(from, NX_EGRESS, &adds);
	gateway_add(to, NX_INGRESS, &adds);
}

NX_GLOBAL int gateway_count(struct __sk_buff *skb, const struct nx_pkt *pkt,
			    __u32 from, __u32 to)
{
	struct nx_gateway adds;

	if (!pkt)
		return 0;
	gateway_measure(skb, pkt, &adds);
	gateway_add(from, NX_EGRESS, &adds);
	gateway_add(to, NX_INGRESS, &adds);
	return 0;
}

/* An ICMP error is counted by its own addresses: who reports it need not be an
 * end of the flow that it is about.
 */
NX_GLOBAL int gateway_count_error(struct __sk_buff *skb,
				  const struct nx_pkt *pkt)
{
	struct nx_addr src = {}, dst = {};

	if (!pkt || !skb->ingress_ifindex ||
	    load_ends(skb, pkt->v6, &src, &dst))
		return 0;
	return gateway_count(skb, pkt, net_of(pkt->side, &src).subnet,
			     net_of(pkt->side, &dst).subnet);
}

/* For packets whose subnets ingress did not leave in a slot. */
NX_GLOBAL int gateway_count_new(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct nx_addr addr;
	__u32 from, to;

	if (!pkt)
		return 0;
	addr = pkt->tuple.src;
	from = net_of(pkt->side, &addr).subnet;
	addr = pkt->tuple.dst;
	to = net_of(pkt->side, &addr).subnet;
	return gateway_count(skb, pkt, from, to);
}
