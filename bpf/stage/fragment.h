/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* Teach the ports of a first fragment, tell them to the later ones; at egress
 * its mark, too.
 *
 *   reads    pkt->frag, ->frag_id, ->tuple
 *   writes   pkt->tuple.sport, .dport, ->ports_known, ->opens; skb->mark
 *   maps     nx_frag (lookup, update)
 *   returns  NX_CONTINUE  always
 *
 * Addresses and identification are those at this hook, so each hook learns
 * for itself.  Two CPUs with fragments of one datagram: the later one may come
 * first and then finds nothing; nobody waits for it.  An identification may be
 * used again while its entry lives: the newest first fragment wins.
 */
#define NX_FRAG_SECONDS 30 /* net.ipv4.ipfrag_time */

static __always_inline void fragment_key(const struct nx_pkt *pkt,
					 struct nx_frag_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = pkt->tuple.src;
	key->dst = pkt->tuple.dst;
	key->id = pkt->frag_id;
	key->proto = pkt->tuple.proto;
}

NX_GLOBAL int fragment_ports(struct nx_pkt *pkt)
{
	struct nx_frag_key key;
	struct nx_frag *known;

	if (!pkt)
		return 0;
	fragment_key(pkt, &key);
	if (pkt->frag == NX_FRAG_FIRST) {
		struct nx_frag ports = {
			.sport = pkt->tuple.sport,
			.dport = pkt->tuple.dport,
			.seen = now_jiffies(),
		};

		bpf_map_update_elem(&nx_frag, &key, &ports, BPF_ANY);
		return 0;
	}
	known = bpf_map_lookup_elem(&nx_frag, &key);
	if (known) {
		struct nx_config *config = config_of(config_side());

		if (config &&
		    now_jiffies() - known->seen > NX_FRAG_SECONDS * config->hz)
			return 0;
		pkt->tuple.sport = known->sport;
		pkt->tuple.dport = known->dport;
		pkt->ports_known = 1;
	}
	return 0;
}

static __always_inline enum nx_verdict stage_fragment(struct nx_pkt *pkt)
{
	if (pkt->frag != NX_WHOLE && !pkt->error && !pkt->ext_overflow)
		fragment_ports(pkt);
	return NX_CONTINUE;
}

/* What the rules did to the mark of a first fragment, netfilter did to the
 * datagram put together, and the kernel copied it to all that it cut it into.
 */
NX_GLOBAL int fragment_mark(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct nx_frag_key key;
	struct nx_frag *known;

	if (!pkt)
		return 0;
	fragment_key(pkt, &key);
	known = bpf_map_lookup_elem(&nx_frag, &key);
	if (!known)
		return 0;
	if (pkt->frag == NX_FRAG_FIRST)
		known->mark = skb->mark;
	else if (pkt->ports_known) /* the entry is of this datagram */
		skb->mark = known->mark;
	return 0;
}

static __always_inline void stage_fragment_mark(struct __sk_buff *skb,
						const struct nx_pkt *pkt)
{
	if (pkt->frag != NX_WHOLE && !pkt->error && !pkt->ext_overflow)
		fragment_mark(skb, pkt);
}
