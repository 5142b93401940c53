/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>

#include "bpf/lib/decision.h"
#include "bpf/lib/dnat.h"
#include "bpf/lib/fip.h"

/* cali-PREROUTING, which stands before everybody else's chains: a new flow to an
 * external address goes to its pod, all ports and protocols (cali-fip-dnat), and
 * then what asks OpenStack's metadata service goes to who serves it
 * (facts/kube-proxy-calico.md 2.1).
 *
 *   reads    pkt->tuple, ->side, ->opens; membership of the destination
 *   writes   pkt->reason
 *   maps     nx_fip, nx_local (lookup), nx_embryo (insert)
 *   returns  the new flow's original entry, in pkt->reason NX_R_FIP_DNAT or
 *            NX_R_METADATA; or null: neither, or the flow table refused the
 *            entry (NX_R_NO_ROOM, NX_R_CLASH)
 *
 * Two CPUs with first packets of one flow: the entry that is claimed first
 * decides for both.
 */
#define NX_METADATA_PORT 80

/* Writes the entry; false: of neither. */
static __noinline bool dnat_new(const struct nx_pkt *pkt, struct nx_flow *entry,
				bool floating_ip, bool metadata)
{
	struct nx_fip *fip = NULL;

	if (floating_ip)
		fip = fip_of(pkt->side, &pkt->tuple.dst, NX_FIP_EXTERNAL);
	metadata = !fip && metadata && pkt->tuple.proto == NX_L4_TCP &&
		   pkt->tuple.dport == bpf_htons(NX_METADATA_PORT);
	if (metadata)
		fip = fip_of(pkt->side, &pkt->tuple.dst, NX_FIP_METADATA);
	if (!fip)
		return false;
	entry_of(entry, pkt, metadata ? NX_R_METADATA : NX_R_FIP_DNAT);
	entry->dst = fip->addr;
	if (fip->port)
		entry->dport = fip->port;
	return true;
}

static __always_inline struct nx_flow *stage_dnat(struct nx_pkt *pkt,
						  struct nx_net to)
{
	struct nx_scratch *s = scratch();
	struct nx_flow *flow;

	if (!(to.floating_ip || to.metadata) ||
	    pkt->opens == NX_OPENS_NOTHING || !s ||
	    !dnat_new(pkt, &s->entry, to.floating_ip, to.metadata))
		return NULL;
	flow = dnat_claim(pkt, &s->entry);
	if (flow)
		pkt->reason = s->entry.why;
	return flow;
}
