/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/flow_table.h"
#include "bpf/lib/headers.h"

/* filter KUBE-FORWARD: `-m conntrack --ctstate INVALID -j DROP`, so that what
 * lost its flow, a late RST say, does not leave with a pod's address in a
 * Service's place (facts/kube-proxy-calico.md 1.1).
 *
 *   reads    pkt->frag, ->reason, ->ext_overflow, ->tuple, ->side; the packet's
 *            own addresses; skb->ingress_ifindex
 *   writes   nothing
 *   maps     nx_config, nx_net, nx_flow, nx_embryo (lookup)
 *   returns  ingress: whether nf_conntrack calls it INVALID, and that matters;
 *            egress: whether to drop what ingress noted
 *
 * Ingress judges, as nf_conntrack does in PREROUTING, and egress drops: what
 * goes to the node itself never comes there.  With Services every flow between
 * managed devices is remembered, so that what has none began none; what comes in
 * by another device might be of a flow that left by one, and is not judged.
 */

/* Of what has no flow, and begins none. */
static __always_inline bool stage_invalid(const struct nx_pkt *pkt)
{
	struct nx_config *config = config_of(pkt->side);

	return config && config->drop_invalid && !pkt->ext_overflow;
}

/* Of what parse did not let through.  A fragment is not judged, the whole might
 * be sound.
 */
static __always_inline bool stage_invalid_header(const struct nx_pkt *pkt)
{
	return pkt->frag == NX_WHOLE &&
	       (pkt->reason == NX_R_MALFORMED || pkt->reason == NX_R_INVALID ||
		pkt->reason == NX_R_ICMP_UNRELATED) &&
	       stage_invalid(pkt);
}

/* Its flow may have begun since, in the same batch: with its first fragment. */
NX_GLOBAL int stage_invalid_out(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	struct nx_addr src = {}, dst = {};
	struct nx_config *config;
	struct nx_tuple key;

	if (!pkt || !skb->ingress_ifindex)
		return 0;
	key = pkt->tuple;
	if (flow_lookup(&key))
		return 0;
	config = config_of(pkt->side);
	if (!config || !config->ovn || load_ends(skb, pkt->v6, &src, &dst))
		return 1;
	return !is_accepted(net_of(pkt->side, &src)) &&
	       !is_accepted(net_of(pkt->side, &dst));
}
