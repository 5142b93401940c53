/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* What a socket that called a Service has instead: map `nx_socket`, lru_hash,
 * one for both sides of the configuration.  Nobody deletes entries: a cookie
 * never comes again, and the oldest make room.
 *
 * Writer and reader: bpf/stage/call.h.
 */
#define NX_MAX_SOCKETS 65536

enum nx_socket_way {
	/* A Service's address -> the endpoint that the socket's datagrams to it
	 * go to.
	 */
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
	__u8 pad[2];
	__u32 generation; /* of the configuration that chose it, or kept it */
	__u32 seen;	  /* jiffies, low 32 bits, of the last datagram there */
};
NX_ABI_SIZE(nx_socket, 28);

/* Whose calls are translated where they are made: nx_config.sockets. */
enum nx_sockets {
	NX_SOCKETS_NONE,
	NX_SOCKETS_NODE, /* processes in natrixd's network namespace */
	NX_SOCKETS_ALL,	 /* those of pods too */
} __attribute__((packed));
