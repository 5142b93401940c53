/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/sign.h"

/* What ingress knows of a packet, for egress on the same CPU: so that an
 * established packet costs one flow lookup, not one per hook.
 *
 *   reads    pkt->tuple, the flow entry
 *   writes   skb->tc_index: how egress finds the slot; survives the kernel's
 *            forwarding, is never trusted from outside (ingress overwrites it)
 *   maps     nx_handoff, each CPU its own
 *
 * A ring of slots, because the receive path may run a batch of packets through
 * ingress before the first of them reaches egress.  A slot names the tuple
 * that egress must see; if it does not (ring overrun, neighbour resolution,
 * another CPU), egress asks the flow table itself.  So a lost slot costs a
 * lookup, and what ingress noted as INVALID leaves.
 */
#define NX_HANDOFF_SLOTS 64 /* NAPI_POLL_WEIGHT */

/* Whose masquerade ingress asked for by a mark. */
enum nx_marked {
	NX_MARKED_NOT,
	NX_MARKED_SERVICE,
	NX_MARKED_HOST_PORT,
};

struct nx_handoff_slot {
	struct nx_tuple tuple; /* as egress will see it */
	struct nx_addr src;    /* the source it leaves with */
	struct nx_addr called; /* where it was sent before ingress DNAT */
	__be16 sport;
	__be16 called_port;
	__u16 from; /* subnets that count it: struct nx_flow_subnets */
	__u16 to;
	__u16 undecided; /* 1: egress has still to look at SNAT */
	__u16 marked;	 /* for that: enum nx_marked */
	__u32 epoch; /* it is routed under, if egress may learn its way; or 0 */
	__u32 in;    /* for that: ifindex and mark it came with */
	__u32 mark;
};

struct nx_handoff {
	__u32 next;
	struct nx_handoff_slot slot[NX_HANDOFF_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_handoff);
} nx_handoff SEC(".maps");

static __always_inline void handoff_side(struct __sk_buff *skb,
					 const struct nx_pkt *pkt)
{
	skb->tc_index = NX_SIGN_SEEN | NX_SIGN_SIDE | (pkt->side & 1) << 6;
}

/* For a packet without a flow: whether a subnet counts it. */
static __always_inline void handoff_count(struct __sk_buff *skb,
					  struct nx_net from, struct nx_net to)
{
	if (from.subnet || to.subnet)
		skb->tc_index |= NX_SIGN_COUNT;
}

/* Whether egress has to ask which subnets count a packet. */
static __always_inline bool handoff_counts(struct __sk_buff *skb)
{
	return skb->ingress_ifindex && (skb->tc_index & NX_SIGN_COUNT ||
					!(skb->tc_index & NX_SIGN_SEEN));
}

/* Which of our bits ingress set in the mark, that was `before`. */
static __always_inline void
handoff_marked(struct __sk_buff *skb, const struct nx_pkt *pkt, __u32 before)
{
	struct nx_config *config = config_of(pkt->side);
	__u32 set = skb->mark & ~before;

	if (!set || !config)
		return;
	if (set & config->mark_masquerade)
		skb->tc_index |= NX_SIGN_MASQUERADE;
	if (set & config->mark_local)
		skb->tc_index |= NX_SIGN_LOCAL;
}

/* Takes them back.  Ingress marks what looks like a new flow to it, as every
 * packet to a Service does that the kernel gives another destination on the
 * way (kube-proxy); the nat table marks the first one only.
 */
static __always_inline void handoff_unmark(struct __sk_buff *skb,
					   const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);
	__u32 sign = skb->tc_index;

	if (!(sign & NX_SIGN_SEEN) || !config)
		return;
	if (sign & NX_SIGN_MASQUERADE)
		skb->mark &= ~config->mark_masquerade;
	if (sign & NX_SIGN_LOCAL)
		skb->mark &= ~config->mark_local;
}

static __always_inline void handoff_flow(struct __sk_buff *skb,
					 const struct nx_pkt *pkt,
					 const struct nx_flow *flow)
{
	__u32 zero = 0;
	struct nx_handoff *ring = bpf_map_lookup_elem(&nx_handoff, &zero);
	struct nx_handoff_slot *slot;
	__u32 at, sign;

	if (!ring)
		return;
	at = ring->next++ & (NX_HANDOFF_SLOTS - 1);
	slot = &ring->slot[at];
	slot->tuple = pkt->tuple;
	slot->tuple.dst = flow->dst;
	slot->tuple.dport = flow->dport;
	slot->src = flow->src;
	slot->sport = flow->sport;
	slot->called = pkt->tuple.dst;
	slot->called_port = pkt->tuple.dport;
	slot->from = flow->subnets.from;
	slot->to = flow->subnets.to;
	slot->undecided = flow->flags & NX_FLOW_UNDECIDED;
	slot->epoch = pkt->learn;
	slot->in = skb->ifindex;
	slot->mark = skb->mark;
	slot->marked = NX_MARKED_NOT;
	if (slot->undecided && flow->flags & NX_FLOW_MASQUERADE)
		slot->marked = flow->why == NX_R_HOST_PORT ?
				       NX_MARKED_HOST_PORT :
				       NX_MARKED_SERVICE;
	sign = NX_SIGN_SEEN | NX_SIGN_SLOT | at;
	if (slot->from || slot->to)
		sign |= NX_SIGN_COUNT;
	if (flow->flags & NX_FLOW_UNDECIDED)
		sign |= NX_SIGN_SIDE | (pkt->side & 1) << 6;
	sign_set(skb, sign);
}

/* For a packet without a flow, what is so unless somebody changes it on its
 * way: NX_SIGN_STRANGER, NX_SIGN_INVALID.  The slot has its tuple and no more.
 */
NX_GLOBAL int handoff_note(struct __sk_buff *skb, const struct nx_pkt *pkt,
			   __u32 what)
{
	__u32 zero = 0, sign = skb->tc_index;
	struct nx_handoff *ring = bpf_map_lookup_elem(&nx_handoff, &zero);
	__u32 at;

	if (!ring || !pkt)
		return 0;
	at = ring->next++ & (NX_HANDOFF_SLOTS - 1);
	ring->slot[at].tuple = pkt->tuple;
	sign_set(skb, sign | NX_SIGN_SEEN | NX_SIGN_SLOT | what | at);
	return 0;
}

/* A packet whose addresses are in no set: no rule of egress is about it, if it
 * is not marked, either.
 */
static __always_inline void handoff_stranger(struct __sk_buff *skb,
					     const struct nx_pkt *pkt)
{
	handoff_note(skb, pkt, NX_SIGN_STRANGER);
}

/* The slot that names the packet, or null. */
static __always_inline struct nx_handoff_slot *
handoff_slot(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	__u32 zero = 0, sign = skb->tc_index;
	struct nx_handoff *ring;
	struct nx_handoff_slot *slot;

	if (!(sign & NX_SIGN_SLOT))
		return NULL;
	ring = bpf_map_lookup_elem(&nx_handoff, &zero);
	if (!ring)
		return NULL;
	slot = &ring->slot[sign & (NX_HANDOFF_SLOTS - 1)];
	return tuple_eq(&slot->tuple, &pkt->tuple) ? slot : NULL;
}

/* The slot of this packet with all that is known of its flow, or null. */
static __always_inline struct nx_handoff_slot *
handoff_find(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	if (skb->tc_index & (NX_SIGN_STRANGER | NX_SIGN_INVALID))
		return NULL;
	return handoff_slot(skb, pkt);
}

/* Whether ingress noted that, and nobody changed the packet since. */
static __always_inline bool handoff_noted(struct __sk_buff *skb,
					  const struct nx_pkt *pkt, __u32 what)
{
	return skb->tc_index & what && handoff_slot(skb, pkt);
}

/* The copy of the configuration that ingress judged the packet by, else the
 * one in force.
 */
static __always_inline __u32 handoff_config_side(struct __sk_buff *skb)
{
	__u32 sign = skb->tc_index;

	return sign & NX_SIGN_SIDE ? sign >> 6 & 1 : config_side();
}
