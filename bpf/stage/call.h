/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/in.h>

#include "bpf/lib/choice.h"
#include "bpf/lib/socket.h"

/* A process calls a Service: its socket calls an endpoint instead, and hears
 * it by the Service's address.  Stands for KUBE-SERVICES in nat OUTPUT, and
 * for what the filter table refuses there (facts/kube-proxy-calico.md 1.1).
 * Before the kernel routes: the source address is the one that the way to the
 * endpoint has, and nothing is masqueraded (docs/adr/0011).
 *
 *   reads    ctx: the address and port called, the protocol, the namespace
 *   writes   ctx: the endpoint's; what connect(2) or sendto(2) returns
 *   maps     nx_config, nx_service, nx_backend, nx_local (lookup), nx_affinity,
 *            nx_socket (lookup, update), nx_count
 *   returns  false when it is refused
 *
 * Concurrent: a socket connects under its lock.  Two threads that send by one
 * socket may choose two endpoints for its first two datagrams; both are heard.
 * These hooks may be interrupted by the others, so the per-CPU scratch is not
 * theirs.
 */

/* A call on its way through the stage. */
struct nx_call {
	__u64 cookie; /* the socket's */
	__u64 netns;  /* its namespace's */
	struct nx_addr to;
	__be16 port;
	enum nx_l4 proto;
	__u8 v6;
	__u8 kept; /* 1: datagrams of one socket go to one endpoint */
	__u8 node; /* 1: the socket is the node's own */
	struct nx_backend endpoint; /* port 0: none yet */
	__u32 generation;	    /* of the configuration that judges it */
};

static __always_inline enum nx_l4 call_proto(struct bpf_sock_addr *ctx)
{
	switch (ctx->protocol) {
	case IPPROTO_TCP:
		return NX_L4_TCP;
	case IPPROTO_UDP:
		return NX_L4_UDP;
	default:
		return 0;
	}
}

/* The node's processes are one client, and those of each pod: which address
 * they will call from is not known yet.  The cookie stands where no client's
 * address has anything (::/64).
 */
static __always_inline void call_client(struct nx_addr *client, __u64 netns)
{
	__u32 *word = (__u32 *)client;

	word[0] = 0;
	word[1] = 0;
	word[2] = (__u32)netns;
	word[3] = (__u32)(netns >> 32);
}

/* As service_of(), and NodePorts at 127.0.0.1 for the node's own processes. */
static __always_inline struct nx_service *
called_service(const struct nx_config *config, const struct nx_pkt *pkt,
	       bool node)
{
	if (node && !pkt->v6 && config->node_ports &&
	    config->localhost_node_ports &&
	    is_loopback(&pkt->tuple.dst, pkt->v6))
		return node_port_of(pkt->side, &pkt->tuple, pkt->v6);
	return service_of(pkt->side, config, &pkt->tuple, pkt->v6);
}

/* Gives the call an endpoint, the one that it had if that is listed still: as
 * service_choose() does for a source that is the node's own or a pod's.
 * Returns enum nx_reason.
 */
NX_GLOBAL int call_choose(struct nx_call *call)
{
	enum nx_backend_list list = NX_BACKENDS_ALL;
	struct nx_backend_key at = {};
	struct nx_choice choice = {};
	struct nx_service *service;
	struct nx_config *config;
	struct nx_pkt pkt = {};
	__u32 count, flags;
	int why;

	if (!call)
		return NX_R_NOT_OURS;
	pkt.side = call->generation & 1;
	config = config_of(pkt.side);
	if (!config)
		return NX_R_NOT_OURS;
	call_client(&pkt.tuple.src, call->netns);
	pkt.tuple.dst = call->to;
	pkt.tuple.dport = call->port;
	pkt.tuple.proto = call->proto;
	pkt.v6 = call->v6;
	service = called_service(config, &pkt, call->node);
	if (!service)
		return NX_R_NOT_OURS;
	flags = service->flags;
	if (flags & NX_SERVICE_SOURCES) {
		/* By a pod's address, which is known on the wire. */
		if (!call->node)
			return NX_R_NOT_OURS;
		if (!(flags & NX_SERVICE_NODE_MAY))
			return NX_R_SOURCE_RANGE;
	}
	if (flags & NX_SERVICE_LOCAL && !(flags & NX_SERVICE_EXTERNAL))
		list = NX_BACKENDS_LOCAL;
	count = list == NX_BACKENDS_LOCAL ? service->local : service->all;
	if (!count)
		return flags & NX_SERVICE_ELSEWHERE ? NX_R_NO_LOCAL_ENDPOINT :
						      NX_R_NO_ENDPOINT;
	at.service = service->number;
	at.list = list;
	choice.to = call->endpoint;
	if (choice.to.port && backend_listed(pkt.side, &at, count, &choice.to))
		return NX_R_SERVICE;
	why = service_pick(&pkt, service, list, count, &choice);
	if (why != NX_R_SERVICE)
		return why;
	call->endpoint = choice.to;
	if (choice.sticky)
		affinity_put(&pkt.tuple.src, choice.sticky, &choice.to,
			     choice.index);
	return why;
}

static __always_inline void call_key(struct nx_socket_key *key,
				     const struct nx_call *call,
				     enum nx_socket_way way)
{
	key->cookie = call->cookie;
	key->way = way;
	key->addr = way == NX_SOCKET_CALLS ? call->to : call->endpoint.addr;
	key->port = way == NX_SOCKET_CALLS ? call->port : call->endpoint.port;
}

/* Whether the socket hears the call's endpoint by the address it calls.  Not
 * so when it has called the same endpoint by another one since, or the entry
 * had to make room.
 */
static __always_inline bool call_heard(const struct nx_call *call)
{
	struct nx_socket_key key = {};
	struct nx_socket *heard;

	call_key(&key, call, NX_SOCKET_HEARS);
	heard = bpf_map_lookup_elem(&nx_socket, &key);
	return heard && addr_eq(&heard->addr, &call->to) &&
	       heard->port == call->port;
}

/* The endpoint that the socket's datagrams had, if it was lately: 0 when that
 * was under the same configuration, so that nothing needs to be asked.
 */
NX_GLOBAL int call_recall(struct nx_call *call)
{
	struct nx_socket_key key = {};
	struct nx_socket *known;
	struct nx_config *config;

	if (!call)
		return -1;
	call_key(&key, call, NX_SOCKET_CALLS);
	known = bpf_map_lookup_elem(&nx_socket, &key);
	config = config_of(call->generation & 1);
	if (!known || !config ||
	    now_jiffies() - known->seen >= config->timeout[NX_STATE_UDP])
		return -1;
	call->endpoint.addr = known->addr;
	call->endpoint.port = known->port;
	if (known->generation != call->generation)
		return -1;
	known->seen = now_jiffies();
	return call_heard(call) ? 0 : -1;
}

/* What the socket calls, and what it hears. */
NX_GLOBAL int call_remember(const struct nx_call *call)
{
	struct nx_socket_key key = {};
	struct nx_socket entry = {};

	if (!call)
		return 0;
	entry.generation = call->generation;
	entry.seen = now_jiffies();
	entry.addr = call->to;
	entry.port = call->port;
	call_key(&key, call, NX_SOCKET_HEARS);
	bpf_map_update_elem(&nx_socket, &key, &entry, BPF_ANY);
	if (!call->kept)
		return 0;
	entry.addr = call->endpoint.addr;
	entry.port = call->endpoint.port;
	call_key(&key, call, NX_SOCKET_CALLS);
	bpf_map_update_elem(&nx_socket, &key, &entry, BPF_ANY);
	return 0;
}

/* A refusal, counted: the caller learns at once what its packets would have
 * met, ECONNREFUSED for REJECT and else EPERM, as of what OUTPUT drops.
 */
static __always_inline bool call_refuse(__u32 why)
{
	struct nx_count *count = bpf_map_lookup_elem(&nx_count, &why);

	if (count)
		__sync_fetch_and_add(&count->packets, 1);
	if (why == NX_R_NO_ENDPOINT)
		bpf_set_retval(-NX_ECONNREFUSED);
	return false;
}

static __always_inline bool stage_call(struct bpf_sock_addr *ctx,
				       struct nx_call *call)
{
	struct nx_config *config;
	int why;

	call->generation = config_generation();
	call->netns = bpf_get_netns_cookie(ctx);
	call->node = call->netns == nx_netns_cookie;
	call->proto = call_proto(ctx);
	config = config_of(call->generation & 1);
	if (!config || !call->proto || config->sockets == NX_SOCKETS_NONE ||
	    (!call->node && config->sockets != NX_SOCKETS_ALL))
		return true;
	call->cookie = bpf_get_socket_cookie(ctx);
	if (!call->kept || call_recall(call)) {
		why = call_choose(call);
		if (why == NX_R_NOT_OURS)
			return true;
		if (why != NX_R_SERVICE)
			return call_refuse(why);
		call_remember(call);
	}
	call->to = call->endpoint.addr;
	call->port = call->endpoint.port;
	return true;
}

/* The address by which the socket knows an endpoint: false when it is none. */
static __always_inline bool stage_hear(struct bpf_sock_addr *ctx,
				       struct nx_call *call)
{
	struct nx_socket_key key = { .cookie = bpf_get_socket_cookie(ctx),
				     .addr = call->to,
				     .port = call->port,
				     .way = NX_SOCKET_HEARS };
	struct nx_socket *known = bpf_map_lookup_elem(&nx_socket, &key);

	if (!known)
		return false;
	call->to = known->addr;
	call->port = known->port;
	return true;
}
