/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/in.h>

#include "bpf/stage/refuse.h"
#include "bpf/stage/steer.h"

/* A process of any cgroup calls connect(2), before the kernel routes.  Stands
 * for the OUTPUT chain of the mangle table.
 */

/* The cookie of the network namespace that natrixd runs in (the loader's to
 * set).  0 is no namespace's: nothing is steered.
 */
const volatile __u64 nx_netns_cookie = 0;

/* What a connect hook answers: go on, or the error that stage_refuse() set. */
#define NX_CONNECT_ALLOW 1
#define NX_CONNECT_REFUSE 0

#define NX_SOCK_STREAM 1 /* asm-generic */

/* The hook sits on the root cgroup, so processes of all pods come by: the
 * namespace tells them from the node's own.
 */
static __always_inline int connect_to(struct bpf_sock_addr *ctx,
				      const struct nx_addr *to)
{
	if (ctx->type != NX_SOCK_STREAM || ctx->protocol != IPPROTO_TCP ||
	    bpf_get_netns_cookie(ctx) != nx_netns_cookie)
		return NX_CONNECT_ALLOW;
	if (stage_refuse(ctx, to))
		return NX_CONNECT_REFUSE;
	stage_steer(ctx, to);
	return NX_CONNECT_ALLOW;
}

static __always_inline int connect4(struct bpf_sock_addr *ctx)
{
	struct nx_addr to;

	addr_set_v4(&to, ctx->user_ip4);
	return connect_to(ctx, &to);
}

/* An IPv6 socket that calls an IPv4 address gives it v4-mapped, as the maps
 * have it.
 */
static __always_inline int connect6(struct bpf_sock_addr *ctx)
{
	struct nx_addr to;
	__u32 *word = (__u32 *)&to;

	word[0] = ctx->user_ip6[0];
	word[1] = ctx->user_ip6[1];
	word[2] = ctx->user_ip6[2];
	word[3] = ctx->user_ip6[3];
	return connect_to(ctx, &to);
}
