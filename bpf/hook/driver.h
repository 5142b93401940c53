/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/stage/driver_cut.h"
#include "bpf/stage/flow.h"
#include "bpf/stage/frame.h"
#include "bpf/stage/gateway.h"

/* XDP on an uplink, where the configuration asks for it: packets of known
 * flows from one device to another never become an skb.  Everything else is
 * left to nx_uplink_in, which sees it as if this program were not there.
 */

/* The driver's frames are for whom they may: a promiscuous device has those of
 * others, which a bridge above it may want.
 */
static __always_inline bool driver_is_ours(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u32 ifindex = ctx->ingress_ifindex;
	struct nx_device *device;

	if (data + ETH_HLEN > (void *)(long)ctx->data_end)
		return false;
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	return device && *(__u16 *)data == *(__u16 *)device->mac &&
	       *(__u16 *)(data + 2) == *(__u16 *)(device->mac + 2) &&
	       *(__u16 *)(data + 4) == *(__u16 *)(device->mac + 4);
}

/* What stage_flow() notes, of a packet that never gets there. */
static __always_inline void driver_note(struct nx_flow *flow, __u32 now)
{
	if (flow->seen != now)
		flow->seen = now;
	if (flow->state == NX_STATE_UDP)
		flow_stream(flow);
}

static __always_inline void driver_count_gateway(const struct nx_frame *f,
						 const struct nx_flow *flow)
{
	struct nx_gateway adds = { .packets = 1,
				   .bytes = f->length,
				   .wire_packets = 1,
				   .wire_bytes = f->length };

	gateway_add(flow->subnets.from, NX_EGRESS, &adds);
	gateway_add(flow->subnets.to, NX_INGRESS, &adds);
}

static __always_inline enum nx_verdict driver(struct xdp_md *ctx,
					      enum nx_reason *why, __u32 *out)
{
	struct nx_established *known;
	struct nx_frame f;
	enum nx_verdict v;
	__u32 now;

	if (!driver_is_ours(ctx))
		return NX_PASS;
	*why = NX_R_XDP_MALFORMED;
	v = stage_frame(ctx, &f);
	if (v != NX_CONTINUE)
		return v;
	known = bpf_map_lookup_elem(&nx_flow, &f.tuple);
	if (!known)
		return NX_PASS;
	now = now_jiffies();
	/* Perhaps it is expired: tcx finds out, and ends it. */
	if (now - known->flow.seen > NX_FRESH_JIFFIES &&
	    flow_expired(&f.tuple, &known->flow))
		return NX_PASS;
	v = stage_driver_cut(ctx, &f, known, now, out);
	if (v == NX_PASS)
		return NX_PASS;
	*why = NX_R_XDP_SENT;
	driver_note(&known->flow, now);
	driver_count_gateway(&f, &known->flow);
	return v;
}

/* The one place where a verdict of XDP becomes a code and a counter.  What is
 * passed is counted by tcx.
 */
static __always_inline int driver_finish(struct xdp_md *ctx,
					 enum nx_verdict verdict,
					 enum nx_reason why, __u32 out)
{
	__u32 reason = why;
	struct nx_count *count;

	if (verdict == NX_PASS)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&nx_count, &reason);
	if (count) {
		count->packets++;
		count->bytes += bpf_xdp_get_buff_len(ctx);
	}
	switch (verdict) {
	case NX_SEND:
		return bpf_redirect(out, 0);
	case NX_REFLECT:
		return XDP_TX;
	default:
		return XDP_DROP;
	}
}
