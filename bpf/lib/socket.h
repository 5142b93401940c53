/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* A socket that calls, in a cgroup hook. */

/* The cookie of the network namespace that natrixd runs in (the loader's to
 * set).  0 is no namespace's: no process is the node's own.
 */
const volatile __u64 nx_netns_cookie = 0;

/* asm-generic/socket.h: user space's header of them does not compile for BPF. */
#define NX_SOL_SOCKET 1
#define NX_SO_MARK 36
#define NX_ECONNREFUSED 111
#define NX_ENOMEM 12

/* SO_MARK: 0, or negative and `mark` is as it was. */
static __always_inline int socket_mark(struct bpf_sock_addr *ctx, __u32 *mark)
{
	return bpf_getsockopt(ctx, NX_SOL_SOCKET, NX_SO_MARK, mark,
			      sizeof(*mark));
}

/* Only a wrong length or option could make it fail. */
static __always_inline void socket_set_mark(struct bpf_sock_addr *ctx,
					    __u32 mark)
{
	bpf_setsockopt(ctx, NX_SOL_SOCKET, NX_SO_MARK, &mark, sizeof(mark));
}
