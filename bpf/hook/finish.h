/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include "bpf/lib/maps.h"
#include "bpf/lib/packet.h"

/* Back out of the device.  One without a link-layer header may be a tunnel that
 * asks the packet's route for its other end (ipip, sit), so the packet is routed
 * again.  The helper that does so wants to see a frame, and takes it off unread.
 */
static __always_inline int reflect(struct __sk_buff *skb)
{
	if (NX_L3)
		return bpf_redirect(skb->ifindex, 0);
	if (bpf_skb_change_head(skb, ETH_HLEN, 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* The one place where a verdict becomes a TC code and a counter.  UNSPEC
 * (TCX_NEXT), not OK: programs of others on the hook have their say.
 */
static __always_inline int finish(struct __sk_buff *skb, struct nx_pkt *pkt,
				  enum nx_verdict verdict)
{
	__u32 reason = pkt->reason;
	struct nx_count *count = bpf_map_lookup_elem(&nx_count, &reason);

	if (count) {
		count->packets++;
		count->bytes += skb->len;
	}
	switch (verdict) {
	case NX_DROP:
		return TC_ACT_SHOT;
	case NX_REFLECT:
		return reflect(skb);
	case NX_SEND:
		return bpf_redirect(pkt->out, 0);
	case NX_SEND_PEER:
		return bpf_redirect_peer(pkt->out, 0);
	default:
		return TC_ACT_UNSPEC;
	}
}
