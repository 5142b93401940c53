/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/flow_table.h"
#include "bpf/lib/tcp.h"

/* Find the flow of a packet and note that it was seen.
 *
 *   reads    key, which is pkt->tuple or a copy of it on the caller's stack;
 *            pkt->tcp_flags, ->error, ->ports_known
 *   writes   nothing of pkt
 *   maps     nx_flow (lookup, seen and state in place); nx_embryo likewise,
 *            and its end or promotion through lib/flow_table.h
 *   returns  the entry of key, or null: no live flow has it.  flow_known(): the
 *            same with its way if it is one of nx_flow, expired or not
 *
 * An established packet costs one lookup and, when the jiffy changed, one
 * store.  Two CPUs may store `seen` and `state` of one entry at a time: both
 * values are recent, and a lost state change is made good by the next segment.
 * A packet of an ICMP error refreshes nothing.
 */

/* Ages below this cannot be an expiry: the shortest timeout that the
 * configuration accepts is one second, and HZ is at least 100.
 */
#define NX_FRESH_JIFFIES 100

/* TCP: state of both halves after a segment.  1: the segment opens a new
 * connection under an old name, the old flow is gone.
 */
NX_GLOBAL int flow_step(const struct nx_pkt *pkt, struct nx_flow *flow)
{
	enum nx_state next;
	struct nx_tuple other;
	struct nx_flow *half;
	__u8 over = 0;
	bool reset;

	if (!pkt || !flow)
		return 0;
	if (tcp_reopens(flow, pkt->tcp_flags)) {
		flow_forget(&pkt->tuple, flow);
		return 1;
	}
	reset = pkt->tcp_flags & NX_TCP_RST;
	next = tcp_next(flow->state, pkt->tcp_flags,
			flow->role == NX_ROLE_REPLY);
	if (next == flow->state && next != NX_STATE_TCP_CLOSE)
		return 0;
	/* An RST before any answer leaves nothing that a SYN could go on with
	 * (nf_conntrack deletes such a flow).
	 */
	if (next == NX_STATE_TCP_FIN_WAIT ||
	    (reset && tcp_unanswered(flow->state)))
		over = NX_FLOW_FIN_SEEN;
	flow_partner(&other, &pkt->tuple, flow);
	half = flow_lookup(&other);
	flow->state = next;
	flow->flags &= ~NX_FLOW_RESET_LAST;
	flow->flags |= over | (reset ? NX_FLOW_RESET_LAST : 0);
	if (half) {
		half->state = next;
		half->flags &= ~NX_FLOW_RESET_LAST;
		half->flags |= over;
	}
	return 0;
}

/* The reply half of an embryo, made again if the LRU dropped it.  False: its
 * key is another flow's by now.
 */
NX_GLOBAL int embryo_mend(const struct nx_tuple *key,
			  const struct nx_flow *flow)
{
	struct nx_tuple other;
	struct nx_flow entry;
	struct nx_flow *half;

	if (!key || !flow)
		return 0;
	flow_partner(&other, key, flow);
	half = flow_lookup(&other);
	if (!half) {
		flow_partner_entry(&entry, key, flow);
		if (!embryo_claim(&other, &entry))
			return 1;
		/* dnat_claim() on another CPU was about to write it. */
		half = flow_lookup(&other);
	}
	return half && flow_points_back(half, key);
}

/* Whether an embryo has grown up with this packet. */
static __always_inline bool embryo_is_grown(const struct nx_flow *flow)
{
	if (flow->flags & NX_FLOW_UNDECIDED)
		return false;
	switch (flow->state) {
	case NX_STATE_TCP_SYN_SENT:
	case NX_STATE_TCP_SYN_SENT2:
	case NX_STATE_TCP_SYN_RECV:
	case NX_STATE_TCP_UNREPLIED:
		return false;
	case NX_STATE_TCP_ESTABLISHED:
	case NX_STATE_TCP_FIN_WAIT:
	case NX_STATE_TCP_CLOSE_WAIT:
	case NX_STATE_TCP_LAST_ACK:
	case NX_STATE_TCP_TIME_WAIT:
		return true;
	case NX_STATE_TCP_CLOSE:
		return false;
	default:
		return flow->role == NX_ROLE_REPLY;
	}
}

static __noinline struct nx_flow *embryo_find(const struct nx_pkt *pkt,
					      const struct nx_tuple *key)
{
	struct nx_flow *flow, copy;

	flow = bpf_map_lookup_elem(&nx_embryo, key);
	if (!flow) /* moved under us, or none: see flow_lookup_other() */
		return bpf_map_lookup_elem(&nx_flow, key);
	if (flow_expired(key, flow)) {
		flow_forget(key, flow);
		return NULL;
	}
	if (pkt->error || flow->role == NX_ROLE_MIDDLE)
		return flow;
	flow->seen = now_jiffies();
	if (pkt->tcp_flags && flow_step(pkt, flow))
		return NULL;
	if (flow->role == NX_ROLE_REPLY && flow->state == NX_STATE_SCTP)
		flow->state = NX_STATE_SCTP_ESTABLISHED;
	copy = *flow;
	if (copy.role == NX_ROLE_ORIGINAL && !embryo_mend(key, &copy)) {
		bpf_map_delete_elem(&nx_embryo, key);
		return NULL;
	}
	if (embryo_is_grown(&copy) && flow_establish(key, &copy) &&
	    flow_has_middle(key, &copy))
		flow_establish_middle(key, &copy);
	return flow_lookup(key);
}

/* UDP that is still active two seconds after it began is a stream. */
NX_GLOBAL int flow_stream(struct nx_flow *flow)
{
	struct nx_config *config = config_of(config_side());

	if (flow && config && now_jiffies() - flow->born > 2 * config->hz)
		flow->state = NX_STATE_UDP_STREAM;
	return 0;
}

/* Before anything is noted. */
static __always_inline struct nx_established *
flow_known(const struct nx_pkt *pkt, const struct nx_tuple *key)
{
	if (!pkt->ports_known || pkt->ext_overflow)
		return NULL;
	return bpf_map_lookup_elem(&nx_flow, key);
}

static __always_inline struct nx_flow *stage_flow(const struct nx_pkt *pkt,
						  const struct nx_tuple *key,
						  struct nx_established *known)
{
	struct nx_flow *flow = (struct nx_flow *)known;
	__u32 now, age;

	if (!pkt->ports_known || pkt->ext_overflow)
		return NULL;
	if (!flow)
		return embryo_find(pkt, key);

	now = now_jiffies();
	age = now - flow->seen;
	if (age > NX_FRESH_JIFFIES && flow_expired(key, flow)) {
		flow_forget(key, flow);
		return NULL;
	}
	if (pkt->error || flow->role == NX_ROLE_MIDDLE)
		return flow;
	if (age)
		flow->seen = now;
	if (pkt->tcp_flags) {
		if ((flow->state != NX_STATE_TCP_ESTABLISHED ||
		     pkt->tcp_flags & (NX_TCP_SYN | NX_TCP_FIN | NX_TCP_RST)) &&
		    flow_step(pkt, flow))
			return NULL;
	} else if (flow->state == NX_STATE_UDP) {
		flow_stream(flow);
	}
	return flow;
}
