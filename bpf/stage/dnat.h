/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/fip.h"
#include "bpf/lib/flow_table.h"
#include "bpf/lib/new_flow.h"

/* Floating IPs: a new flow to an external address goes to its pod, all ports
 * and protocols (Calico's cali-fip-dnat; facts/kube-proxy-calico.md 2.1).
 *
 *   reads    pkt->tuple, ->side, ->opens; membership of the destination
 *   writes   pkt->reason
 *   maps     nx_fip (lookup), nx_embryo (insert)
 *   returns  the new flow's original entry, or null: not a floating IP, or
 *            the flow table refused the entry (reason NX_R_NO_ROOM)
 *
 * Both halves are made here, marked undecided: egress may still give the flow
 * another source.  A reply half whose key is taken is left out: egress will
 * then find a free port.  Two CPUs with first packets of one flow: one claims
 * the entry, the other uses it.
 */
static __noinline struct nx_flow *dnat_new(struct nx_pkt *pkt)
{
	struct nx_tuple other;
	struct nx_flow entry, half;

	entry_of(&entry, pkt, NX_R_FIP_DNAT);
	if (!fip_to(pkt->side, &pkt->tuple.dst, NX_FIP_EXTERNAL, &entry.dst))
		return NULL;
	entry.flags = NX_FLOW_UNDECIDED;
	pkt->reason = NX_R_FIP_DNAT;
	if (!flow_claim(&pkt->tuple, &entry)) {
		flow_partner(&other, &pkt->tuple, &entry);
		flow_partner_entry(&half, &pkt->tuple, &entry);
		flow_claim(&other, &half);
	}
	pkt->reason = NX_R_NO_ROOM;
	return flow_lookup(&pkt->tuple);
}

static __always_inline struct nx_flow *stage_dnat(struct nx_pkt *pkt,
						  struct nx_net to)
{
	if (!to.floating_ip || pkt->opens == NX_OPENS_NOTHING)
		return NULL;
	return dnat_new(pkt);
}
