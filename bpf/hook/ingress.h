/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/rewrite.h"
#include "bpf/stage/dnat.h"
#include "bpf/stage/firewall.h"
#include "bpf/stage/flow.h"
#include "bpf/stage/fragment.h"
#include "bpf/stage/gateway.h"
#include "bpf/stage/guard.h"
#include "bpf/stage/handoff.h"
#include "bpf/stage/invalid.h"
#include "bpf/stage/local.h"
#include "bpf/stage/mark.h"
#include "bpf/stage/parse.h"
#include "bpf/stage/reject.h"
#include "bpf/stage/service.h"
#include "bpf/stage/short_cut.h"

/* Destinations are rewritten here, before the kernel routes.  Stands for the
 * PREROUTING chains of the nat table: what they only did with the first
 * packet of a connection happens only when there is no flow.
 */

/* A packet of a known flow: towards where its flow goes. */
static __always_inline enum nx_verdict
ingress_known(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_flow *flow)
{
	struct nx_addr dst = flow->dst;
	__be16 dport = flow->dport;

	if (flow->role == NX_ROLE_MIDDLE) {
		dst = pkt->tuple.dst;
		dport = pkt->tuple.dport;
	}
	if (stage_ranges(pkt, pkt->side, &dst, dport))
		return nx_drop(pkt, NX_R_SOURCE_RANGE);
	if (flow->role == NX_ROLE_MIDDLE)
		return nx_pass(pkt, NX_R_FLOW_KEPT);
	gateway_of_flow(pkt, flow);
	handoff_flow(skb, pkt, flow);
	if (addr_eq(&dst, &pkt->tuple.dst) && dport == pkt->tuple.dport)
		return nx_pass(pkt, NX_R_FLOW_KEPT);
	if (rewrite(skb, pkt, NX_DST, &dst, dport))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	return nx_pass(pkt, pkt->error ? NX_R_ICMP_TRANSLATED :
					 NX_R_FLOW_TRANSLATED);
}

/* The mark that Services or host ports ask for masquerade by, as its flow has
 * it: whatever this packet itself would have asked for, it uses the entry that
 * was claimed.
 */
static __always_inline void ingress_ask(struct __sk_buff *skb,
					const struct nx_pkt *pkt,
					const struct nx_flow *flow)
{
	struct nx_config *config = config_of(pkt->side);
	__u32 mark;

	if (!config)
		return;
	mark = flow->why == NX_R_HOST_PORT ? config->mark_host_port :
					     config->mark_masquerade;
	if (flow->flags & NX_FLOW_UNDECIDED &&
	    flow->flags & NX_FLOW_MASQUERADE) {
		skb->mark |= mark;
		return;
	}
	/* What portmap shares with kube-proxy may be kube-proxy's. */
	if (flow->why == NX_R_HOST_PORT)
		mark &= ~config->mark_masquerade;
	skb->mark &= ~mark;
}

/* A first packet came before, and egress has not decided about the flow: this
 * one is as new.  After a second that packet is dead, and its flow is chosen
 * anew: an unconfirmed connection of nf_conntrack dies with its packet.
 */
NX_GLOBAL int ingress_undecided(const struct nx_pkt *pkt,
				const struct nx_flow *flow)
{
	struct nx_config *config;

	if (!pkt || !flow)
		return 0;
	config = config_of(pkt->side);
	if (!config || pkt->opens == NX_OPENS_NOTHING ||
	    flow->role != NX_ROLE_ORIGINAL ||
	    now_jiffies() - flow->born <= config->hz)
		return 0;
	flow_forget(&pkt->tuple, flow);
	return 1;
}

/* The destination of a new flow, where natrix gives it another: a packet that
 * was passed on, or NX_CONTINUE.  `may_ask`: for masquerade.
 */
static __always_inline enum nx_verdict
ingress_dnat(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_flow *flow,
	     enum nx_reason why, bool may_ask)
{
	enum nx_verdict v;

	if (!flow)
		return pkt->reason == NX_R_NO_ROOM ||
				       pkt->reason == NX_R_CLASH ?
			       NX_DROP :
			       NX_CONTINUE;
	if (may_ask)
		ingress_ask(skb, pkt, flow);
	v = ingress_known(skb, pkt, flow);
	if (v == NX_PASS)
		pkt->reason = why;
	return v;
}

/* Whether only Services are called at an address: what cannot be told which of
 * them it calls would leave as it came.
 */
static __always_inline bool is_services(const struct nx_pkt *pkt,
					struct nx_net to)
{
	struct nx_config *config = config_of(pkt->side);

	return to.services && config && config->services == NX_ASK_SERVICES;
}

/* Whether a port must be known where a packet goes.  The kernel finds it, and
 * IPVS would serve who may not call.
 */
static __always_inline bool asks_port(const struct nx_pkt *pkt,
				      struct nx_net to)
{
	struct nx_config *config = config_of(pkt->side);

	return to.floating_ip || is_services(pkt, to) ||
	       (config &&
		(config->ranges != NX_RANGES_NONE || config->ipvs_filter) &&
		has_ranges(pkt));
}

/* A later fragment whose first one was not seen: nobody knows its ports, but
 * a floating IP asks for none.
 */
static __always_inline enum nx_verdict
ingress_orphan(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_net to)
{
	__u8 proto = pkt->tuple.proto;
	struct nx_addr dst;

	if ((proto == NX_L4_TCP || proto == NX_L4_UDP || proto == NX_L4_SCTP) &&
	    is_services(pkt, to))
		return nx_drop(pkt, NX_R_HEADLESS);
	if (!to.floating_ip ||
	    !fip_to(pkt->side, &pkt->tuple.dst, NX_FIP_EXTERNAL, &dst))
		return nx_pass(pkt, NX_R_NOT_OURS);
	skb->tc_index |= NX_SIGN_COUNT; /* egress knows whether */
	if (rewrite_new(skb, pkt, NX_DST, &dst, pkt->tuple.dport))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	return nx_pass(pkt, NX_R_FRAGMENT);
}

/* What starts nothing and belongs to nothing.  A later fragment to a Service
 * has no flow because its first one was refused, or is gone.
 */
static __always_inline enum nx_verdict
ingress_late(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_net from)
{
	enum nx_reason why = NX_R_NOT_OURS;

	if (pkt->frag == NX_FRAG_LATER)
		why = service_ask(skb, pkt, from);
	if (why == NX_R_NOT_OURS) {
		/* Without ports its first one need not have come before. */
		if ((pkt->frag != NX_FRAG_LATER || has_ports(pkt->l4_proto)) &&
		    stage_invalid(pkt))
			handoff_note(skb, pkt, NX_SIGN_INVALID);
		return nx_pass(pkt, NX_R_INVALID);
	}
	return nx_drop(pkt, service_found(why) ? NX_R_HEADLESS : why);
}

/* Without its ports nobody can tell whether it begins a flow, or is an answer;
 * to a floating IP or a Service it would leave as it came, past the pod or the
 * source ranges.
 */
NX_GLOBAL int ingress_headless(struct nx_pkt *pkt)
{
	struct nx_net to;

	if (!pkt)
		return NX_PASS;
	pkt->side = config_side();
	to = net_of(pkt->side, &pkt->tuple.dst);
	return asks_port(pkt, to) ? nx_drop(pkt, NX_R_HEADLESS) : NX_PASS;
}

/* The short cut passes by what counts for subnets at egress. */
static __always_inline enum nx_verdict
ingress_sent(struct __sk_buff *skb, const struct nx_pkt *pkt,
	     const struct nx_established *established, enum nx_verdict v)
{
	const struct nx_flow_subnets *of = &established->flow.subnets;

	if (skb->gso_segs > 1)
		gateway_count(skb, pkt, of->from, of->to);
	else
		gateway_count_one(skb, of->from, of->to);
	return v;
}

/* Neither end is known, and nothing is remembered of flows that no rule is
 * about.
 */
static __always_inline bool ingress_is_stranger(const struct nx_pkt *pkt,
						struct nx_net from,
						struct nx_net to)
{
	struct nx_config *config = config_of(pkt->side);

	return pkt->reason == NX_R_NOT_OURS && pkt->frag == NX_WHOLE &&
	       is_in_no_set(from) && is_in_no_set(to) && config &&
	       !config->services && !config->ipvs && !config->networks &&
	       !config->calico.tunnels && !config->loop_back &&
	       !addr_eq(&pkt->tuple.src, &pkt->tuple.dst);
}

/* raw PREROUTING.  Leaves pkt->side behind where no flow is known. */
static __always_inline bool ingress_guarded(struct __sk_buff *skb,
					    struct nx_pkt *pkt,
					    struct nx_established *known)
{
	if (known && !pkt->error && !gateway_of_flow(pkt, &known->flow))
		return false;
	pkt->side = config_side();
	return stage_guard(skb, pkt);
}

static __always_inline enum nx_verdict
ingress_nat(struct __sk_buff *skb, struct nx_pkt *pkt, bool from_pod)
{
	struct nx_established *known;
	struct nx_flow *flow;
	struct nx_net from, to;
	enum nx_verdict v;
	bool accepted;
	__u32 mark;

	skb->tc_index = 0;
	if (from_pod)
		stage_distrust(skb);
	v = stage_parse(skb, pkt);
	if (v != NX_CONTINUE) {
		if (ingress_guarded(skb, pkt, NULL))
			return nx_drop(pkt, NX_R_DIRECT_ACCESS);
		if (stage_localnet(skb, pkt))
			return nx_drop(pkt, NX_R_LOCALNET);
		if (pkt->head == NX_HEAD_ELSEWHERE)
			return ingress_headless(pkt);
		if (stage_invalid_header(pkt))
			handoff_note(skb, pkt, NX_SIGN_INVALID);
		return v;
	}
	stage_fragment(pkt);
	known = flow_known(pkt, &pkt->tuple);
	if (ingress_guarded(skb, pkt, known))
		return nx_drop(pkt, NX_R_DIRECT_ACCESS);
	flow = stage_flow(pkt, &pkt->tuple, known);
	if (flow && known && known->flow.role != NX_ROLE_MIDDLE) {
		v = stage_short_cut(skb, pkt, known);
		if (v != NX_CONTINUE)
			return ingress_sent(skb, pkt, known, v);
	}
	if (flow) {
		pkt->side = config_side();
		if (!(flow->flags & NX_FLOW_UNDECIDED))
			return ingress_known(skb, pkt, flow);
		if (!ingress_undecided(pkt, flow)) {
			if (flow->flags & NX_FLOW_MASQUERADE &&
			    flow->role == NX_ROLE_ORIGINAL)
				ingress_ask(skb, pkt, flow);
			return ingress_known(skb, pkt, flow);
		}
	}
	if (known) /* it was, and is over */
		pkt->side = config_side();
	if (stage_localnet(skb, pkt))
		return nx_drop(pkt, NX_R_LOCALNET);
	if (pkt->error) {
		if (stage_invalid(pkt))
			handoff_note(skb, pkt, NX_SIGN_INVALID);
		return nx_pass(pkt, NX_R_ICMP_UNRELATED);
	}
	handoff_side(skb, pkt);
	from = net_of(pkt->side, &pkt->tuple.src);
	to = net_of(pkt->side, &pkt->tuple.dst);
	handoff_count(skb, from, to);
	if (!pkt->ports_known)
		return ingress_orphan(skb, pkt, to);
	if (pkt->ext_overflow && asks_port(pkt, to))
		return nx_drop(pkt, NX_R_EXT_CHAIN);
	if (pkt->opens == NX_OPENS_NOTHING || pkt->ext_overflow)
		return stage_ranges(pkt, pkt->side, &pkt->tuple.dst,
				    pkt->tuple.dport) ?
			       nx_drop(pkt, NX_R_SOURCE_RANGE) :
			       ingress_late(skb, pkt, from);
	flow = stage_dnat(pkt, to);
	v = ingress_dnat(skb, pkt, flow, pkt->reason, false);
	if (v != NX_CONTINUE)
		return v;
	pkt->reason = NX_R_NOT_OURS;
	mark = skb->mark;
	stage_mark(skb, pkt, from, to, from_pod);
	accepted = stage_kube(skb, pkt, from);
	handoff_marked(skb, pkt, mark);
	flow = accepted ? NULL : stage_service(skb, pkt, from);
	v = ingress_dnat(skb, pkt, flow, pkt->reason, true);
	if (v == NX_CONTINUE && !stage_filter(pkt) &&
	    stage_ranges(pkt, pkt->side, &pkt->tuple.dst, pkt->tuple.dport))
		return nx_drop(pkt, NX_R_SOURCE_RANGE);
	/* Dropped by ingress(), and as new when it is sent again. */
	if (v == NX_CONTINUE && stage_firewall_in(skb, pkt))
		return NX_PASS;
	if (v == NX_CONTINUE)
		v = stage_reject(skb, pkt, to, from_pod);
	if (v != NX_CONTINUE)
		return v;
	stage_local(pkt, from, to);
	if (ingress_is_stranger(pkt, from, to))
		handoff_stranger(skb, pkt);
	return NX_PASS;
}

static __always_inline enum nx_verdict
ingress(struct __sk_buff *skb, struct nx_pkt *pkt, bool from_pod)
{
	enum nx_verdict v = ingress_nat(skb, pkt, from_pod);

	if (v == NX_PASS && stage_firewall_in(skb, pkt))
		return nx_drop(pkt, NX_R_MARK_DROP);
	return v;
}
