/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/socket.h"

/* A call of a Service, and what its socket remembers of it: map nx_peer for
 * sockets that connect, nx_socket for datagrams of the others
 * (maps/abi/socket.h).
 */

/* A call on its way through bpf/stage/call.h. */
struct nx_call {
	__u64 cookie; /* the socket's */
	__u64 netns;  /* its namespace's */
	struct nx_addr to;
	__be16 port;
	enum nx_l4 proto;
	__u8 v6;
	__u8 datagram; /* 1: of a socket that may have no peer */
	__u8 node;     /* 1: the socket is the node's own */
	__u8 pad[2];
	struct nx_backend endpoint; /* port 0: none yet */
	__u32 generation;	    /* of the configuration that judges it */
};

/* Of one socket, both ways. */
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
	if (!heard || !addr_eq(&heard->addr, &call->to) ||
	    heard->port != call->port)
		return false;
	heard->seen = now_jiffies();
	return true;
}

/* Whether an entry is as old as nf_conntrack lets a UDP flow become. */
static __always_inline bool socket_expired(const struct nx_config *config,
					   const struct nx_socket *entry)
{
	enum nx_state state = entry->answered ? NX_STATE_UDP_STREAM :
						NX_STATE_UDP;

	return now_jiffies() - entry->seen >= config->timeout[state];
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
	if (!known || !config || socket_expired(config, known))
		return -1;
	call->endpoint.addr = known->addr;
	call->endpoint.port = known->port;
	if (known->generation != call->generation)
		return -1;
	known->seen = now_jiffies();
	return call_heard(call) ? 0 : -1;
}

/* What the socket's datagrams call, and what it hears: 0, or there is no room. */
NX_GLOBAL int call_remember(const struct nx_call *call)
{
	struct nx_socket_key key = {};
	struct nx_socket entry = {};

	if (!call)
		return -1;
	entry.generation = call->generation;
	entry.seen = now_jiffies();
	entry.addr = call->to;
	entry.port = call->port;
	call_key(&key, call, NX_SOCKET_HEARS);
	if (bpf_map_update_elem(&nx_socket, &key, &entry, BPF_ANY))
		return -1;
	entry.addr = call->endpoint.addr;
	entry.port = call->endpoint.port;
	call_key(&key, call, NX_SOCKET_CALLS);
	return bpf_map_update_elem(&nx_socket, &key, &entry, BPF_ANY);
}

/* An endpoint that is called by its own address is heard by that. */
NX_GLOBAL int call_direct(const struct nx_call *call)
{
	struct nx_socket_key key = {};

	if (!call)
		return 0;
	key.cookie = call->cookie;
	key.addr = call->to;
	key.port = call->port;
	key.way = NX_SOCKET_HEARS;
	if (bpf_map_lookup_elem(&nx_socket, &key))
		bpf_map_delete_elem(&nx_socket, &key);
	return 0;
}

/* The socket's peer: null when it has none that a Service gave it. */
static __always_inline struct nx_peer *peer_of(struct bpf_sock_addr *ctx,
					       __u64 flags)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? bpf_sk_storage_get(&nx_peer, sk, NULL, flags) : NULL;
}

/* A datagram of a connected socket to the address it is connected to. */
static __always_inline bool call_is_to_peer(struct bpf_sock_addr *ctx,
					    struct nx_call *call)
{
	struct bpf_sock *sk = ctx->sk;
	struct nx_peer *peer;

	if (!sk || !sk->dst_port)
		return false;
	peer = bpf_sk_storage_get(&nx_peer, sk, NULL, 0);
	if (!peer || peer->called_port != call->port ||
	    peer->endpoint_port != sk->dst_port ||
	    !addr_eq(&peer->called, &call->to))
		return false;
	call->endpoint.addr = peer->endpoint;
	call->endpoint.port = peer->endpoint_port;
	return true;
}

/* From now on the socket's peer is the call's endpoint: 0, or no memory. */
static __always_inline int peer_remember(struct bpf_sock_addr *ctx,
					 const struct nx_call *call)
{
	struct nx_peer *peer = peer_of(ctx, BPF_SK_STORAGE_GET_F_CREATE);

	if (!peer)
		return -1;
	peer->endpoint = call->endpoint.addr;
	peer->endpoint_port = call->endpoint.port;
	peer->called = call->to;
	peer->called_port = call->port;
	return 0;
}

/* What a call that is no Service's changes of what the socket knew. */
static __always_inline void call_forget(struct bpf_sock_addr *ctx,
					const struct nx_call *call)
{
	struct bpf_sock *sk = ctx->sk;
	struct nx_peer *peer;

	if (!call->datagram) {
		peer = peer_of(ctx, 0);
		if (peer)
			peer->endpoint_port = 0;
	} else if (sk && !sk->dst_port) {
		call_direct(call);
	}
}

/* A datagram came back: nf_conntrack keeps such a flow longer, too. */
NX_GLOBAL int call_answered(const struct nx_call *call,
			    const struct nx_addr *called, __be16 port)
{
	struct nx_socket_key key = {};
	struct nx_socket *calls;

	if (!call || !called)
		return 0;
	key.cookie = call->cookie;
	key.addr = *called;
	key.port = port;
	key.way = NX_SOCKET_CALLS;
	calls = bpf_map_lookup_elem(&nx_socket, &key);
	if (calls && calls->port == call->port &&
	    addr_eq(&calls->addr, &call->to)) {
		calls->seen = now_jiffies();
		calls->answered = 1;
	}
	return 0;
}
