/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* Ask for masquerade: a new flow from a pod to the service CIDR
 * (OVN-PREROUTING: -i ovn0, ovn40subnets src, ovn40services dst).
 *
 *   reads    pkt->opens, ->side, membership of both ends
 *   writes   skb->mark under its mask, pkt->reason
 *   maps     nx_config
 *   returns  NX_CONTINUE  always: a mark ends nothing
 */
static __always_inline enum nx_verdict stage_mark(struct __sk_buff *skb,
						  struct nx_pkt *pkt,
						  struct nx_net from,
						  struct nx_net to)
{
	struct nx_config *config;

	if (pkt->opens == NX_OPENS_NOTHING || !from.subnets || !to.services)
		return NX_CONTINUE;
	config = config_of(pkt->side);
	if (config) {
		skb->mark |= config->mark_masquerade;
		pkt->reason = NX_R_MARKED;
	}
	return NX_CONTINUE;
}

/* A mark that a pod sent is not trusted: the bits that decide here are
 * cleared, all others are left.  Before anything else sets them.
 */
static __always_inline void stage_distrust(struct __sk_buff *skb)
{
	struct nx_config *config;

	if (!skb->mark)
		return;
	config = config_of(config_side());
	if (config)
		skb->mark &= ~config->mark_untrusted;
}

/* An encapsulated packet of this node itself (filter OUTPUT, udp 6081 and
 * 4789): it has the mark of the packet inside, which is not about it, and a
 * translation would spoil its checksum.  Every packet, not only a first one.
 */
#define NX_PORT_GENEVE 6081
#define NX_PORT_VXLAN 4789

static __always_inline void stage_outer(struct __sk_buff *skb,
					const struct nx_pkt *pkt)
{
	bool from_here = !skb->ingress_ifindex;

	if (from_here && skb->mark && pkt->tuple.proto == NX_L4_UDP &&
	    (pkt->tuple.dport == bpf_htons(NX_PORT_GENEVE) ||
	     pkt->tuple.dport == bpf_htons(NX_PORT_VXLAN)))
		skb->mark = 0;
}
