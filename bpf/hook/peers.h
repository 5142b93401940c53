/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps/abi/socket.h"

/* Lists nx_peer: which sockets, of all network namespaces, got which endpoint.
 * No packet comes this way; natrixd reads it (BPF_ITER_CREATE).
 *
 *   reads    ctx: a socket and what nx_peer has of it; at the end neither
 *   writes   a struct nx_peer_line
 *   returns  0; 1 asks the kernel to try the socket again in a new buffer
 */

/* As far as we look into them (include/linux/bpf.h, net/core/bpf_sk_storage.c). */
struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	struct nx_peer *peer; /* the kernel's name: value */
};

static __always_inline int list_peer(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct nx_peer *peer = ctx->peer;
	struct sock *sk = ctx->sk;
	struct nx_peer_line line = {};

	if (!sk || !peer)
		return 0;
	line.cookie = bpf_get_socket_cookie(sk);
	line.peer = *peer;
	return bpf_seq_write(ctx->meta->seq, &line, sizeof(line)) ? 1 : 0;
}
