/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/stage/steer.h"

/* A process of any cgroup calls connect(2), before the kernel routes.  Stands
 * for the OUTPUT chain of the mangle table.
 */

/* What a connect hook answers: go on.  0 would be EPERM to the process. */
#define NX_CONNECT_ALLOW 1

static __always_inline int connect4(struct bpf_sock_addr *ctx)
{
	struct nx_addr to;

	addr_set_v4(&to, ctx->user_ip4);
	stage_steer(ctx, &to);
	return NX_CONNECT_ALLOW;
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
	stage_steer(ctx, &to);
	return NX_CONNECT_ALLOW;
}
