/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/ports.h"
#include "bpf/lib/socket.h"

/* Refuse a process of this node TCP to a Service address on a port that no
 * Service has (filter OUTPUT: Kube-OVN's rule is the same as in INPUT, see
 * stage/reject.h; what goes to the node's own addresses passes INPUT, too).
 * The process is told at once what the ICMP error would have told it.
 *
 *   reads    the address and port called, as nat leaves them; the socket's mark
 *   writes   what connect(2) returns: ECONNREFUSED
 *   maps     nx_config, nx_net, nx_local, nx_ports_left or nx_ports_right
 *   returns  true when it is refused
 */
static __always_inline bool stage_refuse(struct bpf_sock_addr *ctx,
					 const struct nx_addr *to, __be16 port)
{
	struct nx_tuple t = { .dst = *to, .proto = NX_L4_TCP };
	__u32 side = config_side(), mark = 0;
	struct nx_config *config = config_of(side);

	t.dport = port;
	if (!config)
		return false;
	if (!config->ipvs_filter || !is_filtered(&t, side)) {
		if (!is_refused(side, config, &t))
			return false;
		if (!socket_mark(ctx, &mark) && mark & config->mark_masquerade)
			return false;
	}
	bpf_set_retval(-NX_ECONNREFUSED);
	return true;
}
