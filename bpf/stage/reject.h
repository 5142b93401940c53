/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_packet.h>

#include "bpf/lib/ports.h"
#include "bpf/lib/unreachable.h"

/* Refuse what is called at a Service's address and may not be served.
 *
 *   reads    pkt->tuple, ->opens, ->side, ->reason; skb->mark
 *   writes   the packet: it becomes the ICMP error about itself; pkt->reason
 *   maps     nx_config, nx_local, nx_device, nx_ports_left or nx_ports_right
 *            (lookup)
 *   returns  NX_CONTINUE  not such a packet
 *            NX_PASS      on its way to another host, by the MAC address
 *            NX_REFLECT   the error goes back the way the packet came
 *            NX_DROP      no error could be made of it, or none is due
 *
 * stage_service() found no endpoint: filter KUBE-SERVICES and
 * KUBE-EXTERNAL-SERVICES refuse it, or drop it where other nodes have one;
 * KUBE-PROXY-FIREWALL drops sources that may not call.
 *
 * In IPVS mode all addresses of Services are the node's, and any process that
 * listens on all of them would answer TCP on a port that no Service has: filter
 * INPUT ! 0x4000, ovn40services dst, ctstate NEW.  kube-proxy's own mark comes
 * after this hook, so what KUBE-CLUSTER-IP holds is taken for marked.
 * kube-proxy's own rule against that, KUBE-IPVS-FILTER, is of all protocols and
 * of what it bound only; stage_filter() asks it, since it stands before what
 * drops.
 */
static __always_inline bool reject_ipvs(struct __sk_buff *skb,
					const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	return pkt->opens != NX_OPENS_NOTHING && config &&
	       !(skb->mark & config->mark_masquerade) &&
	       is_refused(pkt->side, config, &pkt->tuple);
}

/* Nobody is answered who spoke to more than this node, or gives an address
 * that is not one node's (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)).
 */
static __always_inline bool may_be_answered(struct __sk_buff *skb,
					    const struct nx_pkt *pkt)
{
	const struct nx_addr *src = &pkt->tuple.src;

	if ((skb->pkt_type != PACKET_HOST &&
	     skb->pkt_type != PACKET_OTHERHOST) ||
	    is_loopback(src, pkt->v6))
		return false;
	if (pkt->v6) /* a v4-mapped one, ip6_rcv() drops */
		return src->byte[0] != 0xff && !addr_is_zero(src) &&
		       !addr_is_v4(src);
	return src->byte[12] && (src->byte[12] & 0xf0) != 0xe0 &&
	       addr_word(src, 3) != 0xffffffff;
}

/* All but the question whether the address is a Service's at all. */
NX_GLOBAL int reject(struct __sk_buff *skb, struct nx_pkt *pkt, bool from_pod)
{
	if (!pkt)
		return NX_CONTINUE;
	switch (pkt->reason) {
	case NX_R_NO_LOCAL_ENDPOINT:
	case NX_R_SOURCE_RANGE:
	case NX_R_SCTP_PORT:
		return NX_DROP;
	case NX_R_NO_ENDPOINT:
	case NX_R_REJECTED: /* stage_filter() */
		break;
	default:
		if (!reject_ipvs(skb, pkt))
			return NX_CONTINUE;
		pkt->reason = NX_R_REJECTED;
	}
	/* A network card may take in what is for others; ip_rcv() drops that.
	 * A pod's device may be the port of a bridge that has the address.
	 */
	if (!from_pod && skb->pkt_type == PACKET_OTHERHOST)
		return nx_pass(pkt, NX_R_NOT_OURS);
	if (!may_be_answered(skb, pkt) || unreachable_write(skb, pkt))
		return NX_DROP;
	skb->mark = 0; /* the error is a packet of the node's own */
	return NX_REFLECT;
}

static __always_inline bool stage_filter(struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	if (!config || !config->ipvs_filter ||
	    !is_filtered(&pkt->tuple, pkt->side))
		return false;
	pkt->reason = NX_R_REJECTED;
	return true;
}

static __always_inline enum nx_verdict stage_reject(struct __sk_buff *skb,
						    struct nx_pkt *pkt,
						    struct nx_net to,
						    bool from_pod)
{
	if (!to.services &&
	    (pkt->reason == NX_R_NOT_OURS || pkt->reason == NX_R_MARKED ||
	     pkt->reason == NX_R_MARKED_LOCAL))
		return NX_CONTINUE;
	return reject(skb, pkt, from_pod);
}
