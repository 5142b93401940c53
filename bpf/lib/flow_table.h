/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/clock_ring.h"
#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* The only code that inserts into and deletes from nx_flow and nx_embryo, but
 * for natrixd, which deletes UDP flows to endpoints that are gone.
 *
 * A flow is two entries (three if it changes both addresses; see enum
 * nx_role).  Each entry is all one needs to name the others:
 * partner = translate, then swap.  The keys of both tables are one name space:
 * a tuple is in at most one of them, but for the moment in which
 * flow_establish() moves it.
 *
 * All functions here are for the first packets of a flow and for its end; the
 * packets between touch one entry and nothing else (bpf/stage/flow.h).
 */

/* Key of the other half: what an answer to the translated packet looks like. */
static __always_inline void flow_partner(struct nx_tuple *to,
					 const struct nx_tuple *key,
					 const struct nx_flow *flow)
{
	to->src = flow->dst;
	to->dst = flow->src;
	to->sport = flow->dport;
	to->dport = flow->sport;
	to->proto = key->proto;
	__builtin_memset(to->pad, 0, sizeof(to->pad));
}

/* The other half's entry; `to` may be `flow`. */
static __always_inline void flow_partner_entry(struct nx_flow *to,
					       const struct nx_tuple *key,
					       const struct nx_flow *flow)
{
	*to = *flow;
	to->src = key->dst;
	to->dst = key->src;
	to->sport = key->dport;
	to->dport = key->sport;
	to->subnets = (struct nx_flow_subnets){}; /* the other way round */
	to->flags &= ~NX_FLOW_RESET_LAST;
	to->role = flow->role == NX_ROLE_ORIGINAL ? NX_ROLE_REPLY :
						    NX_ROLE_ORIGINAL;
}

/* Whether `half` is the other half of the original entry `flow` of `key`. */
static __always_inline bool flow_points_back(const struct nx_flow *half,
					     const struct nx_tuple *key)
{
	return half->role == NX_ROLE_REPLY && addr_eq(&half->dst, &key->src) &&
	       addr_eq(&half->src, &key->dst) && half->dport == key->sport &&
	       half->sport == key->dport;
}

/* Both addresses (or ports) of the flow change, so that between ingress and
 * egress neither direction looks like a key of the pair.  `key` and `flow` of
 * either half.
 */
static __always_inline bool flow_has_middle(const struct nx_tuple *key,
					    const struct nx_flow *flow)
{
	return (!addr_eq(&key->src, &flow->src) || key->sport != flow->sport) &&
	       (!addr_eq(&key->dst, &flow->dst) || key->dport != flow->dport);
}

/* Middle entry of a flow, from its original half: B -> A becomes V -> N. */
static __always_inline void flow_middle(struct nx_tuple *to,
					struct nx_flow *entry,
					const struct nx_tuple *key,
					const struct nx_flow *flow)
{
	to->src = flow->dst;
	to->sport = flow->dport;
	to->dst = key->src;
	to->dport = key->sport;
	to->proto = key->proto;
	__builtin_memset(to->pad, 0, sizeof(to->pad));
	*entry = *flow;
	entry->src = key->dst;
	entry->sport = key->dport;
	entry->dst = flow->src;
	entry->dport = flow->sport;
	entry->role = NX_ROLE_MIDDLE;
	entry->flags = 0;
}

/* The entry of `key` when it is not in nx_flow, or was not a moment ago.
 *
 * Established flows are asked once more: flow_establish() on another CPU may
 * have moved the entry between the caller's look there and ours here, and an
 * answer taken for a stranger would be reset by this node's own stack.
 */
static __always_inline struct nx_flow *
flow_lookup_other(const struct nx_tuple *key)
{
	struct nx_flow *flow = bpf_map_lookup_elem(&nx_embryo, key);

	return flow ? flow : bpf_map_lookup_elem(&nx_flow, key);
}

static __always_inline struct nx_flow *flow_lookup(const struct nx_tuple *key)
{
	struct nx_flow *flow = bpf_map_lookup_elem(&nx_flow, key);

	return flow ? flow : flow_lookup_other(key);
}

/* Longer silent than its state allows. */
static __always_inline bool flow_silent(const struct nx_flow *flow,
					const struct nx_config *config)
{
	__u32 state = flow->state;

	return state < NX_STATE_COUNT &&
	       now_jiffies() - flow->seen > config->timeout[state];
}

static __always_inline void flow_erase(const struct nx_tuple *key)
{
	bpf_map_delete_elem(&nx_flow, key);
	bpf_map_delete_elem(&nx_embryo, key);
}

/* Deletes all entries of a flow, given either half.  The entry may be freed
 * under us by another CPU; its memory stays readable until we return (RCU),
 * and a torn read only names a key that does not exist.
 */
NX_GLOBAL int flow_forget(const struct nx_tuple *key,
			  const struct nx_flow *flow)
{
	struct nx_tuple other;

	if (!key || !flow)
		return 0;
	flow_partner(&other, key, flow);
	flow_erase(&other);
	if (flow_has_middle(key, flow)) {
		struct nx_tuple middle = other;

		/* original: B -> A; reply: B is the key's source. */
		if (flow->role == NX_ROLE_ORIGINAL) {
			middle.dst = key->src;
			middle.dport = key->sport;
		} else {
			middle.src = key->src;
			middle.sport = key->sport;
			middle.dst = flow->dst;
			middle.dport = flow->dport;
		}
		flow_erase(&middle);
	}
	other = *key;
	flow_erase(&other);
	return 0;
}

/* Whether both halves have been silent for too long.  The lookup of the other
 * half happens only when this one is old.
 */
NX_GLOBAL int flow_expired(const struct nx_tuple *key,
			   const struct nx_flow *flow)
{
	struct nx_config *config = config_of(config_side());
	struct nx_tuple other;
	struct nx_flow *half;

	if (!key || !flow || !config || !flow_silent(flow, config))
		return 0;
	if (flow->role == NX_ROLE_MIDDLE)
		return 0; /* goes with the pair */
	flow_partner(&other, key, flow);
	half = flow_lookup(&other);
	return !half || flow_silent(half, config);
}

/* Adds an entry to the embryos if its key is free in both tables.  0, or
 * negative when it is taken.
 *
 * The order matters: flow_establish() writes nx_flow before it deletes from
 * nx_embryo, so a key that leaves nx_embryo under us is seen in nx_flow.
 */
static __always_inline long embryo_claim(const struct nx_tuple *key,
					 const struct nx_flow *entry)
{
	long err = bpf_map_update_elem(&nx_embryo, key, entry, BPF_NOEXIST);

	if (err)
		return err;
	if (bpf_map_lookup_elem(&nx_flow, key)) {
		bpf_map_delete_elem(&nx_embryo, key);
		return -1;
	}
	return 0;
}

/* embryo_claim(), after clearing away an expired flow that holds the key. */
NX_GLOBAL int flow_claim(const struct nx_tuple *wanted,
			 const struct nx_flow *value)
{
	struct nx_tuple key;
	struct nx_flow entry;
	struct nx_flow *old;

	if (!wanted || !value)
		return -1;
	key = *wanted;
	entry = *value;
	if (!embryo_claim(&key, &entry))
		return 0;
	old = flow_lookup(&key);
	if (old && flow_expired(&key, old)) {
		flow_forget(&key, old);
		return embryo_claim(&key, &entry);
	}
	return -1;
}

/* Working memory of flow_establish() and flow_establish_middle(), for want of
 * stack.  Hooks run with bottom halves off: nothing on this CPU can come
 * between.
 */
struct nx_move {
	struct nx_tuple mine;
	struct nx_tuple other;
	struct nx_established entry;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_move);
} nx_move SEC(".maps");

/* The middle entry of a flow that has one, from either half. */
NX_GLOBAL int flow_establish_middle(const struct nx_tuple *key,
				    const struct nx_flow *flow)
{
	__u32 zero = 0;
	struct nx_move *m = bpf_map_lookup_elem(&nx_move, &zero);

	if (!key || !flow || !m)
		return 0;
	__builtin_memset(&m->entry.way, 0, sizeof(m->entry.way));
	if (flow->role == NX_ROLE_ORIGINAL) {
		flow_middle(&m->mine, &m->entry.flow, key, flow);
	} else {
		struct nx_flow half;

		flow_partner(&m->other, key, flow);
		flow_partner_entry(&half, key, flow);
		flow_middle(&m->mine, &m->entry.flow, &m->other, &half);
	}
	bpf_map_update_elem(&nx_flow, &m->mine, &m->entry, BPF_NOEXIST);
	bpf_map_delete_elem(&nx_embryo, &m->mine);
	return 0;
}

/* Moves a flow from the embryos to the established, given either half (of
 * which the key and a copy of the entry are the caller's).  When nx_flow is
 * full the flow stays where it is, and may be pushed out by newer ones.
 * 1: moved.
 *
 * Two CPUs at once: BPF_NOEXIST lets one of them win each entry, and both
 * write the same values.
 */
NX_GLOBAL int flow_establish(const struct nx_tuple *key,
			     const struct nx_flow *flow)
{
	__u32 zero = 0;
	struct nx_move *m = bpf_map_lookup_elem(&nx_move, &zero);
	long err;

	if (!key || !flow || !m)
		return 0;
	m->mine = *key;
	m->entry.flow = *flow;
	__builtin_memset(&m->entry.way, 0, sizeof(m->entry.way));
	if (bpf_map_update_elem(&nx_flow, &m->mine, &m->entry, BPF_NOEXIST))
		return 0;
	flow_partner(&m->other, key, flow);
	flow_partner_entry(&m->entry.flow, key, flow);
	err = bpf_map_update_elem(&nx_flow, &m->other, &m->entry, BPF_NOEXIST);
	if (err && err != -17 /* EEXIST */) {
		bpf_map_delete_elem(&nx_flow, &m->mine);
		return 0;
	}
	bpf_map_delete_elem(&nx_embryo, &m->mine);
	bpf_map_delete_elem(&nx_embryo, &m->other);
	clock_add(flow->role == NX_ROLE_ORIGINAL ? &m->mine : &m->other,
		  m->entry.flow.born);
	return 1;
}
