/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* The state a flow begins in. */
static __always_inline enum nx_state first_state(const struct nx_pkt *pkt)
{
	switch (pkt->tuple.proto) {
	case NX_L4_TCP:
		return pkt->opens == NX_OPENS_LATE ? NX_STATE_TCP_UNREPLIED :
						     NX_STATE_TCP_SYN_SENT;
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
		return NX_STATE_UDP;
	case NX_L4_ICMP:
	case NX_L4_ICMPV6:
		return NX_STATE_ICMP;
	case NX_L4_SCTP:
		return NX_STATE_SCTP;
	default:
		return NX_STATE_OTHER;
	}
}

/* An original entry that changes nothing yet. */
static __always_inline void
entry_of(struct nx_flow *entry, const struct nx_pkt *pkt, enum nx_reason why)
{
	entry->src = pkt->tuple.src;
	entry->dst = pkt->tuple.dst;
	entry->sport = pkt->tuple.sport;
	entry->dport = pkt->tuple.dport;
	entry->seen = now_jiffies();
	entry->born = entry->seen;
	entry->state = first_state(pkt);
	entry->role = NX_ROLE_ORIGINAL;
	entry->why = why;
	entry->flags = 0;
	entry->subnets = (struct nx_flow_subnets){}; /* not known yet */
}
