/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/decision.h"
#include "bpf/lib/flow_table.h"
#include "bpf/lib/new_flow.h"
#include "bpf/lib/port.h"

/* Write down what egress decided about a new flow.
 *
 *   reads    pkt->tuple (A -> B), ->opens; s->new, s->snat
 *   writes   pkt->reason; s->source: the source it leaves with
 *   maps     nx_embryo (insert, update), nx_port, sockets (lookup)
 *   returns  NX_CONTINUE  the packet gets that source
 *            NX_DROP      no port, no room
 *
 * The reply half first: its key is the resource.  Two CPUs with packets of one
 * new flow both claim a reply key; the original key decides who keeps it, the
 * other gives its key back and uses what the first one wrote.
 */
/* The original half, from the reply half that scratch->alloc claimed. */
static __always_inline long create_original(struct nx_scratch *s)
{
	flow_partner(&s->key, &s->alloc.reply, &s->alloc.entry);
	flow_partner_entry(&s->entry, &s->alloc.reply, &s->alloc.entry);
	if (!s->new.pending)
		return flow_claim(&s->key, &s->entry);

	bpf_map_update_elem(&nx_embryo, &s->key, &s->entry, BPF_ANY);
	if (flow_has_middle(&s->key, &s->entry)) {
		/* Takes the place of ingress' provisional reply half. */
		flow_middle(&s->middle, &s->middle_entry, &s->key, &s->entry);
		bpf_map_update_elem(&nx_embryo, &s->middle, &s->middle_entry,
				    BPF_ANY);
	}
	return 0;
}

/* Keep: the reply half ingress made becomes final, or a new one is claimed. */
static __always_inline long create_kept(const struct nx_new *new,
					const struct nx_tuple *reply,
					const struct nx_flow *half)
{
	struct nx_flow *provisional;

	if (!new->pending)
		return flow_claim(reply, half);
	provisional = bpf_map_lookup_elem(&nx_embryo, reply);
	if (!provisional)
		return flow_claim(reply, half);
	if (!(provisional->flags & NX_FLOW_UNDECIDED) ||
	    !addr_eq(&provisional->src, &half->src) ||
	    provisional->sport != half->sport)
		return -1;
	provisional->flags &= ~(NX_FLOW_UNDECIDED | NX_FLOW_MASQUERADE);
	provisional->why = half->why;
	return 0;
}

/* A pod that calls itself through its floating IP between equal ports, or with
 * a protocol that has none: original and reply are one tuple with one
 * translation, and the original entry is all there is to write.
 */
static __always_inline bool is_its_own_answer(const struct nx_pkt *pkt,
					      const struct nx_scratch *s)
{
	return s->new.pending && s->snat.keep_port &&
	       s->snat.what ==
		       NX_SNAT_TO &&addr_eq(&pkt->tuple.src, &pkt->tuple.dst) &&
	       pkt->tuple.sport == pkt->tuple.dport &&addr_eq(&s->snat.addr,
							      &s->new.called) &&
	       s->new.called_port == pkt->tuple.dport;
}

static __always_inline int create_flow(struct __sk_buff *skb,
				       struct nx_pkt *pkt,
				       const struct nx_config *config,
				       struct nx_scratch *s)
{
	struct nx_alloc *alloc = &s->alloc;
	int refused = 0;

	__builtin_memset(alloc, 0, sizeof(*alloc));
	entry_of(&alloc->entry, pkt, s->snat.why);
	alloc->entry.role = NX_ROLE_REPLY;
	alloc->entry.src = s->new.called;
	alloc->entry.sport = s->new.called_port;
	alloc->entry.dst = pkt->tuple.src;
	alloc->entry.dport = pkt->tuple.sport;
	tuple_swap(&alloc->reply, &pkt->tuple);
	alloc->port = bpf_ntohs(pkt->tuple.sport);

	if (is_its_own_answer(pkt, s)) {
		alloc->reply.dst = s->snat.addr;
		alloc->reply.dport = pkt->tuple.sport;
	} else if (s->snat.what == NX_SNAT_KEEP) {
		/* Taken: a flow from elsewhere uses this tuple's answer.  As
		 * nf_nat's null binding does, move to another port.
		 */
		if (create_kept(&s->new, &alloc->reply, &alloc->entry))
			refused = port_allocate(skb, alloc, config);
	} else {
		alloc->reply.dst = s->snat.addr;
		alloc->keep = s->snat.keep_port;
		alloc->demanded = s->snat.ports;
		refused = port_allocate(skb, alloc, config);
	}
	if (refused)
		return nx_drop(pkt, refused);

	pkt->reason = s->snat.why;
	if (create_original(s)) {
		struct nx_flow *winner;

		flow_erase(&alloc->reply);
		winner = flow_lookup(&s->key);
		if (!winner)
			return nx_drop(pkt, NX_R_NO_ROOM);
		s->source.addr = winner->src;
		s->source.port = winner->sport;
		return NX_CONTINUE;
	}
	s->source.addr = alloc->reply.dst;
	s->source.port = alloc->reply.dport;
	return NX_CONTINUE;
}
