/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>

#include "bpf/lib/flow_table.h"

/* Source port allocation.  A port is taken by writing the reply half with
 * BPF_NOEXIST: there is no moment between the question and the answer.
 *
 * Never given away:
 *   - a port that a socket of this node would receive answers on, listening,
 *     connected or in TIME_WAIT (bpf_skc_lookup_tcp, bpf_sk_lookup_udp);
 *   - nx_port: reserved ports, NodePorts, host ports, but of a range that was
 *     asked for;
 *   - by random choice, net.ipv4.ip_local_port_range: sockets that this node
 *     opens later come from there.
 * A socket that is bound elsewhere later and calls the same peer is seen at
 * egress and moved (NX_R_RENUMBERED).
 *
 * Port classes are the kernel's (nf_nat_l4proto_unique_tuple): below 512 stays
 * below 512, 512..1023 goes to 600..1023, others to 1024..65535.  A range that
 * was asked for has no classes, and may lie among the node's own.
 */
#define NX_PORT_TRIES 48

/* A range that was asked for is walked as nf_nat does, all of it if it is
 * small: so many ports in a row from a random one, then half as many from
 * another one, and so on.
 */
#define NX_PORT_WALK 128
#define NX_PORT_WALKS (128 + 64 + 32 + 16)

struct nx_alloc {
	struct nx_tuple reply;	  /* key to claim; dport is what is sought */
	struct nx_flow entry;	  /* its value */
	__u16 first, span;	  /* candidates: first .. first + span - 1 */
	__u16 skip_min, skip_max; /* but not these; 0, 0: none */
	struct nx_port_span demanded; /* the caller's: these and no other */
	__u16 at;		      /* where the walk through them is */
	__u16 port;		      /* the one got, host order */
	__u8 keep;		      /* try `port` first */
	__u8 taken;		      /* 1: reply is in the table */
};

static __always_inline bool port_is_reserved(__u16 port)
{
	__u32 at = port / 32;
	struct nx_port_word *word = bpf_map_lookup_elem(&nx_port, &at);

	return word && word->reserved & 1U << (port % 32);
}

/* Whether a packet with tuple `t` would find a socket on this node. */
static __always_inline bool socket_owns(struct __sk_buff *skb,
					const struct nx_tuple *t)
{
	struct bpf_sock_tuple key = {};
	struct bpf_sock *sk;
	__u32 size;

	if (addr_is_v4(&t->src)) {
		key.ipv4.saddr = addr_word(&t->src, 3);
		key.ipv4.daddr = addr_word(&t->dst, 3);
		key.ipv4.sport = t->sport;
		key.ipv4.dport = t->dport;
		size = sizeof(key.ipv4);
	} else {
		__builtin_memcpy(key.ipv6.saddr, &t->src, 16);
		__builtin_memcpy(key.ipv6.daddr, &t->dst, 16);
		key.ipv6.sport = t->sport;
		key.ipv6.dport = t->dport;
		size = sizeof(key.ipv6);
	}
	if (t->proto == NX_L4_TCP)
		sk = bpf_skc_lookup_tcp(skb, &key, size, BPF_F_CURRENT_NETNS,
					0);
	else if (t->proto == NX_L4_UDP)
		sk = bpf_sk_lookup_udp(skb, &key, size, BPF_F_CURRENT_NETNS, 0);
	else
		return false;
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

struct nx_port_loop {
	struct __sk_buff *skb;
	struct nx_alloc *alloc;
};

/* The next candidate of a range that was asked for. */
static __always_inline __u16 port_walk(struct nx_alloc *alloc, __u32 index)
{
	__u32 span = alloc->span;

	if (index == 128 || index == 128 + 64 || index == 128 + 64 + 32)
		alloc->at = bpf_get_prandom_u32() % span;
	else if (++alloc->at >= span)
		alloc->at = 0;
	return alloc->first + alloc->at;
}

/* One try; 1 ends the loop. */
static long port_try(__u32 index, struct nx_port_loop *loop)
{
	struct nx_alloc *alloc = loop->alloc;
	bool icmp = alloc->reply.proto == NX_L4_ICMP ||
		    alloc->reply.proto == NX_L4_ICMPV6;
	__u32 span = alloc->span;
	__u16 port = alloc->port;

	if (icmp) {
		if (index || !alloc->keep)
			port = (__u16)bpf_get_prandom_u32();
	} else if (index || !alloc->keep) {
		if (!span)
			return 1;
		if (alloc->demanded.first)
			port = port_walk(alloc, index);
		else
			port = alloc->first + bpf_get_prandom_u32() % span;
		if (alloc->skip_max && port >= alloc->skip_min)
			port += alloc->skip_max - alloc->skip_min + 1;
	}
	alloc->reply.dport = bpf_htons(port);
	/* Who asks for a range keeps others out of it, by reserving it too. */
	if (!icmp && ((!alloc->demanded.first && port_is_reserved(port)) ||
		      socket_owns(loop->skb, &alloc->reply)))
		return 0;
	if (flow_claim(&alloc->reply, &alloc->entry))
		return 0;
	alloc->port = port;
	alloc->taken = 1;
	return 1;
}

static __always_inline void port_class(struct nx_alloc *alloc,
				       const struct nx_config *config)
{
	__u32 first = 1024, span = 65536 - 1024, cut;

	if (alloc->port < 512) {
		first = 1;
		span = 511;
	} else if (alloc->port < 1024) {
		first = 600;
		span = 424;
	} else if (config->ephemeral_min >= 1024 &&
		   config->ephemeral_max >= config->ephemeral_min) {
		cut = config->ephemeral_max - config->ephemeral_min + 1;
		/* A range that leaves nothing is not skipped. */
		if (cut < span) {
			span -= cut;
			alloc->skip_min = config->ephemeral_min;
			alloc->skip_max = config->ephemeral_max;
		}
	}
	alloc->first = first;
	alloc->span = span;
}

/* Prepares the walk.  How many tries there are. */
static __always_inline __u32 port_demand(struct nx_alloc *alloc)
{
	__u32 span = alloc->demanded.last - alloc->demanded.first + 1;

	alloc->first = alloc->demanded.first;
	alloc->span = span;
	if (!alloc->span)
		return 0;
	alloc->at = bpf_get_prandom_u32() % span;
	if (alloc->port < alloc->demanded.first ||
	    alloc->port > alloc->demanded.last)
		alloc->keep = 0;
	return span > NX_PORT_WALK ? NX_PORT_WALKS : span + alloc->keep;
}

/* Claims a reply key for the flow whose packets leave with source `to` and,
 * if it can be had and `keep`, their own port.  alloc->reply (all but dport),
 * ->entry and ->port are the caller's.  0 or the reason to drop.
 */
static __always_inline int port_allocate(struct __sk_buff *skb,
					 struct nx_alloc *alloc,
					 const struct nx_config *config)
{
	struct nx_port_loop loop = { .skb = skb, .alloc = alloc };
	__u32 tries = NX_PORT_TRIES;

	switch (alloc->reply.proto) {
	case NX_L4_TCP:
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
	case NX_L4_ICMP:
	case NX_L4_ICMPV6:
		if (alloc->demanded.first)
			tries = port_demand(alloc);
		else
			port_class(alloc, config);
		bpf_loop(tries, port_try, &loop, 0);
		return alloc->taken ? 0 : NX_R_NO_PORT;
	default:
		/* SCTP's checksum has no pseudo header but covers the ports:
		 * a new port would cost a CRC over the packet.  Others have
		 * no port.  The key is free or it is not.
		 */
		alloc->reply.dport = bpf_htons(alloc->port);
		alloc->taken = !flow_claim(&alloc->reply, &alloc->entry);
		return alloc->taken ? 0 : NX_R_CLASH;
	}
}
