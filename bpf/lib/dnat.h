/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/flow_table.h"
#include "bpf/lib/new_flow.h"

/* A new flow with another destination, as ingress writes it down.
 *
 * Both halves are made here, marked undecided: egress may still give the flow
 * another source.  A reply half whose key is taken is left out: egress will
 * then find a free port.  Two CPUs with first packets of one flow: one claims
 * the entry, the other uses it.
 *
 * To this node itself it never comes to egress, and is decided at once; there
 * a reply half that is taken is the end (nf_nat would find a port at INPUT).
 *
 * Returns the original entry, of whoever claimed it; null: pkt->reason is
 * NX_R_NO_ROOM or NX_R_CLASH.
 */
static __noinline struct nx_flow *dnat_claim(struct nx_pkt *pkt,
					     struct nx_flow *entry)
{
	struct nx_addr dst = entry->dst;
	struct nx_flow *taken;
	struct nx_tuple other;
	struct nx_flow half;

	if (is_loopback(&dst, pkt->v6) || bpf_map_lookup_elem(&nx_local, &dst))
		entry->flags = 0;
	else
		entry->flags |= NX_FLOW_UNDECIDED;
	if (!flow_claim(&pkt->tuple, entry)) {
		flow_partner(&other, &pkt->tuple, entry);
		flow_partner_entry(&half, &pkt->tuple, entry);
		if (flow_claim(&other, &half) && !entry->flags) {
			taken = flow_lookup(&other);
			/* Or another CPU found it missing, and made it. */
			if (!taken || !flow_points_back(taken, &pkt->tuple)) {
				flow_erase(&pkt->tuple);
				pkt->reason = NX_R_CLASH;
				return NULL;
			}
		}
	}
	pkt->reason = NX_R_NO_ROOM; /* unless it is there */
	return flow_lookup(&pkt->tuple);
}
