/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/decision.h"
#include "bpf/lib/outgoing.h"
#include "bpf/lib/rewrite.h"
#include "bpf/stage/create.h"
#include "bpf/stage/firewall.h"
#include "bpf/stage/flow.h"
#include "bpf/stage/forward.h"
#include "bpf/stage/fragment.h"
#include "bpf/stage/gateway.h"
#include "bpf/stage/handoff.h"
#include "bpf/stage/invalid.h"
#include "bpf/stage/learn.h"
#include "bpf/stage/mark.h"
#include "bpf/stage/parse.h"
#include "bpf/stage/snat.h"

/* Sources are rewritten here, after the kernel routed.  Stands for the
 * POSTROUTING chains of mangle and nat.
 */

/* Gives a packet its source, off the fast path. */
static __always_inline enum nx_verdict
egress_write(struct __sk_buff *skb, struct nx_pkt *pkt,
	     const struct nx_from *source, enum nx_reason why)
{
	if (addr_eq(&source->addr, &pkt->tuple.src) &&
	    source->port == pkt->tuple.sport)
		return nx_pass(pkt, why == NX_R_FLOW_TRANSLATED ?
					    NX_R_FLOW_KEPT :
					    why);
	if (rewrite_new(skb, pkt, NX_SRC, &source->addr, source->port))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	return nx_pass(pkt, pkt->error ? NX_R_ICMP_TRANSLATED : why);
}

/* What the flow table says about a packet that no handoff slot described:
 * sent by this node itself, or its slot was lost.
 *
 *   NX_PASS      known: s->source is what it leaves with, its own or another
 *   NX_CONTINUE  to be decided; s->new is filled, s->snat if it is forced
 */
NX_GLOBAL int egress_lookup(struct nx_pkt *pkt, struct nx_scratch *s)
{
	struct nx_tuple key;
	struct nx_flow *flow;

	if (!pkt || !s)
		return NX_PASS;
	key = pkt->tuple;
	flow = stage_flow(pkt, &key, flow_known(pkt, &key));
	if (flow) {
		/* An original entry with another destination wanted ingress
		 * to see this packet first; it is not of that flow.
		 */
		if (flow->role != NX_ROLE_MIDDLE &&
		    (!addr_eq(&flow->dst, &pkt->tuple.dst) ||
		     flow->dport != pkt->tuple.dport))
			return NX_PASS;
		s->source.addr = flow->src;
		s->source.port = flow->sport;
		s->snat.why = flow->why;
		/* A pod that calls itself between equal ports: the packet has
		 * the tuple of its own answer, which is still provisional.
		 */
		if (!(flow->flags & NX_FLOW_UNDECIDED) || pkt->error ||
		    !addr_eq(&key.src, &key.dst) || key.sport != key.dport)
			return NX_PASS;
	}
	if (!pkt->ports_known || pkt->ext_overflow)
		return NX_CONTINUE;

	tuple_swap(&key, &pkt->tuple);
	flow = flow_lookup(&key);
	if (!flow || flow_expired(&key, flow))
		return NX_CONTINUE;
	if (flow->flags & NX_FLOW_UNDECIDED && flow->role == NX_ROLE_REPLY) {
		s->new.called = flow->src;
		s->new.called_port = flow->sport;
		s->new.pending = 1;
		return NX_CONTINUE;
	}
	if (flow->role == NX_ROLE_MIDDLE) {
		s->source.addr = flow->dst;
		s->source.port = flow->dport;
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
		s->snat.addr = pkt->tuple.src;
		s->snat.what = NX_SNAT_TO;
		s->snat.why = NX_R_RENUMBERED;
		return NX_CONTINUE;
	}
	return NX_PASS;
}

/* Packets that start nothing and belong to nothing. */
static __always_inline enum nx_verdict egress_invalid(struct nx_pkt *pkt)
{
	if (pkt->error)
		return nx_pass(pkt, NX_R_ICMP_UNRELATED);
	/* mangle OVN-POSTROUTING: it would show a pod's address outside. */
	if (pkt->tcp_flags & NX_TCP_RST &&
	    net_of(pkt->side, &pkt->tuple.src).subnets)
		return nx_drop(pkt, NX_R_INVALID_RST);
	return nx_pass(pkt, NX_R_INVALID);
}

/* The first packet of a flow, or a packet that cannot have one: a fragment on
 * its own, or an IPv6 header chain that was not walked to its end.
 */
static __always_inline enum nx_verdict
egress_new(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_scratch *s)
{
	struct nx_config *config = config_of(pkt->side);
	bool flowless = !pkt->ports_known || pkt->ext_overflow;
	enum nx_reason refused = stage_forward(skb, pkt);

	if (!config)
		return nx_pass(pkt, NX_R_NONE);
	if (refused != NX_R_NONE)
		return nx_drop(pkt, refused);
	if (pkt->opens == NX_OPENS_NOTHING && !flowless)
		return egress_invalid(pkt);
	if (s->snat.what == NX_SNAT_NOT_OURS)
		stage_snat(skb, pkt, &s->snat);
	if (s->new.pending && s->snat.what == NX_SNAT_NOT_OURS)
		s->snat.what = NX_SNAT_KEEP;

	if (s->snat.what == NX_SNAT_NOT_OURS)
		return nx_pass(pkt, NX_R_NOT_OURS);
	if (s->snat.what == NX_SNAT_REFUSE)
		return nx_drop(pkt, s->snat.why);
	if (flowless) {
		if (s->snat.what == NX_SNAT_KEEP)
			return nx_pass(pkt, s->snat.why);
		if (pkt->ext_overflow)
			return nx_drop(pkt, NX_R_EXT_CHAIN);
		s->source.addr = s->snat.addr;
		s->source.port = pkt->tuple.sport;
		return egress_write(skb, pkt, &s->source, NX_R_FRAGMENT);
	}
	if (create_flow(skb, pkt, config, s) == NX_DROP)
		return NX_DROP;
	/* OVN-MASQUERADE clears all of it, KUBE-POSTROUTING its own bit,
	 * Calico, Docker and portmap nothing.
	 */
	if (s->snat.masquerade && !s->snat.keep_mark)
		skb->mark = config->ovn ? 0 :
					  skb->mark & ~config->mark_masquerade;
	return egress_write(skb, pkt, &s->source, pkt->reason);
}

/* Whether another packet of the flow was decided after ingress handed this one
 * over: of the same batch, or a fragment of the same datagram where netfilter
 * puts them together.  Then s->source is what that one left with.
 */
NX_GLOBAL int egress_decided(const struct nx_pkt *pkt, struct nx_scratch *s)
{
	struct nx_tuple key;
	struct nx_flow *flow;

	if (!pkt || !s)
		return 0;
	key = pkt->tuple;
	key.dst = s->new.called;
	key.dport = s->new.called_port;
	flow = flow_lookup(&key);
	if (!flow || flow->flags & NX_FLOW_UNDECIDED)
		return 0;
	s->source.addr = flow->src;
	s->source.port = flow->sport;
	return 1;
}

/* Takes back what a Service or host port asked for: the nat table marks a
 * flow's first packet only.
 */
static __always_inline void
egress_unmark(struct __sk_buff *skb, const struct nx_pkt *pkt, __u32 marked)
{
	struct nx_config *config = config_of(pkt->side);

	if (config)
		skb->mark &= ~(marked == NX_MARKED_HOST_PORT ?
				       config->mark_host_port :
				       config->mark_masquerade);
}

/* Everything but an established packet that ingress handed over. */
NX_GLOBAL int egress_slow(struct __sk_buff *skb, struct nx_pkt *pkt)
{
	struct nx_scratch *s = scratch();
	struct nx_handoff_slot *slot;

	if (!pkt || !s)
		return NX_PASS;
	__builtin_memset(&s->snat, 0, sizeof(s->snat)); /* NX_SNAT_NOT_OURS */
	s->new.called = pkt->tuple.dst;
	s->new.called_port = pkt->tuple.dport;
	s->new.pending = 0;
	s->source.addr = pkt->tuple.src;
	s->source.port = pkt->tuple.sport;

	slot = handoff_find(skb, pkt);
	if (slot) { /* undecided, or we were not here */
		s->new.called = slot->called;
		s->new.called_port = slot->called_port;
		s->new.pending = 1;
		if (egress_decided(pkt, s)) {
			if (slot->marked)
				egress_unmark(skb, pkt, slot->marked);
			return egress_write(skb, pkt, &s->source,
					    NX_R_FLOW_TRANSLATED);
		}
	} else if (egress_lookup(pkt, s) == NX_PASS) {
		handoff_unmark(skb, pkt);
		return egress_write(skb, pkt, &s->source, NX_R_FLOW_TRANSLATED);
	}
	return egress_new(skb, pkt, s);
}

/* It cannot be translated, and would show a pod's address outside. */
NX_GLOBAL int egress_headless(struct nx_pkt *pkt)
{
	struct nx_net from, to;

	if (!pkt)
		return NX_PASS;
	pkt->side = config_side();
	from = net_of(pkt->side, &pkt->tuple.src);
	to = net_of(pkt->side, &pkt->tuple.dst);
	return from.subnets || leaves_pools(from, to) || from.bridged ||
			       (from.ip_masq && from.network != to.network) ?
		       nx_drop(pkt, NX_R_HEADLESS) :
		       NX_PASS;
}

/* FORWARD's counters: the subnets are in the slot, or are asked for. */
static __always_inline void egress_count(struct __sk_buff *skb,
					 const struct nx_pkt *pkt,
					 const struct nx_handoff_slot *slot)
{
	if (pkt->error) {
		gateway_count_error(skb, pkt);
		return;
	}
	if (!handoff_counts(skb))
		return;
	if (slot)
		gateway_count(skb, pkt, slot->from, slot->to);
	else
		gateway_count_new(skb, pkt);
}

/* The kernel forwarded an established packet: so it would the next one. */
NX_GLOBAL int egress_learn(struct __sk_buff *skb,
			   const struct nx_handoff_slot *slot)
{
	struct nx_lesson lesson;

	if (!slot)
		return 0;
	lesson.key = slot->tuple;
	lesson.key.dst = slot->called;
	lesson.key.dport = slot->called_port;
	lesson.epoch = slot->epoch;
	lesson.in = slot->in;
	lesson.mark = slot->mark;
	lesson.from = slot->from;
	lesson.to = slot->to;
	stage_learn(skb, &lesson);
	return 0;
}

/* Whether nobody marked a stranger since ingress. */
static __always_inline bool egress_passes(struct __sk_buff *skb,
					  const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	return config && !(skb->mark & config_marks(config));
}

/* KUBE-FORWARD.  What others translate on its way is known to nf_conntrack. */
static __always_inline bool egress_drops(struct __sk_buff *skb,
					 const struct nx_pkt *pkt)
{
	return handoff_noted(skb, pkt, NX_SIGN_INVALID) &&
	       stage_invalid_out(skb, pkt);
}

static __always_inline enum nx_verdict egress_parsed(struct __sk_buff *skb,
						     struct nx_pkt *pkt)
{
	struct nx_handoff_slot *slot;

	stage_fragment(pkt);
	pkt->side = handoff_config_side(skb);

	if (handoff_noted(skb, pkt, NX_SIGN_STRANGER) &&
	    egress_passes(skb, pkt))
		return nx_pass(pkt, NX_R_NOT_OURS);
	slot = handoff_find(skb, pkt);
	egress_count(skb, pkt, slot);
	if (egress_drops(skb, pkt))
		return nx_drop(pkt, NX_R_INVALID_FORWARD);
	if (!slot || slot->undecided)
		return egress_slow(skb, pkt);
	if (slot->epoch)
		egress_learn(skb, slot);
	if (addr_eq(&slot->src, &pkt->tuple.src) &&
	    slot->sport == pkt->tuple.sport)
		return nx_pass(pkt, NX_R_FLOW_KEPT);
	if (rewrite(skb, pkt, NX_SRC, &slot->src, slot->sport))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	return nx_pass(pkt, pkt->error ? NX_R_ICMP_TRANSLATED :
					 NX_R_FLOW_TRANSLATED);
}

/* What has no ports that could be read goes to none that is published. */
static __always_inline enum nx_verdict egress_unparsed(struct __sk_buff *skb,
						       struct nx_pkt *pkt)
{
	enum nx_reason refused;

	if (pkt->reason != NX_R_NOT_IP && pkt->reason != NX_R_VLAN) {
		pkt->side = handoff_config_side(skb);
		pkt->ports_known = 0;
		if (egress_drops(skb, pkt))
			return nx_drop(pkt, NX_R_INVALID_FORWARD);
		refused = stage_forward(skb, pkt);
		if (refused != NX_R_NONE)
			return nx_drop(pkt, refused);
	}
	return pkt->head ? egress_headless(pkt) : NX_PASS;
}

static __always_inline enum nx_verdict egress(struct __sk_buff *skb,
					      struct nx_pkt *pkt)
{
	enum nx_verdict v = stage_parse(skb, pkt);

	if (skb->mark) {
		stage_outer(skb, pkt);
		if (stage_firewall_out(skb, pkt))
			return nx_drop(pkt, NX_R_MARK_DROP);
	}
	if (v != NX_CONTINUE)
		return egress_unparsed(skb, pkt);
	v = egress_parsed(skb, pkt);
	stage_fragment_mark(skb, pkt);
	return v;
}
