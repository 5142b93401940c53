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
	at.index = affinity->index;
	choice->to.addr = affinity->addr;
	choice->to.port = affinity->port;
	listed = backend_listed(pkt->side, &at,
				list == NX_BACKENDS_LOCAL ? service->local :
							    service->all,
				&choice->to);
	choice->index = at.index;
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

/* One of the list, every one as likely (statistic --mode random). */
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
		key.index = bpf_get_prandom_u32() % count;
		backend = backend_at(pkt->side, &key);
		if (!backend)
			return NX_R_NO_ENDPOINT;
		choice->to = *backend;
		choice->index = key.index;
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
