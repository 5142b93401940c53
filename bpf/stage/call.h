/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>
#include <linux/in.h>

#include "bpf/lib/call.h"
#include "bpf/lib/choice.h"
#include "bpf/lib/fip.h"

/* A process calls a Service: its socket calls an endpoint instead, and hears
 * it by the Service's address.  So with a floating IP and its pod.  Stands for
 * cali-fip-dnat and KUBE-SERVICES in nat OUTPUT, and for what filter OUTPUT
 * and INPUT refuse (facts/kube-proxy-calico.md 1.1, 2.1).
 * Before the kernel routes: the source address is the one that the way to the
 * endpoint has, and nothing is masqueraded (docs/adr/0011).
 *
 *   reads    ctx: the address and port called, the protocol, the namespace
 *   writes   ctx: the endpoint's; what connect(2) or sendto(2) returns
 *   maps     nx_config, nx_fip, nx_service, nx_backend, nx_local (lookup),
 *            nx_affinity, nx_socket, nx_peer (lookup, update), nx_count
 *   returns  false when it is refused
 *
 * Concurrent: the kernel holds the socket's lock.  These hooks may be
 * interrupted by those of packets, so the per-CPU scratch is not theirs.
 */

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
 * they will call from is not known yet.  The namespace's cookie in an address
 * of ::/64, where no other client is but IPv4's, which no cookie looks like.
 */
static __always_inline void call_client(struct nx_addr *client, __u64 netns)
{
	__u32 *word = (__u32 *)client;

	word[0] = 0;
	word[1] = 0;
	word[2] = (__u32)netns;
	word[3] = (__u32)(netns >> 32);
}

/* The kernel takes 0.0.0.0 for 127.0.0.1, and :: for ::1. */
static __always_inline bool is_localhost(const struct nx_addr *to, bool v6)
{
	return is_loopback(to, v6) || is_any(to, v6);
}

/* What the node's own processes call there: a host port, of IPv4 and if it has
 * one, or a NodePort.  Where there are none of these, KUBE-EXTERNAL-SERVICES
 * refuses nevertheless what has no endpoint.
 */
static __always_inline struct nx_service *
localhost_service(const struct nx_config *config, const struct nx_pkt *pkt,
		  bool *refused)
{
	struct nx_service_key key = { .addr = pkt->tuple.dst,
				      .port = pkt->tuple.dport,
				      .proto = pkt->tuple.proto };
	struct nx_service *service;

	if (!pkt->v6 && is_any(&key.addr, pkt->v6))
		addr_set_v4(&key.addr, bpf_htonl(INADDR_LOOPBACK));
	service = service_at(pkt->side, &key);
	if (!service && config->node_ports)
		service = node_port_of(pkt->side, &pkt->tuple, pkt->v6);
	if (!service)
		return NULL;
	if (service->flags & NX_SERVICE_HOST_PORT)
		return !pkt->v6 && service->flags & NX_SERVICE_LOOPBACK ?
			       service :
			       NULL;
	if (service->kind != NX_SERVICE_NODE_PORT ||
	    (!pkt->v6 && config->localhost_node_ports))
		return service;
	*refused = true;
	return (service->flags & NX_SERVICE_LOCAL ? service->local :
						    service->all) ?
		       NULL :
		       service;
}

/* As service_of(), and what is at 127.0.0.1 for the node's own processes. */
static __always_inline struct nx_service *
called_service(const struct nx_config *config, const struct nx_pkt *pkt,
	       bool node, bool *refused)
{
	return node && is_localhost(&pkt->tuple.dst, pkt->v6) ?
		       localhost_service(config, pkt, refused) :
		       service_of(pkt->side, config, &pkt->tuple, pkt->v6);
}

/* Whether the socket is the place to translate it.  What a pod calls is, if
 * no address of the pod decides anything: at an external address it does, by
 * policies and source ranges, and kube-proxy masquerades.
 */
static __always_inline bool call_belongs_here(const struct nx_config *config,
					      __u32 flags, bool node)
{
	return node ||
	       (!(flags & (NX_SERVICE_EXTERNAL | NX_SERVICE_HOST_PORT)) &&
		!config->masquerade_all);
}

/* What becomes of a call of a Service without an endpoint.  KUBE-SERVICES is
 * asked in OUTPUT, KUBE-EXTERNAL-SERVICES in INPUT only: what is called there
 * at an address elsewhere, is somebody else's.
 */
static __always_inline int call_unserved(const struct nx_addr *to, bool v6,
					 __u32 flags)
{
	if (flags & NX_SERVICE_EXTERNAL && !is_localhost(to, v6) &&
	    !bpf_map_lookup_elem(&nx_local, to))
		return NX_R_NOT_OURS;
	return flags & NX_SERVICE_ELSEWHERE ? NX_R_NO_LOCAL_ENDPOINT :
					      NX_R_NO_ENDPOINT;
}

/* cali-OUTPUT, which stands before everybody else's chains: whether a floating
 * IP is called.  Gives the call its pod, at the same port.  Port 0 is nobody's:
 * a socket is connected to it to learn its own address (RFC 6724).
 */
NX_GLOBAL int call_floating(struct nx_call *call)
{
	struct nx_addr called, pod;

	if (!call || !call->port)
		return 0;
	called = call->to;
	if (!fip_to(call->generation & 1, &called, NX_FIP_EXTERNAL, &pod))
		return 0;
	call->endpoint.addr = pod;
	call->endpoint.port = call->port;
	return 1;
}

/* Gives the call an endpoint, the one that it had if that is listed still:
 * enum nx_reason, as service_choose() has it for a source of the node's own;
 * NX_R_FIP_DNAT when it has a floating IP's pod.
 */
NX_GLOBAL int call_choose(struct nx_call *call)
{
	enum nx_backend_list list = NX_BACKENDS_ALL;
	struct nx_backend_key at = {};
	struct nx_choice choice = {};
	struct nx_service *service;
	struct nx_config *config;
	struct nx_pkt pkt = {};
	bool refused = false;
	__u32 count, flags;
	int why;

	if (!call)
		return NX_R_NOT_OURS;
	pkt.side = call->generation & 1;
	config = config_of(pkt.side);
	if (!config)
		return NX_R_NOT_OURS;
	/* A pod's call is ingress', which knows a pod that calls itself. */
	if (config->calico.floating_ips && call_floating(call))
		return call->node ? NX_R_FIP_DNAT : NX_R_NOT_OURS;
	call_client(&pkt.tuple.src, call->netns);
	pkt.tuple.dst = call->to;
	pkt.tuple.dport = call->port;
	/* Its port is not known yet: calls are told from each other by chance. */
	pkt.tuple.sport = bpf_get_prandom_u32();
	pkt.tuple.proto = call->proto;
	pkt.v6 = call->v6;
	service = called_service(config, &pkt, call->node, &refused);
	if (!service)
		return NX_R_NOT_OURS;
	flags = service->flags;
	if (!call_belongs_here(config, flags, call->node))
		return NX_R_NOT_OURS;
	if (flags & NX_SERVICE_LOCAL && !(flags & NX_SERVICE_EXTERNAL))
		list = NX_BACKENDS_LOCAL;
	count = list == NX_BACKENDS_LOCAL ? service->local : service->all;
	if (!count || refused)
		return call_unserved(&pkt.tuple.dst, pkt.v6, flags);
	if (flags & NX_SERVICE_SOURCES && !(flags & NX_SERVICE_NODE_MAY))
		return NX_R_SOURCE_RANGE;
	at.service = service->number;
	at.list = list;
	choice.to = call->endpoint;
	if (choice.to.port &&
	    backend_listed(pkt.side, &at, &choice.index, count, &choice.to))
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
	else if (why == NX_R_NO_ROOM)
		bpf_set_retval(-NX_ENOMEM);
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
	if (call->datagram &&
	    (call_is_to_peer(ctx, call) || !call_recall(call)))
		goto found;
	why = call_choose(call);
	if (why == NX_R_NOT_OURS) {
		call_forget(ctx, call);
		return true;
	}
	if (why != NX_R_SERVICE && why != NX_R_FIP_DNAT)
		return call_refuse(why);
	if (call->datagram ? call_remember(call) : peer_remember(ctx, call))
		return call_refuse(NX_R_NO_ROOM);
found:
	call->to = call->endpoint.addr;
	call->port = call->endpoint.port;
	return true;
}

/* The address by which a socket without a peer knows an endpoint. */
static __always_inline bool hear_datagram(struct bpf_sock_addr *ctx,
					  struct nx_call *call)
{
	struct nx_config *config = config_of(config_side());
	struct nx_socket_key key = { .addr = call->to,
				     .port = call->port,
				     .way = NX_SOCKET_HEARS };
	struct nx_socket *known;
	struct nx_addr called;
	__be16 port;

	key.cookie = bpf_get_socket_cookie(ctx);
	known = bpf_map_lookup_elem(&nx_socket, &key);
	if (!known || !config || socket_expired(config, known))
		return false;
	known->seen = now_jiffies();
	known->answered = 1;
	called = known->addr;
	port = known->port;
	call->cookie = key.cookie;
	call_answered(call, &called, port);
	call->to = called;
	call->port = port;
	return true;
}

/* The address by which the socket knows an endpoint: false when it is none. */
static __always_inline bool stage_hear(struct bpf_sock_addr *ctx,
				       struct nx_call *call)
{
	struct nx_peer *peer = peer_of(ctx, 0);

	if (peer && peer->endpoint_port == call->port &&
	    addr_eq(&peer->endpoint, &call->to)) {
		call->to = peer->called;
		call->port = peer->called_port;
		return true;
	}
	return ctx->protocol == IPPROTO_UDP && hear_datagram(ctx, call);
}
