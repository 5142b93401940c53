/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/addr.h"
#include "bpf/lib/config.h"

/* kube-proxy's sets of IPVS mode. */

static __always_inline bool in_ports(__u32 side, const struct nx_port_key *key)
{
	return side & 1 ? !!bpf_map_lookup_elem(&nx_ports_right, key) :
			  !!bpf_map_lookup_elem(&nx_ports_left, key);
}

/* KUBE-CLUSTER-IP: whether a Service has the tuple's destination. */
static __always_inline bool is_cluster_ip(__u32 side, const struct nx_tuple *t)
{
	struct nx_port_key key = { .addr = t->dst,
				   .port = t->dport,
				   .proto = t->proto,
				   .set = NX_PORTS_CLUSTER_IP };

	return in_ports(side, &key);
}

/* KUBE-NODE-PORT-LOCAL-TCP, -UDP: whether its port is a NodePort with local
 * policy.
 */
static __always_inline bool is_local_port(__u32 side, const struct nx_tuple *t)
{
	struct nx_port_key key = { .port = t->dport,
				   .proto = t->proto,
				   .set = NX_PORTS_LOCAL };

	return in_ports(side, &key);
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
