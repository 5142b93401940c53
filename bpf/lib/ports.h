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
