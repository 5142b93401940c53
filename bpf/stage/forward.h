/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/host_port.h"

/* Docker's filter rules, of what is forwarded into one of its bridges and
 * belongs to no flow (facts/kube-proxy-calico.md 3.2): from 28 on DOCKER's
 * `-d` container `! -i` bridge `-o` bridge `--dport` ACCEPT, `! -i` bridge `-o`
 * bridge DROP; up to 27 DOCKER-ISOLATION-STAGE-1 and -2.
 *
 *   reads    pkt->tuple, ->ports_known, ->error, ->side; skb->ingress_ifindex,
 *            ->ifindex, ->mark
 *   writes   nothing
 *   maps     nx_config, nx_device, nx_net, nx_service (lookup)
 *   returns  NX_R_NONE, NX_R_ISOLATED or NX_R_UNPUBLISHED: enum nx_reason
 *
 * At egress, where both devices are known.  What Kube-OVN's rules in FORWARD
 * accept by its sets, and kube-proxy's by its mark, never comes to Docker's
 * chains.  What a device brings that natrix does not manage is let in: it might
 * be the answer to a call that left by there, which nobody remembers.
 */
NX_GLOBAL int forward_refuses(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	__u32 in = skb->ingress_ifindex, out = skb->ifindex, bridge, other;
	struct nx_device *from, *to;
	struct nx_config *config;
	struct nx_addr addr;
	struct nx_net net;

	if (!pkt || in == out)
		return NX_R_NONE;
	config = config_of(pkt->side);
	from = bpf_map_lookup_elem(&nx_device, &in); /* none: the node's own */
	to = bpf_map_lookup_elem(&nx_device, &out);
	if (!config || !from || !to ||
	    ((config->services == NX_ASK_SERVICES || config->ipvs) &&
	     skb->mark & config->mark_masquerade))
		return NX_R_NONE;
	other = from->bridge[pkt->side & 1] & NX_BRIDGE_NUMBER;
	bridge = to->bridge[pkt->side & 1] & NX_BRIDGE_NUMBER;
	if (!bridge || other == bridge) /* or from port to port */
		return NX_R_NONE;
	addr = pkt->tuple.src;
	if (is_accepted(net_of(pkt->side, &addr)))
		return NX_R_NONE;
	addr = pkt->tuple.dst;
	net = net_of(pkt->side, &addr);
	if (is_accepted(net))
		return NX_R_NONE;
	if (config->networks & NX_NETWORKS_ISOLATED)
		return other && other != bridge ? NX_R_ISOLATED : NX_R_NONE;
	if (pkt->error || !pkt->ports_known || net.network != bridge ||
	    !is_published(pkt))
		return NX_R_UNPUBLISHED;
	return NX_R_NONE;
}

static __always_inline enum nx_reason stage_forward(struct __sk_buff *skb,
						    const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	if (!config ||
	    !(config->networks & (NX_NETWORKS_ISOLATED | NX_NETWORKS_CLOSED)))
		return NX_R_NONE;
	return forward_refuses(skb, pkt);
}
