/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/addr.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/socket.h"

/* A process connects: if it is to a probe of the list, its socket gets the
 * mark by which it is routed to `lo` (OVN-OUTPUT: -d POD -p tcp --dport PORT
 * -j MARK --set-xmark 0x90003/0x90003).
 *
 *   reads    ctx: the address and port called
 *   writes   its mark, under the entry's mask
 *   maps     nx_probe
 *   returns  nothing: a connection is never refused here
 *
 * Before the connection is routed, so that its source address is chosen by
 * the route that it really takes; a rule in an OUTPUT chain comes after.
 *
 * Concurrent: a socket connects on one CPU, under its lock.
 */
static __always_inline void stage_steer(struct bpf_sock_addr *ctx,
					const struct nx_addr *to)
{
	struct nx_probe_key key = { .pod = *to };
	struct nx_probe *probe;
	__u32 mark = 0;

	key.port = (__be16)ctx->user_port;
	probe = bpf_map_lookup_elem(&nx_probe, &key);
	if (!probe)
		return;
	if (socket_mark(ctx, &mark))
		return;
	socket_set_mark(ctx, mark | probe->mark_output);
}
