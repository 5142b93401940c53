/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* What sockets that called a Service have instead.  Writer and reader:
 * bpf/stage/call.h.
 */

/* Of a socket that connected: map `nx_peer`, sk_storage, gone with the socket.
 * `bpftool` cannot dump it, `ss -e --bpf-maps` shows it.
 */
struct nx_peer {
	struct nx_addr endpoint; /* whom it is connected to */
	struct nx_addr called;	 /* by which address it knows it */
	__be16 endpoint_port;	 /* 0: nobody any more */
	__be16 called_port;
};
NX_ABI_SIZE(nx_peer, 36);

/* What the program nx_peers, an iterator over nx_peer, writes for each socket;
 * sock_diag(7) tells nx_peer of TCP sockets only.  Reader: loader/peers.h.
 */
struct nx_peer_line {
	__u64 cookie; /* of the socket (SO_COOKIE) */
	struct nx_peer peer;
	__u8 pad[4];
};
NX_ABI_SIZE(nx_peer_line, 48);

/* Of datagrams of a socket without a peer, which may call many: map
 * `nx_socket`, lru_hash, one for both sides of the configuration.  An entry is
 * good as long as nf_conntrack would keep such a flow; a cookie never comes
 * again, so that nobody has to delete any.
 */
#define NX_MAX_SOCKETS 65536

enum nx_socket_way {
	/* A Service's address -> the endpoint that datagrams to it go to. */
	NX_SOCKET_CALLS,
	/* An endpoint -> the Service's address that the socket knows it by. */
	NX_SOCKET_HEARS,
} __attribute__((packed));

struct nx_socket_key {
	__u64 cookie; /* of the socket (SO_COOKIE) */
	struct nx_addr addr;
	__be16 port;
	enum nx_socket_way way;
	__u8 pad[5];
};
NX_ABI_SIZE(nx_socket_key, 32);
NX_ABI_FIELD(nx_socket_key, way, 26);

struct nx_socket {
	struct nx_addr addr;
	__be16 port;
	__u8 answered; /* 1: datagrams came back, too */
	__u8 pad;
	__u32 generation; /* of the configuration that chose it, or kept it */
	__u32 seen;	  /* jiffies, low 32 bits, of the last datagram */
};
NX_ABI_SIZE(nx_socket, 28);

/* Whose calls are translated where they are made: nx_config.sockets. */
enum nx_sockets {
	NX_SOCKETS_NONE,
	NX_SOCKETS_NODE, /* processes in natrixd's network namespace */
	NX_SOCKETS_ALL,	 /* those of pods too */
} __attribute__((packed));
