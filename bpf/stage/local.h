/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/flow_table.h"
#include "bpf/lib/new_flow.h"
#include "bpf/lib/outgoing.h"

/* Remember a new flow to this node itself, if either end is in a subnet, its
 * answer might be an outgoing one of Calico's, or there are Services, natrix' own
 * or IPVS' (one may have an endpoint on the node: see stage/snat.h).
 *
 *   reads    pkt->tuple, ->opens, membership of both ends
 *   writes   pkt->reason
 *   maps     nx_local (lookup), nx_embryo (insert)
 *   returns  NX_CONTINUE  always
 *
 * Such packets never reach egress, but their answers do, and an answer from
 * the node's address in the join subnet to a pod would look like a new flow
 * between subnets, or its RST like an orphan.  Netfilter's conntrack knew it
 * was an answer.
 */
NX_GLOBAL int local_new(struct nx_pkt *pkt)
{
	struct nx_flow entry; /* of one half after the other: stack is dear */
	struct nx_tuple other;
	struct nx_addr dst;

	if (!pkt)
		return 0;
	dst = pkt->tuple.dst;
	if (!bpf_map_lookup_elem(&nx_local, &dst))
		return 0;
	entry_of(&entry, pkt, NX_R_LOCAL);
	flow_partner(&other, &pkt->tuple, &entry);
	flow_partner_entry(&entry, &pkt->tuple, &entry);
	if (pkt->reason == NX_R_NOT_OURS) /* a mark says more */
		pkt->reason = NX_R_LOCAL;
	/* A taken reply key is another flow's: this one goes unremembered. */
	if (flow_claim(&other, &entry))
		return 0;
	entry_of(&entry, pkt, NX_R_LOCAL);
	if (flow_claim(&pkt->tuple, &entry))
		flow_erase(&other);
	return 0;
}

static __always_inline enum nx_verdict
stage_local(struct nx_pkt *pkt, struct nx_net from, struct nx_net to)
{
	struct nx_config *config = config_of(pkt->side);

	if (!config)
		return NX_CONTINUE;
	if ((from.subnets || to.subnets || config->services || config->ipvs ||
	     config->calico.tunnels || leaves_pools(to, from)) &&
	    pkt->opens != NX_OPENS_NOTHING)
		local_new(pkt);
	return NX_CONTINUE;
}
