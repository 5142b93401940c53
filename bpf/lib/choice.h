/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/packet.h"
#include "bpf/lib/service.h"

/* An endpoint for whoever calls a Service: the one that the client has, or any
 * of the list.
 */

/* What became of the choice. */
struct nx_choice {
	struct nx_backend to;
	__u32 index;	 /* in its list */
	__u32 sticky;	 /* the Service port that remembers it for the client */
	__u8 masquerade; /* 1: KUBE-MARK-MASQ */
};

/* Jiffies by which another CPU may have seen a client later than "now", which
 * is no age.
 */
#define NX_LATER 100

/* A client's endpoint, if it has one that is still listed (xt_recent's
 * --rcheck --seconds --reap); 0: it has.
 */
NX_GLOBAL int affinity_find(const struct nx_pkt *pkt,
			    const struct nx_service *service, __u32 list,
			    struct nx_choice *choice)
{
	struct nx_affinity_key key = {};
	struct nx_backend_key at = {};
	struct nx_affinity *affinity;
	bool listed;
	__u32 age;

	if (!pkt || !service || !choice)
		return -1;
	key.client = pkt->tuple.src;
	key.service = service->number;
	affinity = bpf_map_lookup_elem(&nx_affinity, &key);
	if (!affinity)
		return -1;
	age = now_jiffies() - affinity->seen;
	if (age + NX_LATER >= service->affinity + NX_LATER)
		return -1;
	at.service = service->number;
	at.list = list;
	choice->index = affinity->index;
	choice->to.addr = affinity->addr;
	choice->to.port = affinity->port;
	listed = backend_listed(pkt->side, &at, &choice->index,
				list == NX_BACKENDS_LOCAL ? service->local :
							    service->all,
				&choice->to);
	return listed ? 0 : -1;
}

/* From now on the client has this endpoint (xt_recent's --set). */
static __always_inline void affinity_put(const struct nx_addr *client,
					 __u32 number,
					 const struct nx_backend *to,
					 __u32 index)
{
	struct nx_affinity_key key = { .client = *client, .service = number };
	struct nx_affinity entry = { .addr = to->addr,
				     .port = to->port,
				     .index = index,
				     .seen = now_jiffies() };

	bpf_map_update_elem(&nx_affinity, &key, &entry, BPF_ANY);
}

/* Stirs a word into a hash: odd multiplier of 2^64 / golden ratio. */
static __always_inline __u64 hash_stir(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* Of all that tells one flow from another, and the same on every node. */
static __always_inline __u64 flow_hash(const struct nx_tuple *t)
{
	const __u32 *src = (const __u32 *)&t->src;
	const __u32 *dst = (const __u32 *)&t->dst;
	__u64 hash = 0;

	for (int i = 0; i < 4; i += 2) {
		hash = hash_stir(hash, (__u64)src[i] << 32 | src[i + 1]);
		hash = hash_stir(hash, (__u64)dst[i] << 32 | dst[i + 1]);
	}
	return hash_stir(hash, (__u64)t->sport << 32 | (__u64)t->dport << 16 |
				       t->proto);
}

/* The endpoint that a flow's hash asks for: an index of the list, or its
 * length when there is no table.
 */
NX_GLOBAL int table_choose(const struct nx_pkt *pkt, __u32 service, __u32 list,
			   __u32 count)
{
	struct nx_table_key key = {};
	struct nx_table *table;
	__u32 slot;

	if (!pkt)
		return count;
	slot = flow_hash(&pkt->tuple) % NX_TABLE_SLOTS;
	key.service = service;
	key.list = list;
	key.block = slot / NX_TABLE_BLOCK;
	table = table_at(pkt->side, &key);
	return table ? table->index[slot % NX_TABLE_BLOCK] : count;
}

/* One of the list: every one as likely (statistic --mode random), or the one
 * that the flow's hash asks for.
 */
static __always_inline __u32 backend_choose(const struct nx_pkt *pkt,
					    const struct nx_service *service,
					    __u32 list, __u32 count)
{
	__u32 index = count;

	if (service->consistent)
		index = table_choose(pkt, service->number, list, count);
	return index < count ? index : bpf_get_prandom_u32() % count;
}

/* The endpoint that the client has, or one of the list. */
static __always_inline int service_pick(const struct nx_pkt *pkt,
					const struct nx_service *service,
					enum nx_backend_list list, __u32 count,
					struct nx_choice *choice)
{
	struct nx_backend_key key = { .service = service->number,
				      .list = list };
	bool sticks = service->flags & NX_SERVICE_AFFINITY;
	struct nx_backend *backend;

	if (!sticks || affinity_find(pkt, service, list, choice)) {
		choice->index = backend_choose(pkt, service, list, count);
		backend = backend_at(pkt->side, &key, choice->index);
		if (!backend)
			return NX_R_NO_ENDPOINT;
		choice->to = *backend;
	}
	/* Its CRC covers the ports, and all bytes: it cannot be mended. */
	if (pkt->tuple.proto == NX_L4_SCTP &&
	    choice->to.port != pkt->tuple.dport)
		return NX_R_SCTP_PORT;
	choice->sticky = sticks ? service->number : 0;
	if (addr_eq(&choice->to.addr, &pkt->tuple.src))
		choice->masquerade = 1; /* KUBE-SEP: calls itself */
	return NX_R_SERVICE;
}
