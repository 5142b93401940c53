/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/decision.h"
#include "bpf/lib/fip.h"
#include "bpf/lib/host_port.h"
#include "bpf/lib/outgoing.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/ports.h"
#include "bpf/lib/service.h"
#include "bpf/lib/source.h"

/* MASQUERADE without --random-fully, and nobody clears the mark. */
static __always_inline void snat_as_found(struct nx_snat *snat,
					  enum nx_reason why)
{
	snat->masquerade = 1;
	snat->keep_port = 1;
	snat->keep_mark = 1;
	snat->why = why;
}

static __always_inline bool is_multicast(const struct nx_addr *addr, bool v6)
{
	return v6 ? addr->byte[0] == 0xff : (addr->byte[12] & 0xf0) == 0xe0;
}

/* Docker's: what leaves a bridge's subnet (`network`, or 0) by another device;
 * without userland proxy what the node sends into the bridge, and a container
 * that reached itself at a published port.
 */
NX_GLOBAL int snat_of_bridge(struct __sk_buff *skb, const struct nx_pkt *pkt,
			     __u32 network, struct nx_snat *snat)
{
	__u32 ifindex = skb->ifindex;
	struct nx_device *device = bpf_map_lookup_elem(&nx_device, &ifindex);
	struct nx_addr src;
	__u32 bridge;

	if (!pkt || !snat || !device)
		return 0;
	bridge = device->bridge[pkt->side & 1];
	if (network && network != (bridge & NX_BRIDGE_NUMBER)) {
		snat_as_found(snat, NX_R_MASQ_BRIDGE);
		return 1;
	}
	if (!(bridge & NX_BRIDGE_NO_PROXY))
		return 0;
	src = pkt->tuple.src;
	if (!bpf_map_lookup_elem(&nx_local, &src) &&
	    (!addr_eq(&src, &pkt->tuple.dst) || !is_published(pkt)))
		return 0;
	snat_as_found(snat, NX_R_MASQ_NO_PROXY);
	return 1;
}

/* The rules of OVN-POSTROUTING in their order (facts/kube-ovn.md 1.2), after
 * mangle's drop of orphans, Calico's cali-POSTROUTING, Docker's and CNI
 * portmap's (facts/kube-proxy-calico.md 3); CNI's ipMasq comes last.  First
 * match wins.
 *
 *   reads    pkt->tuple, ->opens, ->side, membership of both ends
 *   writes   snat, all of it; skb->mark under the mask of a policy's decision
 *   maps     nx_fip, nx_device, nx_local, nx_service, nx_subnet, nx_policy
 *            (lookup)
 *   returns  0 always; snat->what says it
 */
static __always_inline void snat_rules(struct __sk_buff *skb,
				       const struct nx_pkt *pkt,
				       const struct nx_config *config,
				       struct nx_net from, struct nx_net to,
				       struct nx_snat *snat)
{
	const struct nx_addr *node = pkt->v6 ? &config->node6 : &config->node4;
	struct nx_subnet *subnet = NULL;
	__u32 mark = skb->mark;

	snat->what = NX_SNAT_KEEP;
	snat->masquerade = 0;
	snat->keep_port = config->port_choice == NX_PORT_KEEP;
	snat->keep_mark = 0;

	if (!to.subnets)
		subnet = subnet_of(pkt->side, from.subnet);
	if (subnet && subnet->drop_orphans && pkt->opens == NX_OPENS_LATE) {
		snat->what = NX_SNAT_REFUSE;
		snat->why = NX_R_ORPHAN;
		return;
	}
	if (addr_eq(&pkt->tuple.src, &pkt->tuple.dst) &&
	    fip_to(pkt->side, &pkt->tuple.src, NX_FIP_INTERNAL, &snat->addr)) {
		snat->what = NX_SNAT_TO;
		snat->why = NX_R_FIP_SNAT;
		snat->keep_port = 1;
		return;
	}
	if (outgoing_rules(skb, pkt, config, from, to, snat))
		return;
	if (config->networks &&
	    snat_of_bridge(skb, pkt, from.bridged ? from.network : 0, snat))
		return;
	/* CNI-HOSTPORT-MASQ.  Where portmap was told to use kube-proxy's mark
	 * there is no such chain.
	 */
	if (mark & config->mark_host_port & ~config->mark_masquerade) {
		snat_as_found(snat, NX_R_MASQ_HOST_PORT);
		return;
	}
	if (mark & config->mark_masquerade) {
		if (from.services && to.subnets &&
		    !addr_is_zero(node)) { /* R1 */
			snat->addr = *node;
			snat->what = NX_SNAT_TO;
			snat->why = NX_R_SNAT_NODE;
			return;
		}
		snat->masquerade = 1; /* R2 */
		snat->why = NX_R_MASQ_MARK;
		return;
	}
	if (!config->ovn) /* KUBE-POSTROUTING has no other rule */
		goto nothing;
	if (from.subnets && to.subnets) { /* R3 */
		snat->masquerade = 1;
		snat->why = NX_R_MASQ_SUBNETS;
		return;
	}
	if (mark & config->mark_local) {
		if (to.subnets_distributed_gw) { /* R4 */
			snat->why = NX_R_KEEP_LOCAL;
			return;
		}
		snat->masquerade = 1; /* R5 */
		snat->why = NX_R_MASQ_LOCAL;
		return;
	}
	if (pkt->opens == NX_OPENS_LATE) { /* R6 */
		snat->why = NX_R_KEEP_NON_SYN;
		goto kept;
	}
	if (!from.subnets && !from.other_node && to.subnets_nat) { /* R7 */
		snat->why = NX_R_KEEP_ROUTED;
		return;
	}
	if (subnet && subnet->rules && from.subnets_nat_policy) { /* R8 */
		mark |= policy_mark(pkt, config, subnet, from.subnet);
		skb->mark = mark;
	}
	if ((mark & config->mark_policy_nat) ==
	    config->mark_policy_nat) { /* R9 */
		snat->masquerade = 1;
		snat->why = NX_R_MASQ_POLICY;
		return;
	}
	if ((mark & config->mark_policy_forward) ==
	    config->mark_policy_forward) { /* R10 */
		snat->why = NX_R_KEEP_POLICY;
		goto kept;
	}
	if (subnet && !addr_is_zero(&subnet->egress)) { /* R11 */
		snat->addr = subnet->egress;
		snat->what = NX_SNAT_TO;
		snat->why = NX_R_SNAT_EGRESS;
		return;
	}
	if (from.subnets_nat && !to.subnets) { /* R12 */
		snat->masquerade = 1;
		snat->why = NX_R_MASQ_OUTGOING;
		return;
	}
nothing:
	snat->why = NX_R_KEEP;
kept:
	/* No memory needed of what nothing is translated to.  A Service may
	 * send its client to any address, and then the answers of both flows
	 * must be told apart; what comes from outside to a pool is answered.
	 */
	if (!from.subnets && !to.subnets && !config->services &&
	    !config->ipvs && !leaves_pools(from, to) &&
	    !leaves_pools(to, from)) {
		snat->what = NX_SNAT_NOT_OURS;
		snat->why = NX_R_NOT_OURS;
	}
}

/* What stands behind OVN-POSTROUTING, and is asked where that did no more than
 * RETURN: KUBE-LOOP-BACK, the head of KUBE-POSTROUTING, whose own mark comes
 * after it; then CNI's ipMasq.
 */
static __always_inline void snat_last(const struct nx_pkt *pkt,
				      const struct nx_config *config,
				      struct nx_net from, struct nx_net to,
				      struct nx_snat *snat)
{
	bool open = !snat->masquerade && (snat->what == NX_SNAT_KEEP ||
					  snat->what == NX_SNAT_NOT_OURS);

	if (config->loop_back &&
	    (open || (!config->ovn && snat->why == NX_R_MASQ_MARK)) &&
	    is_loop_back(pkt))
		snat_as_found(snat, NX_R_MASQ_LOOP_BACK);
	else if (open && from.ip_masq && from.network != to.network &&
		 !is_multicast(&pkt->tuple.dst, pkt->v6))
		snat_as_found(snat, NX_R_MASQ_POD);
}

NX_GLOBAL int stage_snat(struct __sk_buff *skb, const struct nx_pkt *pkt,
			 struct nx_snat *snat)
{
	struct nx_config *config;
	struct nx_net from, to;

	if (!pkt || !snat)
		return 0;
	config = config_of(pkt->side);
	if (!config)
		return 0;
	from = net_of(pkt->side, &pkt->tuple.src);
	to = net_of(pkt->side, &pkt->tuple.dst);
	snat_rules(skb, pkt, config, from, to, snat);
	snat_last(pkt, config, from, to, snat);
	if (!snat->masquerade)
		return 0;
	snat->what = NX_SNAT_TO;
	if (masquerade_source(skb, pkt, &snat->addr)) {
		snat->what = NX_SNAT_REFUSE;
		snat->why = NX_R_NO_ADDRESS;
	} else if (snat->keep_port && !snat->ports.first &&
		   addr_eq(&snat->addr, &pkt->tuple.src)) {
		/* What the node's own sockets send has their address and port
		 * already, which are not free: theirs.
		 */
		snat->what = NX_SNAT_KEEP;
	}
	return 0;
}
