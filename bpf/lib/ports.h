/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/addr.h"
#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* kube-proxy's sets of IPVS mode. */

static __always_inline __u32 sets_of(__u32 side, const struct nx_port_key *key)
{
	struct nx_port_member *member =
		side & 1 ? bpf_map_lookup_elem(&nx_ports_right, key) :
			   bpf_map_lookup_elem(&nx_ports_left, key);

	return member ? member->sets : 0;
}

/* The sets that hold an address with the tuple's destination port. */
static __always_inline __u32 sets_with(__u32 side, const struct nx_tuple *t,
				       const struct nx_addr *addr)
{
	struct nx_port_key key = { .addr = *addr,
				   .port = t->dport,
				   .proto = t->proto };

	return sets_of(side, &key);
}

/* KUBE-CLUSTER-IP: whether a Service has the tuple's destination. */
static __always_inline bool is_cluster_ip(__u32 side, const struct nx_tuple *t)
{
	return sets_with(side, t, &t->dst) & NX_IN_CLUSTER_IP;
}

/* The sets that hold the tuple's destination port alone: NodePorts. */
static __always_inline __u32 sets_of_port(__u32 side, const struct nx_tuple *t)
{
	struct nx_port_key key = { .port = t->dport, .proto = t->proto };

	return sets_of(side, &key);
}

/* KUBE-LOOP-BACK, dst,dst,src.  A function, for its caller's stack. */
NX_GLOBAL int is_loop_back(const struct nx_pkt *pkt)
{
	struct nx_loop_key key = {};

	if (!pkt)
		return 0;
	key.dst = pkt->tuple.dst;
	key.src = pkt->tuple.src;
	key.port = pkt->tuple.dport;
	key.proto = pkt->tuple.proto;
	return pkt->side & 1 ? !!bpf_map_lookup_elem(&nx_loop_right, &key) :
			       !!bpf_map_lookup_elem(&nx_loop_left, &key);
}

static __always_inline bool has_range(__u32 side,
				      const struct nx_range_key *key)
{
	return side & 1 ? !!bpf_map_lookup_elem(&nx_range_right, key) :
			  !!bpf_map_lookup_elem(&nx_range_left, key);
}

/* Whether who sends a packet may not call where it goes: KUBE-LOAD-BALANCER-FW
 * holds that, and neither set of sources the sender.
 */
NX_GLOBAL int is_out_of_range(const struct nx_pkt *pkt, __u32 side,
			      const struct nx_addr *dst, __u32 dport)
{
	struct nx_range_key key = { .length = NX_RANGE_KEY_BITS + 128 };
	struct nx_port_key called = {};

	if (!pkt || !dst)
		return 0;
	called.addr = *dst;
	called.port = dport;
	called.proto = pkt->tuple.proto;
	if (!(sets_of(side, &called) & NX_IN_LOAD_BALANCER_FW))
		return 0;
	key.dst = called.addr;
	key.port = called.port;
	key.proto = called.proto;
	key.src = pkt->tuple.src;
	key.set = NX_RANGE_CIDR;
	if (has_range(side, &key))
		return 0;
	key.set = NX_RANGE_IP;
	return !has_range(side, &key);
}

/* Whether not everybody may call every port of an address. */
NX_GLOBAL int has_ranges(const struct nx_pkt *pkt)
{
	struct nx_port_key any = {};

	if (!pkt)
		return 0;
	any.addr = pkt->tuple.dst;
	return !!(sets_of(pkt->side, &any) &
		  (NX_IN_LOAD_BALANCER_FW | NX_IN_IPVS_IPS));
}

/* filter KUBE-IPVS-FILTER, of what is NEW to the node itself: whether IPVS has
 * the address there, and no Service the port.  KUBE-HEALTH-CHECK-NODE-PORT is
 * of type bitmap:port, which knows the ports of TCP and UDP and tells them not
 * apart.
 */
NX_GLOBAL int is_filtered(const struct nx_tuple *t, __u32 side)
{
	struct nx_port_key key = {};

	if (!t)
		return 0;
	key.addr = t->dst;
	if (!(sets_of(side, &key) & NX_IN_IPVS_IPS) ||
	    !bpf_map_lookup_elem(&nx_local, &key.addr))
		return 0;
	key.port = t->dport;
	key.proto = t->proto;
	if (sets_of(side, &key) & (NX_IN_LOAD_BALANCER | NX_IN_CLUSTER_IP |
				   NX_IN_EXTERNAL_IP | NX_IN_EXTERNAL_IP_LOCAL))
		return 0;
	if (key.proto != NX_L4_TCP && key.proto != NX_L4_UDP)
		return 1;
	__builtin_memset(&key.addr, 0, sizeof(key.addr));
	key.proto = NX_L4_TCP;
	return !(sets_of(side, &key) & NX_IN_HEALTH_CHECK_NODE_PORT);
}

/* Whether a call of a Service's address goes to a port that no Service has.
 * What has config->mark_masquerade is let through: the caller's to ask.
 */
static __always_inline bool
is_refused(__u32 side, const struct nx_config *config, const struct nx_tuple *t)
{
	struct nx_addr dst = t->dst;

	return config->ipvs && t->proto == NX_L4_TCP &&
	       net_of(side, &dst).services &&
	       bpf_map_lookup_elem(&nx_local, &dst) && !is_cluster_ip(side, t);
}
