/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/decision.h"
#include "bpf/lib/fip.h"
#include "bpf/lib/outgoing.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/source.h"

/* The rules of OVN-POSTROUTING in their order (facts/kube-ovn.md 1.2), after
 * mangle's drop of orphans and Calico's cali-POSTROUTING.  First match wins.
 *
 *   reads    pkt->tuple, ->opens, ->side, membership of both ends
 *   writes   snat, all of it; skb->mark under the mask of a policy's decision
 *   maps     nx_fip, nx_device, nx_local, nx_subnet, nx_policy (lookup)
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
	    !leaves_pools(from, to) && !leaves_pools(to, from)) {
		snat->what = NX_SNAT_NOT_OURS;
		snat->why = NX_R_NOT_OURS;
	}
}

NX_GLOBAL int stage_snat(struct __sk_buff *skb, const struct nx_pkt *pkt,
			 struct nx_snat *snat)
{
	struct nx_config *config;

	if (!pkt || !snat)
		return 0;
	config = config_of(pkt->side);
	if (!config)
		return 0;
	snat_rules(skb, pkt, config, net_of(pkt->side, &pkt->tuple.src),
		   net_of(pkt->side, &pkt->tuple.dst), snat);
	if (!snat->masquerade)
		return 0;
	snat->what = NX_SNAT_TO;
	if (masquerade_source(skb, pkt, &snat->addr)) {
		snat->what = NX_SNAT_REFUSE;
		snat->why = NX_R_NO_ADDRESS;
	}
	return 0;
}
