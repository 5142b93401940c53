/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/headers.h"
#include "bpf/lib/ports.h"

/* KUBE-MARK-DROP: filter KUBE-FIREWALL, which INPUT and OUTPUT ask and FORWARD
 * does not, drops what has the mark (facts/kube-proxy-calico.md 1.2).  Every
 * packet, not only a first one; one without any mark costs a load.
 *
 *   reads    skb->mark; the destination that ingress left in the packet
 *   maps     nx_config, nx_local (lookup)
 *   returns  whether it is to be dropped
 */
static __always_inline bool is_marked_drop(const struct __sk_buff *skb)
{
	struct nx_config *config;

	if (!skb->mark)
		return false;
	config = config_of(config_side());
	return config && skb->mark & config->mark_drop;
}

/* Ingress: what goes to the node itself. */
NX_GLOBAL int firewall_local(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct nx_addr dst = {};

	/* A tagged frame is its VLAN device's; all else begins with IP. */
	if (!pkt || pkt->reason == NX_R_NOT_IP || pkt->reason == NX_R_VLAN)
		return 0;
	return !load_destination(skb, pkt->v6, &dst) &&
	       bpf_map_lookup_elem(&nx_local, &dst);
}

static __always_inline bool stage_firewall_in(struct __sk_buff *skb,
					      const struct nx_pkt *pkt)
{
	return is_marked_drop(skb) && firewall_local(skb, pkt);
}

/* Egress: what the node itself sends. */
static __always_inline bool stage_firewall_out(const struct __sk_buff *skb,
					       const struct nx_pkt *pkt)
{
	return !skb->ingress_ifindex && pkt->reason != NX_R_NOT_IP &&
	       pkt->reason != NX_R_VLAN && is_marked_drop(skb);
}

/* filter KUBE-FIREWALL where NodePorts are at 127.0.0.1, too: kube-proxy has set
 * route_localnet for them, and whoever is on the same wire could call what
 * listens there (CVE-2020-8558).  Whatever belongs to no flow: ICMP errors and
 * what is malformed, too.
 *
 *   reads    the packet's own addresses, pkt->v6, ->side
 *   maps     nx_config (lookup)
 *   returns  whether it is to be dropped
 */
NX_GLOBAL int localnet_drops(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct {
		__u8 src[4];
		__u8 dst[4];
	} addr;

	if (!pkt || pkt->v6 || pkt->reason == NX_R_NOT_IP ||
	    pkt->reason == NX_R_VLAN ||
	    bpf_skb_load_bytes(skb, NX_L3 + offsetof(struct iphdr, saddr),
			       &addr, sizeof(addr)))
		return 0;
	return addr.dst[0] == 127 && addr.src[0] != 127;
}

static __always_inline bool stage_localnet(struct __sk_buff *skb,
					   const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	return config && config->services == NX_ASK_SERVICES &&
	       config->localhost_node_ports && localnet_drops(skb, pkt);
}

/* filter KUBE-PROXY-FIREWALL, which INPUT and FORWARD ask: sources that may not
 * call a load balancer's IP that IPVS serves (facts/kube-proxy-calico.md 1.4).
 * Every packet, not only a first one, by where it goes after translation.
 *
 *   reads    pkt->tuple, ->error, ->ports_known, ->ext_overflow
 *   maps     nx_config, nx_ports_left or nx_ports_right, nx_range_left or
 *            nx_range_right (lookup)
 *   returns  whether it is to be dropped
 */
static __always_inline bool stage_ranges(const struct nx_pkt *pkt, __u32 side,
					 const struct nx_addr *dst,
					 __be16 dport)
{
	struct nx_config *config = config_of(side);

	return config && config->ranges == NX_RANGES_FILTER && !pkt->error &&
	       pkt->ports_known && !pkt->ext_overflow &&
	       is_out_of_range(pkt, side, dst, dport);
}
