/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/in.h>

#include "bpf/lib/socket.h"
#include "bpf/stage/call.h"
#include "bpf/stage/refuse.h"
#include "bpf/stage/steer.h"

/* Processes and the addresses that they call: connect(2), sendto(2) of a
 * datagram, recvfrom(2), getpeername(2).  Stands for the OUTPUT chains of the
 * mangle, nat and filter tables, and for the translation of answers.
 *
 * The hooks sit on the root cgroup, so processes of all pods come by: the
 * network namespace tells them from the node's own.
 */

/* What a hook answers: go on, or the error that a stage has set. */
#define NX_SOCKET_ALLOW 1
#define NX_SOCKET_REFUSE 0

#define NX_SOCK_STREAM 1 /* asm-generic */

static __always_inline struct nx_call call_of4(struct bpf_sock_addr *ctx)
{
	struct nx_call call = { .port = (__be16)ctx->user_port };

	addr_set_v4(&call.to, ctx->user_ip4);
	return call;
}

/* An IPv6 socket that calls an IPv4 address gives it v4-mapped, as the maps
 * have it.
 */
static __always_inline struct nx_call call_of6(struct bpf_sock_addr *ctx)
{
	struct nx_call call = { .port = (__be16)ctx->user_port };
	__u32 *word = (__u32 *)&call.to;

	word[0] = ctx->user_ip6[0];
	word[1] = ctx->user_ip6[1];
	word[2] = ctx->user_ip6[2];
	word[3] = ctx->user_ip6[3];
	call.v6 = !addr_is_v4(&call.to);
	return call;
}

static __always_inline void call_put4(struct bpf_sock_addr *ctx,
				      const struct nx_call *call)
{
	ctx->user_ip4 = addr_word(&call->to, 3);
	ctx->user_port = call->port;
}

static __always_inline void call_put6(struct bpf_sock_addr *ctx,
				      const struct nx_call *call)
{
	ctx->user_ip6[0] = addr_word(&call->to, 0);
	ctx->user_ip6[1] = addr_word(&call->to, 1);
	ctx->user_ip6[2] = addr_word(&call->to, 2);
	ctx->user_ip6[3] = addr_word(&call->to, 3);
	ctx->user_port = call->port;
}

/* TCP of the node's own: mangle comes before nat, and sees what was called;
 * filter behind it, and sees whom that became.  Frames of their own, since those
 * of stage_call() need room.
 */
static __noinline void connect_steer(struct bpf_sock_addr *ctx,
				     const struct nx_call *call)
{
	struct nx_addr to = call->to;

	stage_steer(ctx, &to);
}

static __noinline bool connect_is_refused(struct bpf_sock_addr *ctx,
					  const struct nx_call *call)
{
	struct nx_addr to = call->to;

	return stage_refuse(ctx, &to, call->port);
}

static __always_inline int connect_to(struct bpf_sock_addr *ctx,
				      struct nx_call *call)
{
	bool nodes = ctx->type == NX_SOCK_STREAM &&
		     ctx->protocol == IPPROTO_TCP &&
		     bpf_get_netns_cookie(ctx) == nx_netns_cookie;

	if (nodes)
		connect_steer(ctx, call);
	if (!stage_call(ctx, call) || (nodes && connect_is_refused(ctx, call)))
		return NX_SOCKET_REFUSE;
	return NX_SOCKET_ALLOW;
}

static __always_inline int connect4(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of4(ctx);
	int answer = connect_to(ctx, &call);

	call_put4(ctx, &call);
	return answer;
}

static __always_inline int connect6(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of6(ctx);
	int answer = connect_to(ctx, &call);

	call_put6(ctx, &call);
	return answer;
}

/* A datagram whose destination is given with it.  (One of a connected socket
 * that says nothing comes by here only as IPv4 of an IPv6 socket, and then to
 * its endpoint.)
 */
static __always_inline int sendmsg4(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of4(ctx);
	bool allowed;

	call.datagram = 1;
	allowed = stage_call(ctx, &call);
	call_put4(ctx, &call);
	return allowed ? NX_SOCKET_ALLOW : NX_SOCKET_REFUSE;
}

static __always_inline int sendmsg6(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of6(ctx);
	bool allowed;

	call.datagram = 1;
	allowed = stage_call(ctx, &call);
	call_put6(ctx, &call);
	return allowed ? NX_SOCKET_ALLOW : NX_SOCKET_REFUSE;
}

/* recvfrom(2) and getpeername(2) alike. */
static __always_inline int hear4(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of4(ctx);

	if (stage_hear(ctx, &call))
		call_put4(ctx, &call);
	return NX_SOCKET_ALLOW;
}

static __always_inline int hear6(struct bpf_sock_addr *ctx)
{
	struct nx_call call = call_of6(ctx);

	if (stage_hear(ctx, &call))
		call_put6(ctx, &call);
	return NX_SOCKET_ALLOW;
}
