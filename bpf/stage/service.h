/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/choice.h"
#include "bpf/lib/decision.h"
#include "bpf/lib/detect.h"
#include "bpf/lib/dnat.h"
#include "bpf/lib/host_port.h"

/* Services: a new flow to one of their addresses goes to an endpoint, as
 * kube-proxy's nat chains have it from KUBE-SERVICES to KUBE-SEP, and its
 * filter chains where they leave it without one (facts/kube-proxy-calico.md
 * 1.2).  And host ports to their containers (3.1, 3.2).
 *
 *   reads    pkt->tuple, ->side, ->opens; membership of the source
 *   writes   pkt->reason; KUBE-MARK-MASQ's wish, or CNI-HOSTPORT-SETMARK's,
 *            into the entry
 *   maps     nx_config, nx_service, nx_backend, nx_source, nx_device,
 *            nx_local (lookup), nx_affinity (lookup, update), nx_embryo
 *            (insert)
 *   returns  the new flow's original entry, in pkt->reason NX_R_SERVICE or
 *            NX_R_HOST_PORT; or null and there
 *            NX_R_NOT_OURS           not a Service's
 *            NX_R_NO_ENDPOINT        to be refused
 *            NX_R_NO_LOCAL_ENDPOINT, NX_R_SOURCE_RANGE, NX_R_SCTP_PORT,
 *            NX_R_NO_ROOM, NX_R_CLASH
 *                                    to be dropped
 *
 * Two CPUs with first packets of one flow may choose different endpoints: the
 * entry that is claimed first decides for both.
 */

/* The client has the endpoint that its flow has, whoever claimed that; of
 * another one the index is wrong, and costs a search.
 */
NX_GLOBAL int affinity_set(const struct nx_pkt *pkt, const struct nx_flow *flow,
			   __u32 number, __u32 index)
{
	struct nx_backend to = {};

	if (!pkt || !flow)
		return 0;
	to.addr = flow->dst;
	to.port = flow->dport;
	affinity_put(&pkt->tuple.src, number, &to, index);
	return 0;
}

/* Which endpoint: enum nx_reason, as stage_service() has it. */
NX_GLOBAL int service_choose(struct __sk_buff *skb, const struct nx_pkt *pkt,
			     __u32 from_cluster, struct nx_choice *choice)
{
	enum nx_backend_list list = NX_BACKENDS_ALL;
	struct nx_service *service;
	struct nx_config *config;
	struct nx_addr src;
	__u32 count, flags;
	bool own;

	if (!pkt || !choice)
		return NX_R_NOT_OURS;
	choice->masquerade = 0;
	config = config_of(pkt->side);
	if (!config)
		return NX_R_NOT_OURS;
	service = service_of(pkt->side, config, &pkt->tuple, pkt->v6);
	if (!service)
		return NX_R_NOT_OURS;
	flags = service->flags;
	if (flags & NX_SERVICE_HOST_PORT)
		return host_port_choose(pkt, service, skb->ifindex, choice);
	if (!service->all && !service->local && !(flags & NX_SERVICE_ELSEWHERE))
		return NX_R_NO_ENDPOINT;
	src = pkt->tuple.src;
	if (flags & NX_SERVICE_SOURCES &&
	    !source_may_call(pkt->side, service->number, &src))
		return NX_R_SOURCE_RANGE;

	own = is_clusters_own(skb, config, from_cluster, pkt->side);
	if (!(flags & NX_SERVICE_EXTERNAL)) { /* KUBE-SVC, KUBE-SVL */
		if (flags & NX_SERVICE_LOCAL)
			list = NX_BACKENDS_LOCAL;
		choice->masquerade = config->masquerade_all ||
				     (config->detect != NX_DETECT_NONE && !own);
	} else if (!(flags & NX_SERVICE_LOCAL)) { /* KUBE-EXT */
		choice->masquerade = 1;
	} else if (bpf_map_lookup_elem(&nx_local, &src)) {
		choice->masquerade = !own;
	} else if (!own) {
		list = NX_BACKENDS_LOCAL;
	}
	count = list == NX_BACKENDS_LOCAL ? service->local : service->all;
	if (!count)
		return flags & NX_SERVICE_ELSEWHERE ? NX_R_NO_LOCAL_ENDPOINT :
						      NX_R_NO_ENDPOINT;
	return service_pick(pkt, service, list, count, choice);
}

static __always_inline bool service_found(int why)
{
	return why == NX_R_SERVICE || why == NX_R_HOST_PORT;
}

/* Chooses, and writes the entry into the scratch: enum nx_reason.  The entry
 * remembers every wish for masquerade, OVN-PREROUTING's too: if this packet
 * dies on its way, the next one finds the flow undecided.
 */
NX_GLOBAL int service_new(struct __sk_buff *skb, const struct nx_pkt *pkt,
			  __u32 from_cluster)
{
	struct nx_choice choice = {};
	struct nx_scratch *s = scratch();
	struct nx_config *config;
	int why;

	if (!pkt || !s)
		return NX_R_NOT_OURS;
	why = service_choose(skb, pkt, from_cluster, &choice);
	config = config_of(pkt->side);
	if (!service_found(why) || !config)
		return why;
	entry_of(&s->entry, pkt, why);
	s->entry.dst = choice.to.addr;
	s->entry.dport = choice.to.port;
	if (choice.masquerade ||
	    (why == NX_R_SERVICE && skb->mark & config->mark_masquerade))
		s->entry.flags = NX_FLOW_MASQUERADE;
	s->sticky = choice.sticky;
	s->sticky_index = choice.index;
	return why;
}

/* What would become of a packet that has no flow and gets none. */
static __always_inline enum nx_reason
service_ask(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_net from)
{
	struct nx_config *config = config_of(pkt->side);

	return config && config->services ?
		       service_new(skb, pkt, from.cluster) :
		       NX_R_NOT_OURS;
}

static __always_inline struct nx_flow *
stage_service(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_net from)
{
	enum nx_reason why = service_ask(skb, pkt, from);
	struct nx_scratch *s = scratch();
	struct nx_flow *flow;

	if (why == NX_R_NOT_OURS)
		return NULL;
	pkt->reason = why;
	if (!service_found(why) || !s)
		return NULL;
	flow = dnat_claim(pkt, &s->entry);
	if (!flow)
		return NULL;
	pkt->reason = why;
	if (s->sticky)
		affinity_set(pkt, flow, s->sticky, s->sticky_index);
	return flow;
}
