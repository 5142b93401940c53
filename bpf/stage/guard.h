/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/headers.h"

/* Docker's direct access protection: raw PREROUTING `-d` container `! -i`
 * bridge, DROP (facts/kube-proxy-calico.md 3.2).  Before any flow is asked, and
 * whatever the packet is: it drops answers, and what other rules let in before
 * the container was there.
 *
 *   reads    the packet's own destination, skb->ifindex, pkt->v6, ->side
 *   writes   nothing
 *   maps     nx_config, nx_net, nx_device (lookup)
 *   returns  whether it is to be dropped
 *
 * An established packet does not come here: its flow knows that its destination
 * is not guarded (nx_flow_subnets.generation), which costs it nothing.
 */
NX_GLOBAL int guard_drops(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	__u32 ifindex = skb->ifindex;
	struct nx_device *device;
	struct nx_addr dst;
	struct nx_net net;

	/* A tagged frame is its VLAN device's; all else begins with IP. */
	if (!pkt || pkt->reason == NX_R_NOT_IP || pkt->reason == NX_R_VLAN ||
	    load_destination(skb, pkt->v6, &dst))
		return 0;
	net = net_of(pkt->side, &dst);
	if (!net.guarded)
		return 0;
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	return !device || (device->bridge[pkt->side & 1] & NX_BRIDGE_NUMBER) !=
				  net.network;
}

static __always_inline bool stage_guard(struct __sk_buff *skb,
					const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	return config && config->networks & NX_NETWORKS_GUARDED &&
	       guard_drops(skb, pkt);
}
