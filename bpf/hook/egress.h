/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/rewrite.h"
#include "bpf/stage/flow.h"
#include "bpf/stage/fragment.h"
#include "bpf/stage/handoff.h"
#include "bpf/stage/parse.h"
#include "bpf/stage/snat.h"

#include "bpf/stage/create.h"

/* Sources are rewritten here, after the kernel routed.  Stands for the
 * POSTROUTING chains of mangle and nat.
 */

/* Writes what was decided off the fast path. */
static __always_inline enum nx_verdict
egress_write(struct __sk_buff *skb, struct nx_pkt *pkt,
	     const struct nx_addr *src, __be16 sport, enum nx_reason why)
{
	if (addr_eq(src, &pkt->tuple.src) && sport == pkt->tuple.sport)
		return nx_pass(pkt, why == NX_R_FLOW_TRANSLATED ?
					    NX_R_FLOW_KEPT :
					    why);
	if (rewrite_new(skb, pkt, NX_SRC, src, sport))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	return nx_pass(pkt, pkt->error ? NX_R_ICMP_TRANSLATED : why);
}

/* What the flow table says about a packet that no handoff slot described:
 * sent by this node itself, or its slot was lost.  `new` is filled when egress
 * has still to decide.  NX_CONTINUE: decide.
 */
NX_GLOBAL int
egress_lookup(struct nx_pkt *pkt, struct nx_new *new,
	      struct nx_source *ret, struct nx_snat *forced)
{
	struct nx_tuple swapped;
	struct nx_flow *flow;

	if (!pkt || !new || !ret || !forced)
		return NX_PASS;
	pkt->reason = NX_R_FLOW_KEPT;
	flow = stage_flow(pkt);
	if (flow) {
		/* An original entry with another destination wanted ingress
		 * to see this packet first; it is not of that flow.
		 */
		if (flow->role != NX_ROLE_MIDDLE &&
		    (!addr_eq(&flow->dst, &pkt->tuple.dst) ||
		     flow->dport != pkt->tuple.dport))
			return NX_PASS;
		ret->addr = flow->src;
		ret->port = flow->sport;
		if (flow->role != NX_ROLE_REPLY || !flow->undecided) {
			pkt->reason = NX_R_FLOW_TRANSLATED;
			return NX_PASS;
		}
	}
	if (!pkt->ports_known || pkt->ext_overflow)
		return NX_CONTINUE;

	tuple_swap(&swapped, &pkt->tuple);
	flow = flow_lookup(&swapped);
	if (!flow || flow_expired(&swapped, flow))
		return NX_CONTINUE;
	if (flow->undecided && flow->role == NX_ROLE_REPLY) {
		new->called = flow->src;
		new->called_port = flow->sport;
		new->pending = 1;
		return NX_CONTINUE;
	}
	if (flow->role == NX_ROLE_MIDDLE) {
		ret->addr = flow->dst;
		ret->port = flow->dport;
		pkt->reason = NX_R_FLOW_TRANSLATED;
		return NX_PASS;
	}
	if (flow->role == NX_ROLE_REPLY &&
	    (!addr_eq(&flow->dst, &pkt->tuple.src) ||
	     flow->dport != pkt->tuple.sport)) {
		/* The answers to this tuple belong to a translated flow, and
		 * this is not that flow: this node's own socket came later.
		 */
		if (pkt->error || pkt->opens == NX_OPENS_NOTHING)
			return NX_PASS;
		forced->addr = pkt->tuple.src;
		forced->what = NX_SNAT_TO;
		forced->why = NX_R_RENUMBERED;
		forced->keep_port = 0;
		forced->masquerade = 0;
		return NX_CONTINUE;
	}
	return NX_PASS;
}

/* Packets that start nothing and belong to nothing. */
static __always_inline enum nx_verdict
egress_invalid(struct nx_pkt *pkt, struct nx_net from)
{
	if (pkt->error)
		return nx_pass(pkt, NX_R_ICMP_UNRELATED);
	/* mangle OVN-POSTROUTING: it would show a pod's address outside. */
	if (pkt->tcp_flags & NX_TCP_RST && from.subnets)
		return nx_drop(pkt, NX_R_INVALID_RST);
	return nx_pass(pkt, NX_R_INVALID);
}

/* The first packet of a flow, or a fragment on its own. */
NX_GLOBAL int
egress_new(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_new *new,
	   struct nx_snat *snat)
{
	struct nx_config *config;
	struct nx_source source;
	struct nx_net from, to;

	if (!pkt || !new || !snat)
		return NX_PASS;
	config = config_of(pkt->side);
	if (!config)
		return nx_pass(pkt, NX_R_NONE);
	from = net_of(pkt->side, &pkt->tuple.src);
	if (pkt->opens == NX_OPENS_NOTHING && pkt->ports_known &&
	    !pkt->ext_overflow)
		return egress_invalid(pkt, from);
	to = net_of(pkt->side, &pkt->tuple.dst);
	if (snat->what == NX_SNAT_NOT_OURS)
		stage_snat(skb, pkt, config, from, to, snat);
	if (new->pending && snat->what == NX_SNAT_NOT_OURS)
		snat->what = NX_SNAT_KEEP;

	if (snat->what == NX_SNAT_NOT_OURS)
		return nx_pass(pkt, NX_R_NOT_OURS);
	if (snat->what == NX_SNAT_REFUSE)
		return nx_drop(pkt, snat->why);
	if (snat->what == NX_SNAT_TO && pkt->ext_overflow)
		return nx_drop(pkt, NX_R_EXT_CHAIN);
	if (!pkt->ports_known || pkt->ext_overflow) {
		if (snat->what == NX_SNAT_KEEP)
			return nx_pass(pkt, snat->why);
		return egress_write(skb, pkt, &snat->addr, pkt->tuple.sport,
				    NX_R_FRAGMENT);
	}
	if (create_flow(skb, pkt, config, new, snat, &source) == NX_DROP)
		return NX_DROP;
	if (snat->masquerade)
		skb->mark = 0; /* OVN-MASQUERADE clears all of it */
	return egress_write(skb, pkt, &source.addr, source.port, pkt->reason);
}

static __always_inline enum nx_verdict
egress(struct __sk_buff *skb, struct nx_pkt *pkt)
{
	struct nx_handoff_slot *slot;
	struct nx_new new = {};
	struct nx_snat snat = {}; /* what: NX_SNAT_NOT_OURS until decided */
	struct nx_source source = {};
	enum nx_verdict v;

	v = stage_parse(skb, pkt);
	if (v != NX_CONTINUE)
		return v;
	stage_fragment(pkt);
	pkt->side = handoff_config_side(skb);

	slot = handoff_find(skb, pkt);
	if (slot && !slot->undecided) {
		if (addr_eq(&slot->src, &pkt->tuple.src) &&
		    slot->sport == pkt->tuple.sport)
			return nx_pass(pkt, NX_R_FLOW_KEPT);
		if (rewrite(skb, pkt, NX_SRC, &slot->src, slot->sport))
			return nx_drop(pkt, NX_R_WRITE_FAILED);
		return nx_pass(pkt, pkt->error ? NX_R_ICMP_TRANSLATED :
						 NX_R_FLOW_TRANSLATED);
	}
	new.called = pkt->tuple.dst;
	new.called_port = pkt->tuple.dport;
	if (slot) {
		new.called = slot->called;
		new.called_port = slot->called_port;
		new.pending = 1;
	} else {
		source.addr = pkt->tuple.src;
		source.port = pkt->tuple.sport;
		v = egress_lookup(pkt, &new, &source, &snat);
		if (v != NX_CONTINUE)
			return egress_write(skb, pkt, &source.addr, source.port,
					    NX_R_FLOW_TRANSLATED);
	}
	return egress_new(skb, pkt, &new, &snat);
}
