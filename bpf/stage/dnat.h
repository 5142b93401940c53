/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/decision.h"
#include "bpf/lib/dnat.h"
#include "bpf/lib/fip.h"

/* Floating IPs: a new flow to an external address goes to its pod, all ports
 * and protocols (Calico's cali-fip-dnat; facts/kube-proxy-calico.md 2.1).
 *
 *   reads    pkt->tuple, ->side, ->opens; membership of the destination
 *   writes   pkt->reason
 *   maps     nx_fip (lookup), nx_embryo (insert)
 *   returns  the new flow's original entry, or null: not a floating IP, or
 *            the flow table refused the entry (reason NX_R_NO_ROOM)
 */
static __noinline bool dnat_new(const struct nx_pkt *pkt, struct nx_flow *entry)
{
	entry_of(entry, pkt, NX_R_FIP_DNAT);
	return fip_to(pkt->side, &pkt->tuple.dst, NX_FIP_EXTERNAL, &entry->dst);
}

static __always_inline struct nx_flow *stage_dnat(struct nx_pkt *pkt,
						  struct nx_net to)
{
	struct nx_scratch *s = scratch();

	if (!to.floating_ip || pkt->opens == NX_OPENS_NOTHING || !s ||
	    !dnat_new(pkt, &s->entry))
		return NULL;
	return dnat_claim(pkt, &s->entry);
}
