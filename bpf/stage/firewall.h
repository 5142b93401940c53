/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/headers.h"

/* KUBE-MARK-DROP: filter KUBE-FIREWALL, which INPUT and OUTPUT ask and FORWARD
 * does not, drops what has the mark (facts/kube-proxy-calico.md 1.2).  Every
 * packet, not only a first one; one without any mark costs a load.
 *
 *   reads    skb->mark; the destination that ingress left in the packet
 *   maps     nx_config, nx_local (lookup)
 *   returns  whether it is to be dropped
 */
static __always_inline bool is_marked_drop(const struct __sk_buff *skb)
{
	struct nx_config *config;

	if (!skb->mark)
		return false;
	config = config_of(config_side());
	return config && skb->mark & config->mark_drop;
}

/* Ingress: what goes to the node itself. */
NX_GLOBAL int firewall_local(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct nx_addr dst = {};

	/* A tagged frame is its VLAN device's; all else begins with IP. */
	if (!pkt || pkt->reason == NX_R_NOT_IP || pkt->reason == NX_R_VLAN)
		return 0;
	return !load_destination(skb, pkt->v6, &dst) &&
	       bpf_map_lookup_elem(&nx_local, &dst);
}

static __always_inline bool stage_firewall_in(struct __sk_buff *skb,
					      const struct nx_pkt *pkt)
{
	return is_marked_drop(skb) && firewall_local(skb, pkt);
}

/* Egress: what the node itself sends. */
static __always_inline bool stage_firewall_out(const struct __sk_buff *skb,
					       const struct nx_pkt *pkt)
{
	return !skb->ingress_ifindex && pkt->reason != NX_R_NOT_IP &&
	       pkt->reason != NX_R_VLAN && is_marked_drop(skb);
}
