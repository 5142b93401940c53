/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_endian.h>

#include "bpf/lib/config.h"
#include "bpf/lib/detect.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/ports.h"

/* Ask for translation of a new flow: OVN-PREROUTING (facts/kube-ovn.md 1.1).
 *
 *   reads    pkt->tuple, ->opens, ->side, membership of both ends
 *   writes   skb->mark under its masks, pkt->reason
 *   maps     nx_config, nx_local, nx_ports_left or nx_ports_right
 *   returns  NX_CONTINUE  always: a mark ends nothing
 *
 * P1 asks for masquerade of what comes from a pod and goes to a service; in
 * IPVS mode only if somebody serves there.  P2 and P4 mark traffic to a
 * NodePort with local policy, P3 and P5 ask for masquerade if another node of
 * the cluster calls one.
 */
/* P2 to P5, which are there if the node has an address of the family. */
NX_GLOBAL int mark_local_port(struct __sk_buff *skb, struct nx_pkt *pkt,
			      __u32 from_other_node)
{
	struct nx_config *config;
	struct nx_addr dst;

	if (!pkt)
		return 0;
	config = config_of(pkt->side);
	if (!config ||
	    addr_is_zero(pkt->v6 ? &config->node6 : &config->node4) ||
	    !(sets_of_port(pkt->side, &pkt->tuple) & NX_IN_NODE_PORT_LOCAL))
		return 0;
	dst = pkt->tuple.dst;
	if (bpf_map_lookup_elem(&nx_local, &dst)) {
		skb->mark |= config->mark_local;
		pkt->reason = NX_R_MARKED_LOCAL;
	}
	if (from_other_node) {
		skb->mark |= config->mark_masquerade;
		pkt->reason = NX_R_MARKED;
	}
	return 0;
}

static __always_inline enum nx_verdict
stage_mark(struct __sk_buff *skb, struct nx_pkt *pkt, struct nx_net from,
	   struct nx_net to, bool from_pod)
{
	struct nx_config *config = config_of(pkt->side);

	if (!config)
		return NX_CONTINUE;
	if (from_pod && from.subnets &&
	    (config->ipvs ? is_cluster_ip(pkt->side, &pkt->tuple) :
			    to.services)) { /* P1 */
		skb->mark |= config->mark_masquerade;
		pkt->reason = NX_R_MARKED;
	}
	if (config->ipvs && config->ovn &&
	    (pkt->tuple.proto == NX_L4_TCP || pkt->tuple.proto == NX_L4_UDP))
		mark_local_port(skb, pkt, from.other_node);
	return NX_CONTINUE;
}

/* KUBE-NODE-PORT, which nat asks for the node's own addresses only.  kube-proxy
 * lists a NodePort with local policy in both of its sets.
 */
static __always_inline bool asks_node_port(const struct nx_pkt *pkt, __u32 sets)
{
	struct nx_addr dst = pkt->tuple.dst;

	if (pkt->tuple.proto != NX_L4_SCTP)
		sets = sets_of_port(pkt->side, &pkt->tuple);
	return sets & NX_IN_NODE_PORT && !(sets & NX_IN_NODE_PORT_LOCAL) &&
	       bpf_map_lookup_elem(&nx_local, &dst);
}

/* Whether kube-proxy asks for masquerade of what goes to a ClusterIP. */
static __always_inline bool asks_cluster_ip(struct __sk_buff *skb,
					    const struct nx_pkt *pkt,
					    const struct nx_config *config,
					    __u32 sets, __u32 from_cluster)
{
	if (!config->masquerade_all && config->detect == NX_DETECT_NONE)
		return sets_with(pkt->side, &pkt->tuple, &pkt->tuple.src) &
		       NX_IN_CLUSTER_IP;
	return sets & NX_IN_CLUSTER_IP &&
	       (config->masquerade_all ||
		!is_clusters_own(skb, config, from_cluster, pkt->side));
}

/* KUBE-SERVICES in IPVS mode (facts/kube-proxy-calico.md 1.4): asks for
 * masquerade; IPVS itself gives the destination, behind this hook.
 *
 *   reads    pkt->tuple, ->side; membership of the source
 *   writes   skb->mark under mark_masquerade and mark_drop, pkt->reason
 *   maps     nx_config, nx_local, nx_device, nx_ports_left or nx_ports_right,
 *            nx_range_left or nx_range_right
 *   returns  1  ACCEPT: no chain behind it is asked, as those of host ports
 *            0  else
 *
 * Before kube-proxy v1.25 KUBE-LOAD-BALANCER marked who may not call, to be
 * dropped by stage/firewall.h.
 *
 * The conditions of KUBE-EXTERNAL-IP's two ACCEPTs make no difference here:
 * what meets neither is no local destination, and host ports are.
 */
NX_GLOBAL int mark_kube(struct __sk_buff *skb, struct nx_pkt *pkt,
			__u32 from_cluster)
{
	struct nx_config *config;
	__u32 sets;

	if (!pkt || is_loopback(&pkt->tuple.src, pkt->v6))
		return 0;
	config = config_of(pkt->side);
	if (!config)
		return 0;
	sets = sets_with(pkt->side, &pkt->tuple, &pkt->tuple.dst);
	if ((sets & (NX_IN_LOAD_BALANCER | NX_IN_LOAD_BALANCER_LOCAL)) ==
		    NX_IN_LOAD_BALANCER ||
	    asks_cluster_ip(skb, pkt, config, sets, from_cluster) ||
	    sets & NX_IN_EXTERNAL_IP ||
	    (!(sets & NX_IN_EXTERNAL_IP_LOCAL) && asks_node_port(pkt, sets))) {
		skb->mark |= config->mark_masquerade;
		pkt->reason = NX_R_MARKED;
	}
	if (config->ranges == NX_RANGES_MARK && sets & NX_IN_LOAD_BALANCER &&
	    is_out_of_range(pkt, pkt->side, &pkt->tuple.dst, pkt->tuple.dport))
		skb->mark |= config->mark_drop;
	return !!(sets & (NX_IN_CLUSTER_IP | NX_IN_LOAD_BALANCER |
			  NX_IN_EXTERNAL_IP | NX_IN_EXTERNAL_IP_LOCAL));
}

static __always_inline bool stage_kube(struct __sk_buff *skb,
				       struct nx_pkt *pkt, struct nx_net from)
{
	struct nx_config *config = config_of(pkt->side);

	return config && config->ipvs && mark_kube(skb, pkt, from.cluster);
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
