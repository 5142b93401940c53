/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/stage/parse.h"
#include "bpf/stage/proxy.h"

/* `lo`, where the node's own processes speak to each other and the probes of
 * bpf/hook/connect.h are routed to.  Stands for the PREROUTING chain of the
 * mangle table.  Nothing is translated here: there is no egress hook.
 */
static __always_inline enum nx_verdict loopback(struct __sk_buff *skb,
						struct nx_pkt *pkt)
{
	enum nx_verdict v = stage_parse(skb, pkt);

	if (v != NX_CONTINUE)
		return v;
	if (pkt->error)
		return nx_pass(pkt, NX_R_NOT_OURS);
	v = stage_proxy(skb, pkt);
	return v == NX_CONTINUE ? nx_pass(pkt, NX_R_NOT_OURS) : v;
}
