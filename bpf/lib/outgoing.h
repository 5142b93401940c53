/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/decision.h"
#include "bpf/lib/packet.h"

/* Calico's cali-nat-outgoing and the tunnels of cali-POSTROUTING
 * (facts/kube-proxy-calico.md 2.1).
 */

/* By the sets: from a pool with natOutgoing to what is in none. */
static __always_inline bool leaves_pools(struct nx_net from, struct nx_net to)
{
	return from.masq_ipam_pools && !to.network_ip_pools &&
	       !to.all_hosts_net;
}

/* Local to the node, but not to the output device: addrtype ! --src-type LOCAL
 * --limit-iface-out, and --src-type LOCAL.
 */
static __always_inline bool is_local_elsewhere(const struct __sk_buff *skb,
					       const struct nx_pkt *pkt)
{
	struct nx_addr src = pkt->tuple.src;
	struct nx_local *local = bpf_map_lookup_elem(&nx_local, &src);

	return local && local->ifindex != skb->ifindex;
}

/* cali-nat-outgoing: TCP and UDP get a port of natPortRange. */
static __always_inline void outgoing_pool(const struct nx_pkt *pkt,
					  const struct nx_calico *calico,
					  struct nx_snat *snat)
{
	__u8 proto = pkt->tuple.proto;

	if (proto == NX_L4_TCP || proto == NX_L4_UDP)
		snat->ports = calico->ports;
	snat->addr = pkt->v6 ? calico->nat6 : calico->nat4;
	snat->masquerade = addr_is_zero(&snat->addr);
	snat->why = snat->masquerade ? NX_R_MASQ_POOL : NX_R_SNAT_POOL;
}

/* Whether one of the rules decides; then snat says how.  A device that is not
 * known yet passes for any: without an address the packet is dropped.
 */
static __always_inline bool outgoing_rules(struct __sk_buff *skb,
					   const struct nx_pkt *pkt,
					   const struct nx_config *config,
					   struct nx_net from, struct nx_net to,
					   struct nx_snat *snat)
{
	const struct nx_calico *calico = &config->calico;
	__u32 ifindex = skb->ifindex;
	struct nx_device *device;

	if (!leaves_pools(from, to) && !calico->tunnels)
		return false;
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	if (leaves_pools(from, to) &&
	    (!device || device->nat_outgoing & NX_DEVICE_SIDE(pkt->side))) {
		outgoing_pool(pkt, calico, snat);
	} else if (device &&
		   (pkt->v6 ? device->tunnel6 : device->tunnel4) &
			   NX_DEVICE_SIDE(pkt->side) &&
		   is_local_elsewhere(skb, pkt)) {
		if (pkt->tuple.proto == NX_L4_UDP)
			snat->ports = calico->tunnel_ports;
		snat->masquerade = 1;
		snat->why = NX_R_MASQ_TUNNEL;
	} else {
		return false;
	}
	snat->what = NX_SNAT_TO;
	snat->keep_mark = 1;
	return true;
}
